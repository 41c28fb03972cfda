//! A role and a process that stands in for it when it dies: `watched FILE`.

use reactor::child::{SpawnOptions, spawn};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::Command;
use vrrpd::parent::StandIn;

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/etc/keepalived/keepalived.conf".to_owned());
    if std::env::args().nth(2).is_some() {
        let options = keepalived_conf::Options { path: path.into(), ..keepalived_conf::Options::default() };
        let loaded = keepalived_conf::load(&options, &keepalived_conf::Disk, &keepalived_conf::Unknown);
        let number = std::env::var("EK_FD").ok().and_then(|text| text.parse().ok()).unwrap_or(-1);
        let log = notice::log::LogOptions { facility: None, console: true, ..Default::default() };
        let parent = reactor::process::inherited(number).ok();
        let options = vrrpd::Options { parent, ..vrrpd::Options::new(log) };
        println!("{:?}", vrrpd::run(loaded.config, options));
        return Ok(());
    }
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    let number = std::os::fd::AsRawFd::as_raw_fd(&theirs);
    command.args([path.as_str(), "role"]).env("EK_FD", number.to_string());
    reactor::run(reactor::Settings::default(), async move {
        let child =
            spawn(&mut command, &SpawnOptions { inherit: &[theirs.as_fd()], ..SpawnOptions::default() })?;
        println!("child {}", child.pid());
        drop(theirs);
        let mut stand_in = StandIn::new();
        let mut buffer = [0; 4096];
        loop {
            match ours.read(&mut buffer)? {
                0 => break,
                count => stand_in.receive(buffer.get(..count).unwrap_or_default())?,
            }
        }
        println!("gone, holding {}", stand_in.holds().len());
        println!("{:?} {:?}", stand_in.say_farewell(), stand_in.take_back());
        Ok(())
    })?
}
