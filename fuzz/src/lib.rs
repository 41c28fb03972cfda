//! Fuzz targets: functions that take any bytes and panic when something does not hold that must.
//!
//! `cargo test` runs each over its seeds and a bounded number of mutations of them, on any toolchain. `cargo fuzz run
//! NAME` lets libFuzzer search. `cargo run --bin NAME -- FILE…` runs one over files, such as an input that failed.

pub mod mutate;
pub mod seeds;
pub mod targets;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its program and of its corpus.
    pub name: &'static str,
    /// Its body.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 17] = [
    Target { name: "address", run: targets::address },
    Target { name: "advert", run: targets::advert },
    Target { name: "chunks", run: targets::chunks },
    Target { name: "condition", run: targets::condition },
    Target { name: "config", run: targets::config },
    Target { name: "dns_reply", run: targets::dns_reply },
    Target { name: "echo_reply", run: targets::echo_reply },
    Target { name: "error_page", run: targets::error_page },
    Target { name: "http_answer", run: targets::http_answer },
    Target { name: "keepalived_config", run: targets::keepalived_config },
    Target { name: "log_format", run: targets::log_format },
    Target { name: "netlink_answer", run: targets::netlink_answer },
    Target { name: "regex", run: targets::regex },
    Target { name: "request_head", run: targets::request_head },
    Target { name: "response_head", run: targets::response_head },
    Target { name: "smtp_reply", run: targets::smtp_reply },
    Target { name: "udp_reply", run: targets::udp_reply },
];

/// The program of one target: libFuzzer's entry in a build by cargo-fuzz, else a `main` that runs the files it is given.
#[macro_export]
macro_rules! entry {
    ($name:ident) => {
        #[cfg(fuzzing)]
        use $crate::libfuzzer_sys;
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::targets::$name(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for file in std::env::args_os().skip(1) {
                $crate::targets::$name(&std::fs::read(&file)?);
                println!("{}: holds", file.to_string_lossy());
            }
            Ok(())
        }
    };
}
