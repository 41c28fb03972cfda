//! Every target over its seeds and over mutations of them.

use evenkeel_fuzz::mutate::{Numbers, mutant};
use evenkeel_fuzz::{TARGETS, Target, seeds};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Mutations per target.
const MUTATIONS: u64 = 5000;

/// Runs one input; when something does not hold, the input is shown.
fn run(target: Target, what: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).is_err() {
        panic!("{}: {what}: {}", target.name, bytes.escape_ascii());
    }
}

fn check(name: &str) {
    let target = TARGETS.into_iter().find(|target| target.name == name).expect("a target of this name");
    let seeds = seeds::of(name).expect("its seeds");
    assert!(seeds.len() >= 10, "only {} seeds", seeds.len());
    for seed in &seeds {
        run(target, &seed.name, &seed.bytes);
    }
    for number in 0..MUTATIONS {
        run(target, &format!("mutation {number}"), &mutant(&seeds, &mut Numbers::new(number)));
    }
}

/// One test per target, so that they run side by side and a failure has its name.
macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        #[test]
        fn no_target_is_left_out() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

tests!(
    address advert chunks condition config dns_reply echo_reply error_page http_answer keepalived_config log_format netlink_answer regex request_head response_head smtp_reply udp_reply
);
