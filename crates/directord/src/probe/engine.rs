//! When attempts begin, and what follows from their end.

use super::file::FileCheck;
use super::plan::{Checker, Context, Maker, Target};
use super::{Shared, Verdict, WeightChange, datagram, file, link, mail, web};
use crate::plan::{CheckerId, CheckerPlan};
use check::checker::{Attempt, Failure, Obstacle, Retry, Step};
use ek_time::{Duration, Instant};
use nix::time::{ClockId, clock_gettime};
use reactor::{Task, Timer, now};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was made; with words for people where they say more than the outcome does.
    Attempt(Attempt, Option<String>),
    /// It could not be begun for a reason that says nothing of the server; with a line for the log that goes before.
    PutOff(Obstacle, Option<String>),
    /// This process has no descriptor or memory for it.
    Shortage,
}

impl Ended {
    pub(super) fn passed() -> Self {
        Self::Attempt(Attempt::Passed, None)
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self::Attempt(Attempt::Failed(failure), None)
    }

    /// It failed, and this says more about it.
    pub(super) fn because(failure: Failure, detail: String) -> Self {
        Self::Attempt(Attempt::Failed(failure), Some(detail))
    }
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Attempts that have ended.
    pub attempts: u64,
    /// Attempts that go on.
    pub running: usize,
    /// Attempts that were due and wait, because there are too few descriptors.
    pub waiting: usize,
    /// How often one could not be begun for want of descriptors or memory.
    pub shortages: u64,
}

/// Attempts begun before others have their turn.
const BURST: usize = 32;
/// Descriptors that are not for attempts: logs, netlink, signals, status.
const RESERVED: u64 = 64;
/// How long nothing is begun when descriptors ran out, unless an attempt ends before.
const REST: Duration = Duration::from_millis(100);
/// The shortest time between two lines about a shortage.
const QUIET: Duration = Duration::from_secs(60);

/// An attempt that goes on.
#[derive(Debug)]
struct Running {
    began: Instant,
    /// Its checker's number, which a reload may change.
    number: Rc<Cell<u32>>,
    _task: Task<()>,
}

#[derive(Debug)]
enum State {
    /// It waits for its time, with a place in the heap.
    Idle,
    Running(Running),
    Suspended,
    /// It has no attempts.
    Still,
}

#[derive(Debug)]
struct Entry {
    checker: Checker,
    retry: Retry,
    state: State,
    /// When its next attempt is due, or the present one was.
    due: Instant,
}

/// Bytes of a checker that waits.
#[cfg(test)]
pub(super) const ENTRY: usize = size_of::<Option<Entry>>();

pub(super) struct Engine {
    context: RefCell<Rc<Context>>,
    /// By number.
    entries: RefCell<Vec<Option<Entry>>>,
    /// Those that wait, by time. One that is not [`State::Idle`] with that very time is out of date.
    heap: RefCell<BinaryHeap<Reverse<(Instant, u32)>>>,
    maker: RefCell<Maker>,
    running: Cell<usize>,
    limit: Cell<usize>,
    attempts: Cell<u64>,
    shortages: Cell<u64>,
    told: Cell<Option<Instant>>,
    /// Attempts are due that could not be begun; the end of another is news.
    blocked: Cell<bool>,
    rest_until: Cell<Instant>,
    timer: Timer,
    waker: Cell<Option<Waker>>,
    woken: Cell<bool>,
    /// The files that are watched are no longer the right ones.
    files_changed: Cell<bool>,
    files: RefCell<Option<Task<()>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn new(shared: Shared) -> Rc<Self> {
        let engine = Self {
            context: RefCell::new(Rc::new(Context::new(shared))),
            entries: RefCell::default(),
            heap: RefCell::default(),
            maker: RefCell::default(),
            running: Cell::new(0),
            limit: Cell::new(0),
            attempts: Cell::new(0),
            shortages: Cell::new(0),
            told: Cell::new(None),
            blocked: Cell::new(false),
            rest_until: Cell::new(Instant::ZERO),
            timer: Timer::new(),
            waker: Cell::new(None),
            woken: Cell::new(false),
            files_changed: Cell::new(false),
            files: RefCell::default(),
        };
        engine.make_room(0);
        Rc::new(engine)
    }

    pub(super) fn counters(&self) -> Counters {
        let now = now();
        let late = |entry: &&Entry| matches!(entry.state, State::Idle) && entry.due <= now;
        Counters {
            attempts: self.attempts.get(),
            running: self.running.get(),
            waiting: if self.blocked.get() {
                self.entries.borrow().iter().flatten().filter(late).count()
            } else {
                0
            },
            shortages: self.shortages.get(),
        }
    }

    /// Sees to it that there may be a descriptor for each of `checkers`, if this process is allowed so many.
    fn make_room(&self, checkers: usize) {
        let wanted = RESERVED.saturating_add(checkers as u64);
        let soft = match reactor::process::open_files() {
            Ok((soft, _)) if soft >= wanted => soft,
            _ => reactor::process::raise_open_files(wanted.next_power_of_two()).unwrap_or(wanted),
        };
        let room = soft.saturating_sub(RESERVED).max(RESERVED / 4);
        self.limit.set(usize::try_from(room).unwrap_or(usize::MAX));
    }

    pub(super) fn start(&self, plan: CheckerPlan) {
        let context = self.context.borrow().clone();
        let checker = self.maker.borrow_mut().make(&context, &plan);
        let retry = Retry::new(&checker.settings);
        let entry = self.enter(&context, &plan, checker, retry);
        let number = plan.id.0;
        let index = number as usize;
        let (old, count) = {
            let mut entries = self.entries.borrow_mut();
            if index >= entries.len() {
                entries.resize_with(index + 1, || None);
            }
            let place = entries.get_mut(index);
            (place.and_then(|place| place.replace(entry)), entries.len())
        };
        self.forget(old);
        if count as u64 + RESERVED > self.limit.get() as u64 {
            self.make_room(count);
        }
        self.queue(number);
    }

    /// A new entry, which waits for its first attempt; one that has none says so.
    fn enter(&self, context: &Context, plan: &CheckerPlan, checker: Checker, retry: Retry) -> Entry {
        let state = match &checker.target {
            Target::File { .. } => {
                self.files_changed.set(true);
                self.wake();
                State::Still
            }
            Target::Nothing => {
                context.shared.verdicts.put((
                    plan.id,
                    Verdict {
                        up: true,
                        changed: !retry.up(),
                        weight: None,
                        mail: None,
                        reason: "it cannot be checked".to_owned(),
                    },
                ));
                State::Still
            }
            _ => State::Idle,
        };
        let seed = context.shared.seed ^ u64::from(plan.id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let due = now() + checker.settings.first_delay(seed);
        Entry { checker, retry, state, due }
    }

    pub(super) fn reload(&self, shared: Shared, plans: Vec<(CheckerPlan, Option<CheckerId>)>) {
        let context = Rc::new(Context::new(shared));
        *self.context.borrow_mut() = context.clone();
        let mut maker = Maker::default();
        let mut old = std::mem::take(&mut *self.entries.borrow_mut());
        self.heap.borrow_mut().clear();
        let count = plans.iter().map(|(plan, _)| plan.id.0 as usize + 1).max().unwrap_or(0);
        let mut entries = Vec::new();
        entries.resize_with(count, || None);
        self.files_changed.set(true);
        for (plan, before) in plans {
            let checker = maker.make(&context, &plan);
            let kept = before.and_then(|before| old.get_mut(before.0 as usize)).and_then(Option::take);
            let entry = match kept {
                Some(mut entry) => {
                    entry.retry = entry.retry.kept(&checker.settings);
                    entry.checker = checker;
                    if let State::Running(running) = &entry.state {
                        running.number.set(plan.id.0);
                    }
                    entry
                }
                None => {
                    let retry = Retry::added();
                    self.enter(&context, &plan, checker, retry)
                }
            };
            if let Some(place) = entries.get_mut(plan.id.0 as usize) {
                *place = Some(entry);
            }
        }
        *self.maker.borrow_mut() = maker;
        *self.entries.borrow_mut() = entries;
        for entry in old {
            self.forget(entry);
        }
        self.make_room(count);
        for number in 0..count as u32 {
            self.queue(number);
        }
        self.wake();
    }

    /// Ends a checker: what is under way is given up.
    fn forget(&self, entry: Option<Entry>) {
        if let Some(Entry { state: State::Running(_), .. }) = entry {
            self.left();
        }
    }

    pub(super) fn clear(&self) {
        let entries = std::mem::take(&mut *self.entries.borrow_mut());
        self.heap.borrow_mut().clear();
        self.files.borrow_mut().take();
        for entry in entries {
            self.forget(entry);
        }
    }

    pub(super) fn suspend(&self, checker: CheckerId) {
        let before = {
            let mut entries = self.entries.borrow_mut();
            match entries.get_mut(checker.0 as usize) {
                Some(Some(entry)) if !matches!(entry.state, State::Still) => {
                    Some(std::mem::replace(&mut entry.state, State::Suspended))
                }
                _ => None,
            }
        };
        if let Some(State::Running(_)) = before {
            self.left();
        }
    }

    pub(super) fn resume(&self, checker: CheckerId) {
        if let Some(Some(entry)) = self.entries.borrow_mut().get_mut(checker.0 as usize)
            && matches!(entry.state, State::Suspended)
        {
            entry.state = State::Idle;
            let pace = entry.checker.settings.delay_loop.as_nanos().max(1);
            let missed = now().since(entry.due).as_nanos();
            if missed > 0 {
                // Those that were spread over the interval stay so.
                let wait = pace - missed % pace;
                entry.due = now() + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
            }
        }
        self.queue(checker.0);
    }

    /// Puts a checker that waits into the heap.
    fn queue(&self, number: u32) {
        let due = match self.entries.borrow().get(number as usize) {
            Some(Some(Entry { state: State::Idle, due, .. })) => *due,
            _ => return,
        };
        self.heap.borrow_mut().push(Reverse((due, number)));
        if self.timer.deadline().is_none_or(|deadline| due < deadline) {
            self.wake();
        }
    }

    fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// An attempt is no more, and so its descriptor.
    fn left(&self) {
        self.running.set(self.running.get().saturating_sub(1));
        if self.blocked.replace(false) {
            self.rest_until.set(Instant::ZERO);
            self.wake();
        }
    }

    /// Begins what is due, for ever.
    pub(super) async fn turns(self: Rc<Self>) {
        loop {
            if self.files_changed.replace(false) {
                self.watch_files();
            }
            if self.begin_due() {
                reactor::yield_now().await;
                continue;
            }
            poll_fn(|cx| self.poll_turn(cx)).await;
        }
    }

    fn poll_turn(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.woken.replace(false) {
            return Poll::Ready(());
        }
        self.waker.set(Some(cx.waker().clone()));
        let next = if !self.blocked.get() {
            self.heap.borrow().peek().map(|Reverse((due, _))| *due)
        } else if self.running.get() < self.limit.get() {
            Some(self.rest_until.get())
        } else {
            // The end of an attempt wakes it.
            None
        };
        self.timer.set(next);
        self.timer.poll_expired(cx)
    }

    /// Begins some of what is due; whether there is more that can be begun now.
    fn begin_due(self: &Rc<Self>) -> bool {
        let now = now();
        for _ in 0..BURST {
            let Some(number) = self.next_due(now) else {
                self.blocked.set(false);
                return false;
            };
            if self.running.get() >= self.limit.get() || now < self.rest_until.get() {
                self.wait_for_room(now);
                return false;
            }
            self.heap.borrow_mut().pop();
            self.begin(number, now);
        }
        true
    }

    /// The checker whose time came first. What is out of date is taken out of the heap.
    fn next_due(&self, now: Instant) -> Option<u32> {
        let entries = self.entries.borrow();
        let mut heap = self.heap.borrow_mut();
        loop {
            let &Reverse((due, number)) = heap.peek()?;
            if due > now {
                return None;
            }
            match entries.get(number as usize) {
                Some(Some(entry)) if matches!(entry.state, State::Idle) && entry.due == due => {
                    return Some(number);
                }
                _ => heap.pop(),
            };
        }
    }

    fn wait_for_room(&self, now: Instant) {
        self.blocked.set(true);
        if self.told.get().is_none_or(|told| now.since(told) >= QUIET) {
            self.told.set(Some(now));
            let Counters { running, waiting, shortages, .. } = self.counters();
            self.context.borrow().shared.log.warning(format_args!(
                "Too few descriptors: {waiting} checks wait for {running} that run (refused {shortages} times); \
                 no server is taken for down by that"
            ));
        }
    }

    fn begin(self: &Rc<Self>, number: u32, now: Instant) {
        let mut entries = self.entries.borrow_mut();
        let Some(Some(entry)) = entries.get_mut(number as usize) else { return };
        let to = entry.checker.destination;
        let cell = Rc::new(Cell::new(number));
        let context = self.context.borrow().clone();
        let task = match entry.checker.target.clone() {
            // The many: nothing that others need is in their task.
            Target::Tcp(link) => {
                let (engine, cell) = (self.clone(), cell.clone());
                reactor::spawn_task(async move { engine.finished(&cell, link::check(&link, to).await) })
            }
            Target::Web(link, web) => {
                let url = entry.retry.url();
                self.attempt(&cell, async move { web::check(&link, to, &web, url).await })
            }
            Target::Mail(link, name) => {
                self.attempt(&cell, async move { mail::check(&link, to, &name).await })
            }
            Target::Dns(link, query) => {
                self.attempt(&cell, async move { datagram::dns(&link, to, &query, &context).await })
            }
            Target::Udp(link, pattern) => {
                self.attempt(&cell, async move { datagram::udp(&link, to, &pattern).await })
            }
            Target::Ping(link) => {
                self.attempt(&cell, async move { datagram::ping(&link, to, &context).await })
            }
            Target::Script(script) => self.attempt(&cell, async move { script.check().await }),
            Target::File { .. } | Target::Nothing => return,
        };
        entry.state = State::Running(Running { began: now, number: cell, _task: task });
        self.running.set(self.running.get() + 1);
    }

    fn attempt(
        self: &Rc<Self>,
        cell: &Rc<Cell<u32>>,
        attempt: impl Future<Output = Ended> + 'static,
    ) -> Task<()> {
        let (engine, cell) = (self.clone(), cell.clone());
        reactor::spawn_task(async move { engine.finished(&cell, attempt.await) })
    }

    /// An attempt ended.
    fn finished(&self, number: &Cell<u32>, ended: Ended) {
        let number = number.get();
        let context = self.context.borrow().clone();
        // The exact time, not that of this turn: after many others' attempts it may be long ago, and the next would be early.
        let now = monotonic();
        let message = {
            let mut entries = self.entries.borrow_mut();
            let Some(Some(entry)) = entries.get_mut(number as usize) else { return };
            let State::Running(running) = std::mem::replace(&mut entry.state, State::Idle) else { return };
            entry.conclude(&context, ended, now, now.since(running.began))
        };
        match message {
            Some(message) => {
                self.attempts.set(self.attempts.get() + 1);
                if let Some(verdict) = message {
                    context.shared.verdicts.put((CheckerId(number), verdict));
                }
                self.left();
            }
            None => {
                self.left();
                self.shortages.set(self.shortages.get() + 1);
                self.rest_until.set(now + REST);
            }
        }
        self.queue(number);
    }

    /// Watches the files of `FILE_CHECK`s instead of those that were watched before.
    fn watch_files(self: &Rc<Self>) {
        let context = self.context.borrow().clone();
        let mut checks = Vec::new();
        for (number, entry) in self.entries.borrow().iter().enumerate() {
            if let Some(Entry {
                checker: Checker { target: Target::File { name, weight, reverse, real }, .. },
                ..
            }) = entry
                && let Ok(number) = u32::try_from(number)
                && let Some(file) = context.shared.files.iter().find(|file| file.name.text == **name)
            {
                checks.push(FileCheck::new(CheckerId(number), file, *weight, *reverse, real.clone()));
            }
        }
        let task = (!checks.is_empty()).then(|| reactor::spawn_task(file::watch(context, checks)));
        *self.files.borrow_mut() = task;
    }
}

impl Entry {
    /// What follows from the end of an attempt that took so long; the outer `None`: nothing, it is to be made again.
    fn conclude(
        &mut self,
        context: &Context,
        ended: Ended,
        now: Instant,
        took: Duration,
    ) -> Option<Option<Verdict>> {
        let log = &context.shared.log;
        let settings = self.checker.settings.clone();
        let (step, detail) = match ended {
            Ended::Attempt(attempt, detail) => {
                let detail = detail.or_else(|| reason(&attempt));
                (self.retry.finish(&settings, attempt, took), detail)
            }
            Ended::PutOff(obstacle, line) => {
                if let Some(line) = line {
                    log.info(line);
                }
                (self.retry.put_off(&settings, obstacle), None)
            }
            Ended::Shortage => return None,
        };
        let names = self.checker.names();
        let Step { weight, lines, verdict, wait } = step;
        for line in lines.iter().flatten() {
            log.info(line.display(&names));
        }
        self.due = now + wait;
        if weight.is_none() && verdict.is_none() {
            return Some(None);
        }
        Some(Some(Verdict {
            up: verdict.map_or(self.retry.up(), |verdict| verdict.up),
            changed: verdict.is_some_and(|verdict| verdict.changed),
            weight: weight.map(WeightChange::Script),
            mail: verdict.and_then(|verdict| verdict.mail).map(|mail| mail.display(&names).to_string()),
            reason: detail.unwrap_or_default(),
        }))
    }
}

/// The clock that the reactor reads once per turn.
fn monotonic() -> Instant {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(time) => Instant::ZERO + Duration::from(time),
        Err(_) => now(),
    }
}

/// Why an attempt ended as it did, for people.
fn reason(attempt: &Attempt) -> Option<String> {
    match attempt {
        Attempt::Passed | Attempt::Page { result: Ok(_), .. } => Some("passed".to_owned()),
        Attempt::Failed(failure) | Attempt::Page { result: Err(failure), .. } => Some(failure.to_string()),
        Attempt::Script(_) => None,
    }
}
