//! One history from a seed, and what must hold in it.

use crate::scenario::{self, Plan};
use crate::world::World;
use std::net::IpAddr;
use std::time::Duration;
use vrrp::{Authentication, RouterId, State, TrackState};

/// What a history came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Hosts there were.
    pub hosts: usize,
    /// Changes of state there were.
    pub changes: usize,
    /// Takeovers that were measured.
    pub takeovers: usize,
}

/// Packets need so long at most on a healthy segment, and processes notice their timers so late; with room for drift.
const SLACK: Duration = Duration::from_millis(5);

/// Lets the history of a seed happen.
///
/// # Errors
/// The invariant that did not hold, with the last part of the history.
pub fn run(seed: u64) -> Result<Outcome, String> {
    let mut world = World::new(seed);
    let result = history(&mut world);
    let outcome = Outcome { hosts: world.hosts.len(), changes: world.changes.len(), ..Outcome::default() };
    match (world.broken.take(), result) {
        (Some(broken), _) | (None, Err(broken)) => {
            Err(format!("seed {seed}: {broken}\n{}seed {seed}: {broken}", world.history()))
        }
        (None, Ok(takeovers)) => Ok(Outcome { takeovers, ..outcome }),
    }
}

fn history(world: &mut World) -> Result<usize, String> {
    let mut plan = Plan::draw(&mut world.chance);
    world.note(|| format!("{plan:#?}"));
    scenario::build(world, &plan);
    for host in 0..plan.hosts {
        let wait = world.chance.time(Duration::ZERO, plan.slowest());
        world.run(wait);
        world.start(host);
    }
    for _ in 0..6 + world.chance.below(20) {
        let wait = world.chance.time(Duration::ZERO, plan.slowest() * 5);
        world.run(wait);
        scenario::misfortune(world, &mut plan);
    }
    heal(world, &plan);
    let alone: Vec<_> = (0..plan.routers.len()).map(|router| world.masters(router)).collect();
    world.run(settling(&plan));
    agreed(world, &plan, &alone)?;
    let mut takeovers = 0;
    for (end, how) in [(Ending::Death, "died"), (Ending::Stop, "stopped"), (Ending::Kill, "was killed")] {
        let router = world.chance.below(plan.routers.len());
        takeovers += usize::from(takeover(world, &plan, router, end, how)?);
        for host in 0..plan.hosts {
            world.start(host);
        }
        world.run(settling(&plan));
        agreed(world, &plan, &[])?;
    }
    Ok(takeovers)
}

/// Everything runs again; what scripts say stays as it is for most.
fn heal(world: &mut World, plan: &Plan) {
    world.note(|| "all is well again".to_owned());
    world.segments.iter_mut().for_each(crate::segment::Segment::heal);
    for host in 0..plan.hosts {
        world.resume(host);
        world.start(host);
        for link in 0..plan.segments {
            world.plug(host, link, true);
        }
        if world.chance.odds(2, 3) {
            world.track(host, 0, TrackState::Up);
        }
    }
}

/// How long a healthy network needs until nothing changes any more: an advert that is due, the master-down interval,
/// `preempt_delay`, a second round for what that set off, and the announcements that are repeated after 5 s.
fn settling(plan: &Plan) -> Duration {
    (plan.slowest() * 5 + plan.longest_delay()) * 2 + Duration::from_secs(7)
}

/// Hosts that can be Master of a virtual router, with the priority they advertise.
fn eligible(world: &World, router: usize) -> Vec<(usize, u8)> {
    let priority = |host: usize| {
        let status = world.hosts[host].process.as_ref()?.status(RouterId(router as u32))?;
        (status.state != State::Fault).then_some((host, status.effective_priority))
    };
    (0..world.hosts.len()).filter_map(priority).collect()
}

/// On healthy segments each virtual router has its one Master, and neighbours know where it is. They need not know of one
/// that was the only one (`alone`) before the segment was healthy: what it said may have been lost.
fn agreed(world: &mut World, plan: &Plan, alone: &[Vec<usize>]) -> Result<(), String> {
    for (number, router) in plan.routers.iter().enumerate() {
        let eligible = eligible(world, number);
        let masters = world.masters(number);
        let [master] = masters.as_slice() else {
            return match (masters.len(), eligible.len()) {
                (0, 0) => continue,
                _ => Err(format!("router {number}: the Masters are {masters:?} of {eligible:?}")),
            };
        };
        let best = eligible.iter().map(|(_, priority)| *priority).max().unwrap_or(0);
        let own = eligible.iter().find(|(host, _)| host == master).map_or(0, |(_, priority)| *priority);
        if !router.nopreempt && own < best {
            return Err(format!("router {number}: host {master} is Master with {own}, of {eligible:?}"));
        }
        if alone.get(number) == Some(&masters) {
            continue;
        }
        for (link, address) in world.hosts[*master].addresses_of(RouterId(number as u32)) {
            check_cache(world, router.segment, link.index(), address, *master)?;
        }
    }
    Ok(())
}

fn check_cache(
    world: &World,
    segment: usize,
    link: usize,
    address: IpAddr,
    master: usize,
) -> Result<(), String> {
    debug_assert_eq!(segment, link, "each host has its n-th interface on the n-th segment");
    match world.segments[segment].cache.get(&address) {
        Some(host) if *host == master => Ok(()),
        other => Err(format!("{address} is on host {master}, but neighbours send it to {other:?}")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Death,
    Stop,
    Kill,
}

/// Ends a Master, and looks at how long nobody is.
fn takeover(world: &mut World, plan: &Plan, router: usize, end: Ending, how: &str) -> Result<bool, String> {
    let Some(master) = world.masters(router).first().copied() else { return Ok(false) };
    let wait = world.chance.time(Duration::ZERO, plan.routers[router].interval);
    world.run(wait);
    world.forget();
    let backups: Vec<_> = eligible(world, router).into_iter().filter(|(host, _)| *host != master).collect();
    let ended = world.now;
    let seen = world.changes.len();
    match end {
        Ending::Death => world.die(master),
        Ending::Stop => world.stop(master),
        Ending::Kill => world.kill(master),
    }
    let Some(best) = backups.iter().map(|(_, priority)| *priority).max() else { return Ok(false) };
    let interval = plan.routers[router].interval;
    let unit = match plan.routers[router].version {
        vrrp::Version::V2 => Duration::from_secs(1),
        vrrp::Version::V3 => interval,
    };
    let skew = unit * (256 - u32::from(best)) / 256;
    let bound = if end == Ending::Death { interval * 3 + skew } else { skew };
    let bound = bound + bound / 1000 + SLACK;
    world.run(bound + interval * 4);
    let entered =
        world.changes[seen..].iter().find(|change| change.router == router && change.to == State::Master);
    match entered {
        Some(change) if change.at - ended <= bound => {}
        Some(change) => {
            let took = change.at - ended;
            return Err(format!(
                "host {master} {how}; router {router} was taken over after {took:?}, not {bound:?}"
            ));
        }
        None => return Err(format!("host {master} {how}; router {router} was not taken over")),
    }
    // keepalived's authentication header has one sequence for all senders: of two adverts at the same time one is taken for
    // a replay, and two Masters of one priority need a few intervals to hear each other.
    let replays = plan.routers.iter().any(|router| matches!(router.authentication, Authentication::Ah(_)));
    if world.longest_double > SLACK + if replays { plan.slowest() * 4 } else { Duration::ZERO } {
        return Err(format!("host {master} {how}; there were two Masters for {:?}", world.longest_double));
    }
    Ok(true)
}
