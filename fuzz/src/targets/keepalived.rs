//! The language of keepalived.conf.

use super::NEXT_FILE;
use diag::{Human, Severity, json_lines};
use keepalived_conf::{KeepalivedLines, Memory, Named, Options, Verdict, load, verdict};
use std::path::PathBuf;

/// Files in one input at most.
const MAX_FILES: usize = 4;

/// One or more files read as a configuration, the others included by the first: reading ends, everything said points
/// into the text, every renderer can say it, and what is in the model is within its ranges.
pub fn keepalived_config(data: &[u8]) {
    let mut memory = Memory { accounts: vec!["root".to_owned()], ..Memory::default() };
    memory.variables.insert("HOME".to_owned(), "/root".to_owned());
    for (number, text) in data.splitn(MAX_FILES, |byte| *byte == NEXT_FILE).enumerate() {
        memory.files.insert(PathBuf::from(format!("/k/{number}.conf")), text.to_vec());
    }
    let interfaces = Named(["lo", "eth0", "eth1"].map(str::to_owned).to_vec());
    let options = Options {
        path: PathBuf::from("/k/0.conf"),
        config_id: "main".to_owned(),
        seed: 5,
        most_lines: 5000,
        ..Options::default()
    };
    let loaded = load(&options, &memory, &interfaces);
    let mut shown = 0;
    for diagnostic in loaded.report.iter() {
        assert!(!diagnostic.message.is_empty(), "{} says nothing", diagnostic.code.0);
        shown += usize::from(diagnostic.severity >= Severity::Warning);
        if let Some(span) = diagnostic.span {
            let source = loaded.sources.get(span.file).expect("a span in a known file");
            assert!(
                span.start <= span.end && span.end as usize <= source.text.len(),
                "{span:?} of {}",
                diagnostic.message
            );
        }
    }
    let lines = KeepalivedLines::default().render(&loaded.sources, &loaded.report);
    assert!(lines.lines().count() >= shown, "a line each");
    assert_eq!(json_lines(&loaded.sources, &loaded.report).lines().count(), loaded.report.len());
    if loaded.report.len() < 20 {
        Human { color: false, hints: true }.render(&loaded.sources, &loaded.report);
    }
    if loaded.report.has_errors() {
        assert_ne!(verdict(&loaded.report), Verdict::Good, "errors that are no reason to refuse");
    }
    for instance in &loaded.config.instances {
        assert_ne!(instance.virtual_router_id, 0);
        assert_ne!(instance.priority, 0);
        assert!(!instance.advert_interval.is_zero());
        assert!(instance.addresses.len() <= 255);
        assert!(instance.addresses.iter().all(|address| address.family() == instance.family));
        assert!((1..=100).contains(&instance.down_timer_adverts));
    }
    for group in &loaded.config.sync_groups {
        assert!(!group.members.is_empty());
        for member in &group.members {
            assert!(loaded.config.instances.iter().any(|one| one.name.text == member.text));
        }
    }
    for server in &loaded.config.virtual_servers {
        assert!(!server.real_servers.is_empty());
        assert!(server.quorum >= 1 && server.hysteresis < server.quorum.max(1));
    }
}
