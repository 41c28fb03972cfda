use super::*;
use director::plane::{Destination, Forwarding, Protocol, Recording, Scheduler, Service};
use notice::log::LogOptions;
use std::cell::RefCell;
use std::path::Path;

const SECOND: Duration = Duration::from_secs(1);

fn key() -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 }
}

fn server(last: u8, weight: u32) -> Destination {
    Destination::new([10, 0, 0, last].into(), 80, Forwarding::Nat, weight)
}

/// A plane that tests see as well.
struct Seen(Rc<RefCell<Recording>>);

impl DataPlane for Seen {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.0.borrow_mut().apply(change)
    }
    fn table(&mut self) -> Result<Table, PlaneError> {
        self.0.borrow_mut().table()
    }
    fn statistics(&mut self) -> Result<director::plane::Statistics, PlaneError> {
        self.0.borrow_mut().statistics()
    }
    fn flush(&mut self) -> Result<(), PlaneError> {
        self.0.borrow_mut().flush()
    }
    fn timeouts(&mut self) -> Result<director::plane::Timeouts, PlaneError> {
        self.0.borrow_mut().timeouts()
    }
    fn set_timeouts(&mut self, timeouts: &director::plane::Timeouts) -> Result<(), PlaneError> {
        self.0.borrow_mut().set_timeouts(timeouts)
    }
    fn start_sync(&mut self, daemon: &director::plane::SyncDaemon) -> Result<(), PlaneError> {
        self.0.borrow_mut().start_sync(daemon)
    }
    fn stop_sync(&mut self, role: director::plane::SyncRole, id: u8) -> Result<(), PlaneError> {
        self.0.borrow_mut().stop_sync(role, id)
    }
    fn sync_daemons(&mut self) -> Result<Vec<director::plane::SyncDaemon>, PlaneError> {
        self.0.borrow_mut().sync_daemons()
    }
    fn info(&mut self) -> Result<director::plane::Info, PlaneError> {
        self.0.borrow_mut().info()
    }
}

fn keeper(log: &Path) -> (Keeper, Rc<RefCell<Recording>>) {
    let table = Rc::new(RefCell::new(Recording::new()));
    let options = LogOptions { facility: None, file: Some(log.to_owned()), ..LogOptions::default() };
    let keeper = Keeper::new(Box::new(Seen(table.clone())), Rc::new(Log::new(options)));
    (keeper, table)
}

fn log_file(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("evenkeel-table-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn what_is_there_already_is_edited_and_what_is_gone_is_no_failure() {
    let log = log_file("there");
    let (mut keeper, table) = keeper(&log);
    let service = Service::new(key(), Scheduler::RoundRobin);
    table.borrow_mut().apply(&Change::AddService(service.clone())).unwrap();
    let now = Instant::from_nanos(1);
    let wanted = Service { persistence: Some(50), ..service };
    keeper.apply(
        &[
            Change::AddService(wanted.clone()),
            Change::AddDestination(key(), server(2, 1)),
            Change::RemoveDestination(key(), server(3, 1).key),
        ],
        now,
    );
    let table = table.borrow();
    let entry = table.current().get(&key()).unwrap();
    assert_eq!((&entry.service, entry.destinations.as_slice()), (&wanted, [server(2, 1)].as_slice()));
    assert_eq!(keeper.failing(), None);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("IP_VS_SO_SET_ADD(1154) error: Service already exists(17)"), "{said}");
    assert!(said.contains("IP_VS_SO_SET_DELDEST(1160) error: No such destination(2)"), "{said}");
    let _ = std::fs::remove_file(&log);
}

#[test]
fn a_change_that_is_refused_keeps_no_other_waiting_and_is_said_once() {
    let log = log_file("refused");
    let (mut keeper, table) = keeper(&log);
    let now = Instant::from_nanos(1);
    let bad = Change::AddService(Service::new(key(), Scheduler::Other("none".to_owned())));
    let mark = ServiceKey::Mark { family: director::plane::Family::V4, mark: 3 };
    let good = Change::AddService(Service::new(mark, Scheduler::RoundRobin));
    keeper.apply(&[bad.clone(), good], now);
    assert!(table.borrow().current().contains_key(&mark));
    assert!(keeper.failing().unwrap().contains("Scheduler or persistence engine not found"));
    let mut at = now;
    for _ in 0..4 {
        at = keeper.poll_timeout().unwrap();
        let look = keeper.look(at).unwrap();
        keeper.repair(vec![bad.clone()], look.made_up, at);
    }
    assert!(at > now + SECOND * 6, "less and less often");
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("not found").count(), 1, "{said}");
    assert!(!said.contains("somebody else"), "{said}");
    let _ = std::fs::remove_file(&log);
}

#[test]
fn what_somebody_else_changes_is_put_right_a_few_times() {
    let log = log_file("guard");
    let (mut keeper, table) = keeper(&log);
    let now = Instant::from_nanos(1);
    keeper.first_table(now);
    keeper.apply(
        &[
            Change::AddService(Service::new(key(), Scheduler::RoundRobin)),
            Change::AddDestination(key(), server(2, 1)),
        ],
        now,
    );
    assert!(keeper.look(now + SECOND).is_none(), "not all the time");
    for round in 1..6_u64 {
        table.borrow_mut().apply(&Change::EditDestination(key(), server(2, 9))).unwrap();
        let at = keeper.poll_timeout().unwrap();
        let look = keeper.look(at).unwrap();
        assert!(!look.made_up);
        keeper.repair(vec![Change::EditDestination(key(), server(2, 1))], false, at);
        let weight = table.borrow().current()[&key()].destinations[0].weight;
        assert_eq!(weight, if round <= 3 { 1 } else { 9 }, "round {round}");
    }
    assert_eq!(keeper.counts().repairs, 3);
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("somebody else").count(), 3, "{said}");
    assert!(said.contains("for the last time: ipvsadm -e -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1"), "{said}");
    // Whatever the core wants anew is another matter.
    keeper.apply(&[Change::EditDestination(key(), server(2, 4))], now);
    assert_eq!(table.borrow().current()[&key()].destinations[0].weight, 4);
    let _ = std::fs::remove_file(&log);
}
