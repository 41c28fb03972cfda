//! The role at work on loopback, with a table in memory in place of the kernel's.

use super::*;
use director::plane::{Change, Info, PlaneError, Recording, Statistics, SyncDaemon, SyncRole, Timeouts};
use keepalived_conf::{Disk, Unknown, load};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// A table that the test sees, and that can be made to fail.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Faulty>>);

#[derive(Default)]
struct Faulty {
    table: Recording,
    errno: Option<i32>,
}

impl Shared {
    fn call<T>(&self, f: impl FnOnce(&mut Recording) -> Result<T, PlaneError>) -> Result<T, PlaneError> {
        let mut this = self.0.borrow_mut();
        match this.errno {
            Some(errno) => Err(PlaneError::from_errno(errno)),
            None => f(&mut this.table),
        }
    }

    /// The table in ipvsadm's words, destinations sorted.
    fn shown(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, entry) in self.0.borrow().table.current() {
            lines.push(format!("{key} {}", entry.service.scheduler.name()));
            let mut servers: Vec<String> =
                entry.destinations.iter().map(|one| format!("  {} {}", one.key, one.weight)).collect();
            servers.sort();
            lines.extend(servers);
        }
        lines
    }

    fn changes(&self) -> Vec<String> {
        self.0.borrow_mut().table.take_log().iter().map(crate::command::shown).collect()
    }
}

impl DataPlane for Shared {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.call(|table| table.apply(change))
    }
    fn table(&mut self) -> Result<Table, PlaneError> {
        self.call(DataPlane::table)
    }
    fn statistics(&mut self) -> Result<Statistics, PlaneError> {
        self.call(DataPlane::statistics)
    }
    fn flush(&mut self) -> Result<(), PlaneError> {
        self.call(DataPlane::flush)
    }
    fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
        self.call(DataPlane::timeouts)
    }
    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
        self.call(|table| table.set_timeouts(timeouts))
    }
    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
        self.call(|table| table.start_sync(daemon))
    }
    fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError> {
        self.call(|table| table.stop_sync(role, id))
    }
    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
        self.call(DataPlane::sync_daemons)
    }
    fn info(&mut self) -> Result<Info, PlaneError> {
        self.call(DataPlane::info)
    }
}

/// A directory of the test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evenkeel-directord-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn script(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.file(name, &format!("#!/bin/sh\n{content}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> model::Config {
    let options = keepalived_conf::Options { path: path.to_owned(), ..Default::default() };
    let loaded = load(&options, &Disk, &Unknown);
    let errors: Vec<_> = loaded.report.iter().filter(|one| one.severity >= diag::Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    loaded.config
}

/// A role that runs, until it is told to stop.
struct Stage {
    world: Rc<RefCell<World>>,
    table: Shared,
    done: reactor::Task<()>,
    log: PathBuf,
}

impl Stage {
    fn start(place: &Place, config: &str, table: Shared) -> Self {
        let path = place.file("keepalived.conf", config);
        let log_file = place.0.join("log");
        let options = LogOptions { facility: None, file: Some(log_file.clone()), ..Default::default() };
        let log = Rc::new(Log::new(options.clone()));
        let plan = Plan::new(read(&path));
        let world = World::new(plan, Box::new(table.clone()), "host", log.clone(), 7, Parent::default());
        let world = Rc::new(RefCell::new(world));
        World::watch(&world);
        let alarm = Alarm::new().unwrap();
        let mut options = Options::new(options);
        options.reload = Some(Box::new(move || Some(read(&path))));
        let running = world.clone();
        let done = reactor::spawn_task(async move {
            let mut lateness = Lateness::new(&model::Global::default(), &model::Scheduling::default());
            run_loop(&running, &alarm, &mut options, &mut lateness, &log).await;
        });
        Self { world, table, done, log: log_file }
    }

    fn signal(&self, number: i32) {
        self.world.borrow().inputs.put(Input::Signal(number));
    }

    /// Waits until the table is as given.
    async fn shows(&self, wanted: &[&str]) {
        self.until(&format!("{wanted:?}"), || self.table.shown() == wanted).await;
    }

    async fn until(&self, what: &str, mut reached: impl FnMut() -> bool) {
        let deadline = reactor::now() + Duration::from_secs(20);
        while !reached() {
            assert!(reactor::now() < deadline, "never {what}, but {:?}\n{}", self.table.shown(), self.said());
            reactor::sleep_until(reactor::now() + Duration::from_millis(5)).await;
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn stop(self, keep: bool) -> String {
        self.signal(SIGTERM);
        self.done.await;
        self.world.borrow_mut().stop(keep);
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn play<F: Future<Output = ()>>(main: F) {
    reactor::run(reactor::Settings::default(), main).unwrap();
}

fn server() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

const HEAD: &str = "\
virtual_server 10.0.0.1 80 {
  delay_loop 0.05
  retry 1
  delay_before_retry 0.02
  warmup 0
  lb_algo rr
  lb_kind NAT
  protocol TCP
";

fn tcp(port: u16, more: &str) -> String {
    format!("  real_server 127.0.0.1 {port} {{\n {more}\n TCP_CHECK {{\n }}\n }}\n")
}

#[test]
fn a_server_that_dies_leaves_and_comes_back_when_it_returns() {
    let place = Place::new("returns");
    play(async {
        let ((one, one_port), (two, two_port)) = (server(), server());
        let config = format!("{HEAD}{}{}}}\n", tcp(one_port, ""), tcp(two_port, "weight 3"));
        let stage = Stage::start(&place, &config, Shared::default());
        let (service, a, b) = (
            "[10.0.0.1]:tcp:80 rr",
            format!("  127.0.0.1:{one_port} 1"),
            format!("  127.0.0.1:{two_port} 3"),
        );
        let mut both = [a.as_str(), b.as_str()];
        both.sort_unstable();
        stage.shows(&[service, both[0], both[1]]).await;
        drop(two);
        stage.shows(&[service, &a]).await;
        let address = SocketAddr::from(([127, 0, 0, 1], two_port));
        let two = TcpListener::bind(address).unwrap();
        stage.shows(&[service, both[0], both[1]]).await;
        drop((one, two));
        let said = stage.stop(false).await;
        let line = |text: &str| assert!(said.contains(text), "no '{text}' in {said}");
        line(&format!("TCP_CHECK on service [127.0.0.1]:tcp:{two_port} failed"));
        line(&format!("Removing service [127.0.0.1]:tcp:{two_port} from VS [10.0.0.1]:tcp:80"));
        line(&format!("Adding service [127.0.0.1]:tcp:{two_port} to VS [10.0.0.1]:tcp:80"));
        line(&format!("Shutting down service [127.0.0.1]:tcp:{one_port} from VS [10.0.0.1]:tcp:80"));
    });
}

#[test]
fn a_reload_touches_what_it_changes_and_checkers_go_on() {
    let place = Place::new("reload");
    play(async {
        let ((_one, one_port), (_two, two_port)) = (server(), server());
        let config = |weight: u32| {
            let weight = format!("weight {weight}");
            format!("{HEAD}{}{}}}\n", tcp(one_port, ""), tcp(two_port, &weight))
        };
        let table = Shared::default();
        let stage = Stage::start(&place, &config(3), table.clone());
        let checked = || {
            (0..2).all(|number| {
                stage.world.borrow().director.checker(director::CheckerId(number)).unwrap().has_run
            })
        };
        stage.until("checked", checked).await;
        table.changes();
        place.file("keepalived.conf", &config(5));
        stage.signal(SIGHUP);
        stage.until("changed", || table.shown().iter().any(|line| line.ends_with(" 5"))).await;
        let edit = format!("ipvsadm -e -t 10.0.0.1:80 -r 127.0.0.1:{two_port} -m -w 5");
        assert_eq!(table.changes(), [edit]);
        assert!(checked(), "what was found is known after a reload");
        stage.stop(true).await;
        assert_eq!(table.changes(), Vec::<String>::new(), "-I leaves the table");
    });
}

#[test]
fn scripts_that_hang_or_are_missing_do_not_stall_others() {
    let place = Place::new("scripts");
    play(async {
        let (one, one_port) = server();
        let hangs = place.script("hangs", "sleep 1000");
        let told = place.0.join("told");
        let tells = place.script("tells", &format!("echo down >> {}", told.display()));
        let config = format!(
            "global_defs {{\n script_user root\n enable_script_security\n}}\n{HEAD}{}\
             real_server 127.0.0.1 9 {{\n notify_up /nowhere\n MISC_CHECK {{\n misc_path {}\n misc_timeout 1\n }}\n }}\n}}\n",
            tcp(one_port, &format!("notify_down {}", tells.display())),
            hangs.display(),
        );
        let stage = Stage::start(&place, &config, Shared::default());
        let service = "[10.0.0.1]:tcp:80 rr";
        stage
            .until("its first check", || {
                stage.world.borrow().director.checker(director::CheckerId(0)).unwrap().has_run
            })
            .await;
        drop(one);
        // The script that hangs is found out later, or was before.
        stage
            .until("without the one", || !stage.table.shown().contains(&format!("  127.0.0.1:{one_port} 1")))
            .await;
        stage.shows(&[service]).await;
        stage.until("told", || std::fs::read_to_string(&told).is_ok_and(|told| told == "down\n")).await;
        let said = stage.stop(false).await;
        assert!(said.contains("Disabling notify script /nowhere since not found/accessible"), "{said}");
    });
}

#[test]
fn a_table_that_cannot_be_changed_is_made_up_for_later() {
    let place = Place::new("fails");
    play(async {
        let (one, one_port) = server();
        let table = Shared::default();
        table.0.borrow_mut().errno = Some(nix::libc::EPERM);
        let config = format!("{HEAD}{}}}\n", tcp(one_port, ""));
        let stage = Stage::start(&place, &config, table.clone());
        assert_eq!(table.shown(), Vec::<String>::new());
        let failing = stage.world.borrow().keeper.failing().map(str::to_owned);
        assert_eq!(failing.as_deref(), Some("Permission denied (you must be root)"));
        table.0.borrow_mut().errno = None;
        stage.shows(&["[10.0.0.1]:tcp:80 rr", &format!("  127.0.0.1:{one_port} 1")]).await;
        assert_eq!(stage.world.borrow().keeper.failing(), None);
        drop(one);
        stage.stop(false).await;
        assert_eq!(table.shown(), Vec::<String>::new());
    });
}

#[test]
fn the_status_says_what_the_last_check_found() {
    let place = Place::new("status");
    play(async {
        let (one, one_port) = server();
        let config = format!("{HEAD}{}}}\n", tcp(one_port, ""));
        let stage = Stage::start(&place, &config, Shared::default());
        drop(one);
        stage.shows(&["[10.0.0.1]:tcp:80 rr"]).await;
        let status = crate::status::status(&mut stage.world.borrow_mut());
        let server = &status["services"][0]["servers"][0];
        assert_eq!(server["up"], false);
        assert_eq!(server["weight_in_kernel"], serde_json::Value::Null);
        assert_eq!(server["checkers"][0]["kind"], "TCP_CHECK");
        assert_eq!(server["checkers"][0]["has_run"], true);
        assert_ne!(server["checkers"][0]["reason"], "");
        assert_eq!(status["services"][0]["quorum"]["up"], false);
        let shown = crate::status::render_status(&status);
        assert!(shown.contains("quorum DOWN: weight 0, needed 1"), "{shown}");
        stage.stop(false).await;
    });
}

#[test]
fn a_client_is_told_which_server_it_would_get_and_which_are_down() {
    let place = Place::new("explain");
    play(async {
        let ((one, one_port), (two, two_port)) = (server(), server());
        let head = HEAD.replace("lb_algo rr", "lb_algo wlc");
        let config = format!("{head}{}{}}}\n", tcp(one_port, ""), tcp(two_port, ""));
        let stage = Stage::start(&place, &config, Shared::default());
        drop(two);
        stage.shows(&["[10.0.0.1]:tcp:80 wlc", &format!("  127.0.0.1:{one_port} 1")]).await;
        let ask = |service: &str| {
            let request = crate::status::explain_request("192.0.2.1", service);
            let request = serde_json::from_str(&request).unwrap();
            crate::status::explain(&mut stage.world.borrow_mut(), &request)
        };
        let answer = ask("10.0.0.1:80").unwrap();
        assert_eq!(answer["server"], format!("127.0.0.1:{one_port}"));
        let shown = crate::status::render_explain(&answer);
        assert!(shown.contains(&format!("[127.0.0.1]:tcp:{two_port} is down: TCP_CHECK: ")), "{shown}");
        let nothing = ask("10.0.0.1:81").unwrap();
        assert_eq!(crate::status::render_explain(&nothing), "the kernel's table has no such service\n");
        assert!(ask("nothing").is_err());
        drop(one);
        stage.stop(false).await;
    });
}
