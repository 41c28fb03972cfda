use super::*;
use keepalived_conf::{Disk, Options, Unknown, load};

fn plan(text: &str) -> Plan {
    let path = std::env::temp_dir().join(format!(
        "evenkeel-lower-{}-{:?}.conf",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&path, text).unwrap();
    let loaded = load(&Options { path: path.clone(), ..Options::default() }, &Disk, &Unknown);
    let _ = std::fs::remove_file(&path);
    Plan::new(loaded.config)
}

const TEXT: &str = include_str!("../../tests/data/lower.conf");

#[test]
fn the_cores_part() {
    let mut core = plan(TEXT).core();
    for server in core.virtual_servers.iter_mut().flat_map(|server| &mut server.real_servers) {
        for checker in &mut server.checkers {
            assert_eq!(checker.identity.len(), 16);
            checker.identity.clear();
        }
    }
    insta::assert_debug_snapshot!(core);
}

#[test]
fn the_checkers_part() {
    let plan = plan(TEXT);
    let shown: Vec<String> = plan
        .checkers
        .iter()
        .map(|one| {
            format!(
                "{:?} {} -> {} {} up={}",
                one.id,
                one.service,
                one.real,
                kind_name(&one.checker.kind),
                one.up
            )
        })
        .collect();
    insta::assert_debug_snapshot!(shown);
}

#[test]
fn a_checker_is_the_same_wherever_it_stands_and_however_often_it_runs() {
    let identity = |plan: &Plan| plan.core().virtual_servers[0].real_servers[0].checkers[0].identity.clone();
    let (before, moved) = (plan(TEXT), plan(&format!("# a line\n{TEXT}")));
    assert_eq!(identity(&before), identity(&moved));
    assert_eq!(before.checkers[0].checker, moved.checkers[0].checker);
    let slower = plan(&TEXT.replace("delay_loop 3", "delay_loop 4"));
    assert_eq!(identity(&before), identity(&slower));
    assert_ne!(before.checkers[0].checker, slower.checkers[0].checker);
    let other = plan(&TEXT.replacen("TCP_CHECK {", "TCP_CHECK {\n connect_port 81", 1));
    assert_ne!(identity(&before), identity(&other));
}
