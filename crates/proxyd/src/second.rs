//! What a worker's last second was like, measured once a second so that requests need not count it.

use crate::worker::Worker;
use ek_time::Duration;
use reactor::Timer;
use std::rc::Rc;

const PERIOD: Duration = Duration::from_secs(1);

/// Measures for as long as the thread's reactor runs.
pub async fn measure(worker: Rc<Worker>) {
    let (counters, timer) = (worker.counters(), Timer::new());
    let sent = || counters.frontends.iter().map(|frontend| frontend.bytes_out.get()).sum::<u64>();
    let (mut then, mut busy, mut out) = (reactor::now(), reactor::cpu_time(), sent());
    loop {
        timer.set(Some(then + PERIOD));
        timer.expired().await;
        let (now, used, total) = (reactor::now(), reactor::cpu_time(), sent());
        let elapsed = now.since(then).as_micros().max(1);
        let worked = used.saturating_sub(busy).as_micros().min(elapsed);
        let share = |part: u128, of: u128| u64::try_from(part / of).unwrap_or(u64::MAX);
        let second = &counters.second;
        second.idle.set(share((elapsed - worked) * 1_000, elapsed));
        second.bytes_out.set(share(u128::from(total.wrapping_sub(out)) * 1_000_000, elapsed));
        let (pipes, idle) = reactor::count_pipes();
        second.pipes_used.set(pipes.saturating_sub(idle) as u64);
        second.pipes_free.set(idle as u64);
        (then, busy, out) = (now, used, total);
    }
}
