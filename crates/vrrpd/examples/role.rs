//! The role alone, in the foreground: `role FILE`. SIGHUP reads the file again.

use keepalived_conf::{Disk, Loaded, Options, Unknown, load};

fn read(path: &str) -> Loaded {
    load(&Options { path: path.into(), ..Options::default() }, &Disk, &Unknown)
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/etc/keepalived/keepalived.conf".to_owned());
    let loaded = read(&path);
    for diagnostic in loaded.report.iter() {
        eprintln!("{}", diagnostic.message);
    }
    let log = notice::log::LogOptions { facility: None, console: true, detail: true, ..Default::default() };
    let reload: vrrpd::Reload = Box::new(move || Some(read(&path).config));
    let options = vrrpd::Options { reload: Some(reload), ..vrrpd::Options::new(log) };
    println!("{:?}", vrrpd::run(loaded.config, options));
}
