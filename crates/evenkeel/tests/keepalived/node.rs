//! A router under test: a host of a lab, a configuration, and the program in it under keepalived's name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::lab::{Host, Lab, Process, eventually};

/// Keepalived, as Debian installs it.
pub(crate) const ORACLE: &str = "/usr/sbin/keepalived";

/// This program under keepalived's name.
pub(crate) fn keepalived(lab: &Lab) -> PathBuf {
    let link = lab.directory().join("keepalived");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_evenkeel"), &link).unwrap();
    }
    link
}

/// A virtual router of version 3, quick enough for tests.
pub(crate) fn router(priority: u8, address: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n  interface e0\n  version 3\n  virtual_router_id 51\n  priority {priority}\n  \
         advert_int 0.1\n  virtual_ipaddress {{\n    {address}/24\n  }}\n}}\n"
    )
}

pub(crate) struct Node {
    pub(crate) host: Host,
    directory: PathBuf,
    program: PathBuf,
}

impl Node {
    /// With this configuration; dumps go to the lab's directory.
    pub(crate) fn new(lab: &Lab, host: &Host, config: &str) -> Self {
        let directory = lab.directory().join(&host.namespace);
        fs::create_dir_all(&directory).unwrap();
        let node = Self { host: host.clone(), directory, program: keepalived(lab) };
        node.configure(config);
        node
    }

    /// Run by another program than ours.
    pub(crate) fn by(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn configure(&self, config: &str) {
        let place = |name: &str| self.path(name).display().to_string();
        let global = format!(
            "global_defs {{\n  state_dump_file {}\n  stats_dump_file {}\n  json_dump_file {}\n}}\n",
            place("data"),
            place("stats"),
            place("json")
        );
        // At once: a reload that is under way reads the old text or the new.
        fs::write(self.path("new"), global + config).unwrap();
        fs::rename(self.path("new"), self.path("conf")).unwrap();
    }

    /// The command, with flags before those that every test needs.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = self.host.command(&self.program);
        command.args(flags).arg("-f").arg(self.path("conf"));
        command.arg("-p").arg(self.path("main.pid")).arg("-r").arg(self.path("vrrp.pid"));
        command.arg("-c").arg(self.path("checkers.pid")).arg("-G");
        command
    }

    /// Starts it in the foreground, logging to the lab.
    pub(crate) fn start(&self, lab: &Lab) -> Process {
        self.start_with(lab, &[], |_| {})
    }

    pub(crate) fn start_with(&self, lab: &Lab, flags: &[&str], change: impl FnOnce(&mut Command)) -> Process {
        let mut flags = flags.to_vec();
        flags.extend(["-n", "-l", "-D"]);
        let mut command = self.command(&flags);
        change(&mut command);
        let log = format!("{}.{}.log", self.host.namespace, fs::read_dir(lab.directory()).unwrap().count());
        self.host.start_with(lab, &log, &mut command)
    }

    pub(crate) fn parent(&self) -> Option<u32> {
        number_in(&self.path("main.pid"))
    }

    pub(crate) fn vrrp(&self) -> Option<u32> {
        number_in(&self.path("vrrp.pid"))
    }

    pub(crate) fn checker(&self) -> Option<u32> {
        number_in(&self.path("checkers.pid"))
    }

    /// Processes of the program that run in the host.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let text = self.host_pids();
        let name = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.starts_with(self.program.to_str().unwrap().as_bytes())
        };
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(name).collect()
    }

    fn host_pids(&self) -> String {
        let output = Command::new("ip").args(["netns", "pids", &self.host.namespace]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// `evenkeel vrrp status` of this router.
    pub(crate) fn status(&self, flags: &[&str]) -> String {
        self.ask(&[&["vrrp", "status"], flags].concat()).unwrap()
    }

    /// What `evenkeel` says to these words and the place of this router's sockets; an error is what it complains of.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        let output = command.args(words).arg("-p").arg(self.path("main.pid")).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    pub(crate) fn until_master(&self, address: &str) {
        eventually("the address is set", || self.host.has_address(address));
    }

    pub(crate) fn signal(&self, pid: u32, signal: i32) {
        let output = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap();
        assert!(output.success());
    }
}

/// A number from a file.
pub(crate) fn number_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
