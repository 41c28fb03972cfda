//! Shows what a program makes of cases: `transcript DATA-DIRECTORY haproxy|PATH-OF-EVENKEEL CORPUS [PART-OF-A-NAME]`.
#![allow(clippy::expect_used, clippy::panic, reason = "a tool of the tests")]

use std::collections::BTreeMap;
use std::path::Path;
use testkit::{corpus, lane::Lane, program::Program};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [data, program, name, filter @ ..] = words.as_slice() else {
        panic!("transcript DATA-DIRECTORY haproxy|PATH CORPUS [PART-OF-A-NAME]")
    };
    let data = Path::new(data);
    let program = match program.as_str() {
        "haproxy" => Program::haproxy(),
        path => Program::evenkeel(Path::new(path)),
    };
    let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
    for case in corpus::read(&data.join(name)) {
        if filter.first().is_some_and(|f| !case.name.contains(f)) {
            continue;
        }
        let lane = lanes.entry(case.config.clone()).or_insert_with(|| {
            let path = data.join("proxies").join(format!("{}.cfg", case.config));
            let text = std::fs::read_to_string(&path).expect("the configuration");
            Lane::start(&program, &text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
        });
        let runs = case.runs();
        let run = runs.first().expect("a run");
        println!("{}", corpus::describe(&case, &lane.run(run)));
    }
}
