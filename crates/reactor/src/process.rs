//! What a process does to itself and passes to others, as safe functions.
#![allow(unsafe_code)]

use crate::address::invalid;
use crate::syscall::{check, own};
use ek_time::Duration;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

// Forking

/// Which of the two processes this is after [`fork`].
#[derive(Debug)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's id.
    Parent(u32),
}

/// Makes a copy of this process, which must have one thread only.
///
/// # Errors
/// When there are other threads (their locks would stay locked for ever in the copy), a reactor runs, or there can be no
/// more processes.
pub fn fork() -> io::Result<Fork> {
    if threads()? != 1 {
        return Err(io::Error::other("a process with several threads cannot be copied"));
    }
    if crate::reactor::with(|_| ()).is_some() {
        return Err(io::Error::other("a running reactor cannot be copied: both would share its epoll"));
    }
    // SAFETY: this is the only thread, so memory is copied in a consistent state and the child may do what it likes.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid as u32)),
    }
}

fn blocking_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the pointer is to two ints.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [read, write] = fds;
    Ok((own(read)?, own(write)?))
}

fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// A process in the background whose starter waits for it.
#[derive(Debug)]
#[must_use = "dropping it tells the starter that the start failed"]
pub struct Background(File);

/// Goes on in the background: a copy of this process, in its own session. The process that was started stays until the copy
/// says that it is ready, and exits with status 0; or, when the copy says that it failed or ends before, with status 1.
///
/// # Errors
/// As [`fork`], and when there are no descriptors left.
pub fn daemonize() -> io::Result<Background> {
    let (read, write) = blocking_pipe()?;
    match fork()? {
        Fork::Parent(_) => {
            drop(write);
            let mut status = [1];
            let failed = File::from(read).read_exact(&mut status).is_err();
            let [status] = status;
            std::process::exit(if failed { 1 } else { i32::from(status) })
        }
        Fork::Child => {
            drop(read);
            // SAFETY: no pointers.
            check(unsafe { libc::setsid() })?;
            Ok(Background(File::from(write)))
        }
    }
}

impl Background {
    /// Lets the starter exit with status 0.
    ///
    /// # Errors
    /// When it is gone.
    pub fn ready(self) -> io::Result<()> {
        self.failed(0)
    }

    /// Lets the starter exit with `status`.
    ///
    /// # Errors
    /// When it is gone.
    pub fn failed(mut self, status: u8) -> io::Result<()> {
        self.0.write_all(&[status])
    }
}

/// Puts `/dev/null` in the place of standard input, output and error.
///
/// # Errors
/// When it cannot be opened.
pub fn detach_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..=2 {
        // SAFETY: no pointers. The standard descriptors are owned by nobody; std expects them to be replaced.
        check(unsafe { libc::dup2(null.as_raw_fd(), number) })?;
    }
    Ok(())
}

// Privileges

/// Supplementary groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// As they are.
    Keep,
    /// These, in place of what there are.
    Set(Vec<u32>),
    /// Those of a user, by name, in the group database (`initgroups`); the number is a further group.
    OfUser(String, u32),
}

/// What [`drop_privileges`] changes, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Privileges<'a> {
    /// Supplementary groups; before the rest, for the group database may be out of reach afterwards.
    pub groups: &'a Groups,
    /// The new root directory, which also becomes the working directory.
    pub chroot: Option<&'a Path>,
    /// Group, for all threads.
    pub gid: Option<u32>,
    /// User, for all threads.
    pub uid: Option<u32>,
}

/// Gives up what the process needed only to start, and checks that it is gone.
///
/// # Errors
/// Which step failed; the process should end then, for earlier steps are done.
pub fn drop_privileges(privileges: &Privileges<'_>) -> io::Result<()> {
    let step = |name: &'static str, result: io::Result<()>| {
        result.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
    };
    match privileges.groups {
        Groups::Keep => {}
        Groups::Set(groups) => step("setgroups", set_groups(groups))?,
        Groups::OfUser(name, group) => step("initgroups", init_groups(name, *group))?,
    }
    if let Some(root) = privileges.chroot {
        step("chroot", change_root(root))?;
    }
    if let Some(gid) = privileges.gid {
        step("setgid", set_gid(gid))?;
    }
    if let Some(uid) = privileges.uid {
        step("setuid", set_uid(uid))?;
    }
    Ok(())
}

fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the pointer is to `groups.len()` ids.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    Ok(())
}

fn init_groups(name: &str, group: u32) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: `name` ends with a NUL and lives through the call.
    check(unsafe { libc::initgroups(name.as_ptr(), group) })?;
    Ok(())
}

fn change_root(root: &Path) -> io::Result<()> {
    let path = CString::new(root.as_os_str().as_bytes())?;
    // SAFETY: `path` ends with a NUL and lives through the call.
    check(unsafe { libc::chroot(path.as_ptr()) })?;
    std::env::set_current_dir("/")
}

fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::setgid(gid) })?;
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the pointers are to three live ids.
    check(unsafe { libc::getresgid(&mut real, &mut effective, &mut saved) })?;
    if (real, effective, saved) != (gid, gid, gid) {
        return Err(io::Error::other("the old group was kept"));
    }
    Ok(())
}

fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::setuid(uid) })?;
    let (mut real, mut effective, mut saved) = (0, 0, 0);
    // SAFETY: the pointers are to three live ids.
    check(unsafe { libc::getresuid(&mut real, &mut effective, &mut saved) })?;
    // SAFETY: no pointers. Succeeding is what must not be.
    if (real, effective, saved) != (uid, uid, uid) || (uid != 0 && unsafe { libc::setuid(0) } == 0) {
        return Err(io::Error::other("the old user was kept"));
    }
    Ok(())
}

/// The effective user's id.
pub fn effective_uid() -> u32 {
    // SAFETY: no pointers; cannot fail.
    unsafe { libc::geteuid() }
}

/// No program executed from here on gains privileges (setuid, file capabilities). For this thread and what it starts.
///
/// # Errors
/// Those of `prctl`, as of the following two.
pub fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    Ok(())
}

/// The signal this process gets when its parent (the thread that forked it) ends.
///
/// # Errors
/// When the number is no signal.
pub fn set_death_signal(number: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, number as libc::c_ulong) })?;
    Ok(())
}

/// Whether core dumps and tracing by the same user are possible; changing users ends it.
///
/// # Errors
/// Those of `prctl`.
pub fn set_dumpable(on: bool) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on)) })?;
    Ok(())
}

/// Names this thread; of the main thread, what `ps` and `killall` show of the process. Cut after 15 bytes.
///
/// # Errors
/// When the name has a NUL.
pub fn set_name(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: `name` ends with a NUL and lives through the call.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) })?;
    Ok(())
}

// Limits and clocks

/// The soft and the hard limit of open files.
///
/// # Errors
/// Those of `getrlimit`.
pub fn open_files() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets the limits of open files.
///
/// # Errors
/// `PermissionDenied` when the hard limit would rise without `CAP_SYS_RESOURCE`, or beyond `fs.nr_open`.
pub fn set_open_files(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    Ok(())
}

/// Raises the limit of open files to `wanted`, or as near as allowed; never lowers it. Returns the soft limit.
///
/// # Errors
/// Those of `getrlimit`.
pub fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = open_files()?;
    if soft < wanted && set_open_files(wanted, hard.max(wanted)).is_err() {
        set_open_files(wanted.min(hard), hard)?;
    }
    Ok(open_files()?.0)
}

/// CPU time this thread has used.
pub fn thread_cpu_time() -> Duration {
    let time = crate::clock::gettime(libc::CLOCK_THREAD_CPUTIME_ID);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

/// CPU time all threads of this process have used.
pub fn cpu_time() -> Duration {
    let time = crate::clock::gettime(libc::CLOCK_PROCESS_CPUTIME_ID);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

/// Gives memory that is no longer used back to the system, where the allocator can; worth it after a start or a reload.
pub fn trim_heap() {
    crate::syscall::trim_heap();
}

/// Asks the allocator to give back large areas and the ends of its heaps whenever they are free, however large what was
/// freed before: for processes that take a lot at their start and little afterwards.
pub fn keep_heap_small() {
    crate::syscall::keep_heap_small();
}

// Descriptors

/// Another descriptor of the same file, whose number is `least` or above, close-on-exec.
///
/// When a process is killed, the kernel lets go of what its descriptors stand for from the highest number down. Some take
/// it long: of a packet socket it waits until no processor can be using it, some 10 ms.
///
/// # Errors
/// When this process may not have descriptors of such numbers.
pub fn duplicate_from(fd: impl AsFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is borrowed.
    own(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })
}

/// Takes over a descriptor that this process inherited at its start, by number.
///
/// Inherited descriptors are those that are not close-on-exec: everything this program opens is. The flag is set now,
/// so nobody takes the same one twice. Standard input, output and error (0–2) stay, and are duplicated.
///
/// # Errors
/// When it is not open, or was not inherited.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a number that is not open is refused.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if (0..=2).contains(&number) {
        // SAFETY: no pointers.
        return own(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) });
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(invalid("the descriptor was not inherited, or is taken already"));
    }
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and nobody's: what std and this crate open is close-on-exec, as is what was taken here before.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sets whether programs executed from here on inherit a descriptor.
///
/// # Errors
/// Those of `fcntl`.
pub fn set_inheritable(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = if on { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, flags) })?;
    Ok(())
}

/// A file in memory that holds `content`, is at its start and cannot be changed any more.
///
/// # Errors
/// When there are no descriptors or no memory left.
pub fn memory_file(name: &str, content: &[u8]) -> io::Result<File> {
    let name = CString::new(name)?;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: `name` ends with a NUL and lives through the call.
    let mut file = File::from(own(unsafe { libc::memfd_create(name.as_ptr(), flags) })?);
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no pointers.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(file)
}

/// A descriptor of a process, close-on-exec.
pub(crate) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    own(i32::try_from(fd).unwrap_or(-1))
}

pub(crate) fn pidfd_signal(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the siginfo may be null: the kernel then fills it as kill does.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), number, none, 0) };
    check(i32::try_from(result).unwrap_or(-1))?;
    Ok(())
}

/// The most descriptors one message carries (`SCM_MAX_FD`).
pub const MAX_PASSED: usize = 253;
/// Room for the control message of that many.
const CONTROL: usize = 1_040;
const _: () = assert!(CONTROL >= size_of::<libc::cmsghdr>() + MAX_PASSED * size_of::<RawFd>() + 8);

/// A control buffer, aligned as its headers must be.
#[repr(C)]
union Control {
    bytes: [MaybeUninit<u8>; CONTROL],
    align: libc::cmsghdr,
}

/// Sends bytes (at least one) and descriptors over a Unix socket (`SCM_RIGHTS`). May block if the socket does.
///
/// # Errors
/// Those of `sendmsg`; when there are more than [`MAX_PASSED`] descriptors, or no byte to carry them.
pub fn send_descriptors(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if fds.len() > MAX_PASSED || bytes.is_empty() {
        return Err(invalid("a message carries 1 to 253 descriptors, and at least one byte"));
    }
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let mut control = Control { bytes: [MaybeUninit::zeroed(); CONTROL] };
    let mut iov = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut iov;
    message.msg_iovlen = 1;
    if !raw.is_empty() {
        let size = size_of_val(raw.as_slice()) as u32;
        message.msg_control = (&raw mut control).cast();
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute. The control buffer has room for a header and MAX_PASSED descriptors
        // (asserted above) and is aligned for the header; CMSG_FIRSTHDR returns its start, as msg_controllen is
        // large enough for a header; the data pointer may be unaligned for ints, so bytes are copied.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size) as usize;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as usize;
            std::ptr::copy_nonoverlapping(raw.as_ptr().cast::<u8>(), libc::CMSG_DATA(header), size as usize);
        }
    }
    loop {
        // SAFETY: `message` points to `iov` and `control`, which live through the call and point to live bytes.
        let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        match usize::try_from(sent) {
            Ok(sent) => return Ok(sent),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
}

/// Receives bytes and the descriptors that came with them (close-on-exec); 0 bytes: the peer has closed.
///
/// # Errors
/// Those of `recvmsg`; `InvalidData` when descriptors were lost for want of room.
pub fn receive_descriptors(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = Control { bytes: [MaybeUninit::zeroed(); CONTROL] };
    let mut iov = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut iov;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL;
    let received = loop {
        // SAFETY: `message` points to `iov` and `control`, which live through the call; `iov` to writable bytes.
        let received =
            unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(received) {
            Ok(received) => break received,
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel has written whole control messages into the buffer and set msg_controllen to their extent, in
    // which the CMSG macros walk. Descriptors in an SCM_RIGHTS message are open and now this process's; each is read
    // once (unaligned) and owned once.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&message);
        while let Some(current) = header.as_ref() {
            if current.cmsg_level == libc::SOL_SOCKET && current.cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header);
                let count = (current.cmsg_len - libc::CMSG_LEN(0) as usize) / size_of::<RawFd>();
                for index in 0..count {
                    let number = data.cast::<RawFd>().add(index).read_unaligned();
                    fds.push(OwnedFd::from_raw_fd(number));
                }
            }
            header = libc::CMSG_NXTHDR(&message, header);
        }
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors were lost on the way"));
    }
    Ok((received, fds))
}
