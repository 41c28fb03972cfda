//! `vrrp_track_process`: how many processes of a kind run.

use super::{Reports, TrackReport};
use ek_time::Instant;
use keepalived_conf::model::{ParameterMatch, TrackProcess};
use netlink::{ProcessEvent, ProcessEvents, ProcessInterests};
use notice::log::Log;
use reactor::{now, sleep_until, timeout_at};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use vrrp::TrackState;
use vrrp::track::process_state;

/// What is known of a process: its name as the kernel keeps it (15 bytes), and its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    name: Vec<u8>,
    command: Vec<Vec<u8>>,
}

impl Seen {
    /// Looks at a process; `None` when it is gone, or a kernel thread.
    fn read(directory: &Path) -> Option<Self> {
        let mut name = fs::read(directory.join("comm")).ok()?;
        if name.last() == Some(&b'\n') {
            name.pop();
        }
        let line = fs::read(directory.join("cmdline")).ok()?;
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        if line.is_empty() {
            return None;
        }
        Some(Self { name, command: line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect() })
    }

    fn is(&self, wanted: &TrackProcess) -> bool {
        let process = wanted.process.as_bytes();
        let (program, parameters) = match self.command.split_first() {
            Some((program, parameters)) => (program.as_slice(), parameters),
            None => (&[][..], &[][..]),
        };
        let base = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let named = if process.contains(&b'/') {
            program == process
        } else if wanted.full_command || !wanted.parameters.is_empty() {
            base == process
        } else {
            self.name == process.get(..15.min(process.len())).unwrap_or_default()
        };
        named && parameters_match(wanted, parameters)
    }
}

fn parameters_match(wanted: &TrackProcess, has: &[Vec<u8>]) -> bool {
    let same = |(wanted, has): (&String, &Vec<u8>)| wanted.as_bytes() == has.as_slice();
    let all = |wanted: &[String]| wanted.len() <= has.len() && wanted.iter().zip(has).all(same);
    match wanted.parameter_match {
        ParameterMatch::None => has.is_empty(),
        ParameterMatch::Exact => {
            wanted.parameters.is_empty() || (wanted.parameters.len() == has.len() && all(&wanted.parameters))
        }
        ParameterMatch::Partial => all(&wanted.parameters),
        ParameterMatch::Initial => match wanted.parameters.split_last() {
            None => true,
            Some((last, first)) => {
                all(first) && has.get(first.len()).is_some_and(|has| has.starts_with(last.as_bytes()))
            }
        },
    }
}

/// Counts the processes of one `vrrp_track_process`, with its delays.
#[derive(Debug)]
pub struct ProcessWatch<K> {
    which: K,
    settings: TrackProcess,
    /// The processes that count.
    running: u32,
    /// What was reported.
    reported: TrackState,
    /// When a change that waits is reported.
    due: Option<Instant>,
}

impl<K: Copy> ProcessWatch<K> {
    /// One that has not looked yet.
    pub fn new(which: K, settings: TrackProcess) -> Self {
        Self { which, settings, running: 0, reported: TrackState::Unknown, due: None }
    }

    fn state(&self) -> TrackState {
        process_state(self.running, self.settings.quorum, self.settings.quorum_max.unwrap_or(0))
    }

    /// There are that many now. The first time it is reported at once, later after the delay if it is still so then.
    fn count(&mut self, now: Instant, running: u32, reports: &Reports<K>) {
        let grown = running > self.running;
        self.running = running;
        let state = self.state();
        if state == self.reported {
            self.due = None;
            return;
        }
        let delay = match (self.reported, grown) {
            (TrackState::Unknown, _) => Duration::ZERO,
            (_, true) => self.settings.fork_delay,
            (_, false) => self.settings.terminate_delay,
        };
        if self.due.is_none() {
            self.due = Some(now + delay);
        }
        self.fire(now, reports);
    }

    fn fire(&mut self, now: Instant, reports: &Reports<K>) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.reported = self.state();
            reports.put(TrackReport { which: self.which, state: self.reported });
        }
    }
}

/// How often /proc is looked at where the kernel tells nothing of processes.
const PERIOD: Duration = Duration::from_millis(500);

/// Watches processes for ever; dropping the future ends it. The first report of each comes at once.
pub async fn watch_processes<K: Copy + 'static>(
    mut watches: Vec<ProcessWatch<K>>,
    reports: Reports<K>,
    buffer: Option<u32>,
    log: Rc<Log>,
) {
    let interests = ProcessInterests { fork: true, exec: true, comm: true, exit: true };
    // Before the first look, so that nothing is missed between the two.
    let mut events = match ProcessEvents::open(interests) {
        Ok(events) => {
            if let Some(bytes) = buffer
                && let Err(error) = events.set_receive_buffer(bytes as usize)
            {
                log.info(format_args!("process_monitor_rcv_bufs: {error}"));
            }
            Some(events)
        }
        Err(error) => {
            log.info(format_args!(
                "No process events ({error}), looking at /proc every {} ms",
                PERIOD.as_millis()
            ));
            None
        }
    };
    let mut known = scan();
    loop {
        let current = now();
        for watch in &mut watches {
            let running = known.values().filter(|seen| seen.is(&watch.settings)).count();
            watch.count(current, u32::try_from(running).unwrap_or(u32::MAX), &reports);
        }
        let due = watches.iter().filter_map(|watch| watch.due).min();
        match &mut events {
            Some(stream) => {
                let next = stream.next();
                let event = match due {
                    Some(due) => timeout_at(due, next).await.ok(),
                    None => Some(next.await),
                };
                match event {
                    None => {}
                    Some(Ok(event)) => apply(&event, &mut known),
                    Some(Err(error)) => {
                        log.info(format_args!("Process events ended ({error}), looking at /proc"));
                        events = None;
                        known = scan();
                    }
                }
            }
            None => {
                let next = current + PERIOD;
                sleep_until(due.map_or(next, |due| due.min(next))).await;
                known = scan();
            }
        }
        for watch in &mut watches {
            watch.fire(now(), &reports);
        }
    }
}

fn apply(event: &ProcessEvent, known: &mut HashMap<u32, Seen>) {
    match event {
        // A fork is the program of its parent, until it executes another.
        ProcessEvent::Fork { child: pid, .. }
        | ProcessEvent::Exec { pid }
        | ProcessEvent::Comm { pid, .. } => match Seen::read(&Path::new("/proc").join(pid.to_string())) {
            Some(seen) => drop(known.insert(*pid, seen)),
            None => drop(known.remove(pid)),
        },
        ProcessEvent::Exit { pid, .. } => drop(known.remove(pid)),
        ProcessEvent::Resync => *known = scan(),
    }
}

/// All processes there are.
fn scan() -> HashMap<u32, Seen> {
    let mut known = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return known };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(seen) = Seen::read(&entry.path()) {
            known.insert(pid, seen);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(process: &str, parameters: &[&str], how: ParameterMatch) -> TrackProcess {
        TrackProcess {
            name: keepalived_conf::model::Name::default(),
            process: process.to_owned(),
            parameters: parameters.iter().map(|&word| word.to_owned()).collect(),
            parameter_match: how,
            full_command: false,
            weight: Default::default(),
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }

    fn seen(command: &[&str]) -> Seen {
        let base = command[0].rsplit('/').next().unwrap();
        Seen {
            name: base.as_bytes()[..base.len().min(15)].to_vec(),
            command: command.iter().map(|word| word.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn names_and_parameters_are_compared_as_said() {
        use ParameterMatch::{Exact, Initial, None, Partial};
        let process = seen(&["/usr/sbin/haproxy", "-f", "a.cfg", "-W"]);
        let cases: &[(&str, &[&str], ParameterMatch, bool)] = &[
            ("haproxy", &[], Exact, true),
            ("/usr/sbin/haproxy", &[], Exact, true),
            ("/sbin/haproxy", &[], Exact, false),
            ("haprox", &[], Exact, false),
            ("haproxy", &["-f", "a.cfg", "-W"], Exact, true),
            ("haproxy", &["-f", "a.cfg"], Exact, false),
            ("haproxy", &["-f", "a.cfg"], Partial, true),
            ("haproxy", &["-f", "a.c"], Partial, false),
            ("haproxy", &["-f", "a.c"], Initial, true),
            ("haproxy", &[], None, false),
        ];
        for (name, parameters, how, expected) in cases {
            assert_eq!(
                process.is(&wanted(name, parameters, *how)),
                *expected,
                "{name} {parameters:?} {how:?}"
            );
        }
        assert!(seen(&["a-name-longer-than-15"]).is(&wanted("a-name-longer-than-15", &[], Exact)));
    }

    #[test]
    fn changes_wait_for_their_delay() {
        let reports = Reports::default();
        let mut settings = wanted("x", &[], ParameterMatch::Exact);
        settings.quorum = 2;
        settings.fork_delay = Duration::from_secs(3);
        settings.terminate_delay = Duration::from_secs(1);
        let mut watch = ProcessWatch::new(0_u8, settings);
        let at = |seconds: u64| Instant::ZERO + Duration::from_secs(seconds);
        let last = || reports.take().map(|report| report.state);
        watch.count(at(0), 1, &reports);
        assert_eq!(last(), Some(TrackState::Down));
        watch.count(at(1), 2, &reports);
        assert_eq!(last(), None);
        watch.fire(at(3), &reports);
        assert_eq!(last(), None);
        watch.fire(at(4), &reports);
        assert_eq!(last(), Some(TrackState::Up));
        watch.count(at(5), 1, &reports);
        watch.count(at(5), 2, &reports);
        watch.fire(at(7), &reports);
        assert_eq!(last(), None, "it came back within the delay");
    }

    #[test]
    fn this_process_is_found() {
        assert!(scan().contains_key(&std::process::id()));
    }
}
