//! A kernel with IPVS for ordinary tests: a User-Mode-Linux guest, started by `uml/run.sh`, in which the test runs itself.
//!
//! ```no_run
//! # // A doctest has no test of that name.
//! #[test]
//! fn services_are_listed() {
//!     testkit::uml::guest(|| {
//!         // Root on a kernel of its own: everything here is lost at the end.
//!     });
//! }
//! ```
//!
//! A guest takes about two seconds to start, so several checks share one. It has one CPU, a slow `fork`, the host's files
//! read-only in the same places, and writable `/run`, `/dev/shm`, `/var/log` and `$TMPDIR` of its own. What the test
//! prints there is printed here when the guest ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set in the guest.
const INSIDE: &str = "EK_UML_INSIDE";

/// What a guest is given.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// After which it is stopped, and the test fails.
    pub limit: Duration,
    /// Memory in megabytes.
    pub memory: u32,
}

impl Default for Guest {
    fn default() -> Self {
        Self { limit: Duration::from_secs(300), memory: 512 }
    }
}

/// Runs the body of a test in a guest. It has to be all that the test does, and a closure written in the test's own
/// function, because its name is the test's.
///
/// # Panics
/// When the body does, when the guest cannot be had (it says what is missing), or when its time is over.
pub fn guest<F: FnOnce()>(body: F) {
    Guest::default().run(body);
}

/// Whether this process runs in a guest.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

impl Guest {
    /// [`guest`] with these settings.
    ///
    /// # Panics
    /// As [`guest`].
    pub fn run<F: FnOnce()>(&self, body: F) {
        if is_inside() {
            assert!(Path::new("/proc/net/ip_vs").exists(), "{INSIDE} is set, but this kernel has no IPVS");
            return body();
        }
        let name = test_name::<F>();
        let program = std::env::current_exe().expect("the path of this test program");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("uml/run.sh");
        let mut command = Command::new(&script);
        command.arg(&program).args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
        command.env(INSIDE, "1").env("EK_UML_TIMEOUT", self.limit.as_secs().to_string());
        command.env("EK_UML_MEM", format!("{}M", self.memory)).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|e| panic!("{}: {e}", script.display()));
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{said}");
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        match output.status.code() {
            Some(0) => {
                assert!(said.contains("test result: ok. 1 passed;"), "{name} did not run in the guest")
            }
            Some(125) => panic!(
                "{name} needs a kernel with IPVS, and its User-Mode-Linux guest did not run; why stands above. It takes \
                 Debian 12 on x86_64, its package archive, gcc, and a tmpfs on /dev/shm; {} -h says more.",
                script.display()
            ),
            Some(124) => panic!("{name} did not end within {} s in the guest", self.limit.as_secs()),
            _ => panic!("{name} failed in the guest ({}); what it said stands above", output.status),
        }
    }
}

/// `module::test` of a closure's type name `crate::module::test::{{closure}}`.
fn test_name<F>() -> &'static str {
    let name = std::any::type_name::<F>();
    let name = name.split("::{{closure}}").next().unwrap_or(name);
    name.split_once("::").map_or(name, |(_, name)| name)
}

/// The path of a program that a test in a guest needs.
///
/// # Panics
/// When it is not installed; it says how to get it.
pub fn needed(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = places.map(|place| place.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{program} is not installed: apt-get install {package} (`cargo xtask test` installs what is missing)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_itself_on_a_kernel_with_ipvs() {
        guest(|| {
            let ipvsadm = needed("ipvsadm", "ipvsadm");
            let run = |words: &[&str]| {
                let output = Command::new(&ipvsadm).args(words).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            };
            run(&["-A", "-t", "10.0.0.1:80", "-s", "wlc"]);
            assert_eq!(run(&["-Sn"]).trim(), "-A -t 10.0.0.1:80 -s wlc");
        });
    }

    #[test]
    fn a_failure_in_the_guest_is_one_here() {
        let failure = std::panic::catch_unwind(|| {
            guest(|| panic!("as it should"));
        });
        if is_inside() {
            std::panic::resume_unwind(failure.unwrap_err());
        }
        let message = failure.unwrap_err();
        assert!(message.downcast_ref::<String>().unwrap().contains("failed in the guest"));
    }

    #[test]
    fn a_guest_that_hangs_is_stopped() {
        let failure = std::panic::catch_unwind(|| {
            Guest { limit: Duration::from_secs(5), memory: 256 }.run(|| {
                loop {
                    std::thread::park();
                }
            });
        });
        assert!(failure.unwrap_err().downcast_ref::<String>().unwrap().contains("did not end within 5 s"));
    }
}
