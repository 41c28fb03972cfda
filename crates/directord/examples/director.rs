//! The role alone, in the foreground: `director FILE [--dry-run] [--control SOCKET]`. SIGHUP reads the file again.

use keepalived_conf::{Disk, Loaded, Options, Unknown, load};

fn read(path: &str) -> Loaded {
    load(&Options { path: path.into(), ..Options::default() }, &Disk, &Unknown)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments.get(1).cloned().unwrap_or_else(|| "/etc/keepalived/keepalived.conf".to_owned());
    let control = arguments.iter().position(|word| word == "--control");
    let control = control.and_then(|at| arguments.get(at + 1)).map(Into::into);
    let loaded = read(&path);
    for diagnostic in loaded.report.iter() {
        eprintln!("{}", diagnostic.message);
    }
    let log = notice::log::LogOptions {
        ident: "Keepalived_healthcheckers".to_owned(),
        facility: None,
        console: true,
        detail: true,
        ..Default::default()
    };
    let reload: directord::Reload = Box::new(move || Some(read(&path).config));
    let options = directord::Options {
        reload: Some(reload),
        control,
        dry_run: arguments.iter().any(|word| word == "--dry-run"),
        ..directord::Options::new(log)
    };
    println!("{:?}", directord::run(loaded.config, options));
}
