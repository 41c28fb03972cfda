//! Servers that flap, answer slowly or are gone, on a clock that is counted: what their checkers' drivers would see.

use check::checker::script::ScriptEnd;
use check::checker::{Attempt, Failure, Kind, Retry, Settings};
use core::time::Duration;
use proptest::prelude::*;

/// What a server is like from a time on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    /// It answers, after this long.
    Slow(Duration),
    Refusing,
    Silent,
}

const TIMEOUT: Duration = Duration::from_secs(2);
const KINDS: [Kind; 7] = [Kind::Tcp, Kind::Http, Kind::Smtp, Kind::Dns, Kind::Udp, Kind::Ping, Kind::Misc];

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        Just(Mood::Well),
        (1u64..4000).prop_map(|millis| Mood::Slow(Duration::from_millis(millis))),
        Just(Mood::Refusing),
        Just(Mood::Silent),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (proptest::sample::select(&KINDS[..]), 1u64..8, 0u64..4, 0u64..8, 0u32..4, 1u16..4, flags).prop_map(
        |(kind, every, pause, warmup, retry, urls, (alpha, fast_recovery, log_all_failures))| Settings {
            kind,
            delay_loop: Duration::from_secs(every),
            delay_before_retry: Duration::from_secs(pause),
            warmup: Duration::from_secs(warmup),
            retry,
            urls: if kind == Kind::Http { urls } else { 0 },
            alpha,
            fast_recovery,
            log_all_failures,
            dynamic: false,
        },
    )
}

/// How an attempt that begins in this mood ends, and after how long.
fn attempt(kind: Kind, mood: Mood) -> (Attempt, Duration) {
    let (failure, took) = match mood {
        Mood::Well => (None, Duration::from_millis(1)),
        Mood::Slow(answer) if answer < TIMEOUT => (None, answer),
        Mood::Slow(_) | Mood::Silent => (Some(Failure::ReadTimeout), TIMEOUT),
        Mood::Refusing => (Some(Failure::Refused), Duration::ZERO),
    };
    let attempt = match (kind, failure) {
        (Kind::Misc, None) => Attempt::Script(ScriptEnd::Exited(0)),
        (Kind::Misc, Some(Failure::ReadTimeout)) => Attempt::Script(ScriptEnd::TimedOut),
        (Kind::Misc, Some(_)) => Attempt::Script(ScriptEnd::Exited(1)),
        (_, None) => Attempt::Passed,
        (_, Some(failure)) => Attempt::Failed(failure),
    };
    (attempt, took)
}

/// How long a checker may take at most to notice that its server is of another mind for good.
fn patience(settings: &Settings) -> Duration {
    let rounds = u32::from(settings.urls.max(1)) + 2;
    let attempts = (settings.retry + 1) * 2;
    let pause = settings.delay_before_retry.max(settings.delay_loop);
    settings.first_delay(0)
        + settings.warmup
        + (settings.delay_loop + TIMEOUT) * rounds * 2
        + (pause + TIMEOUT) * attempts
}

proptest! {
    #[test]
    fn a_lasting_change_is_noticed_in_time_and_a_short_one_is_ridden_out(
        settings in settings(),
        seed: u64,
        moods in proptest::collection::vec((1u64..40, mood()), 1..12),
        last: bool,
    ) {
        let mut timeline: Vec<(Duration, Mood)> = Vec::new();
        let mut at = Duration::ZERO;
        for (lasts, mood) in moods {
            timeline.push((at, mood));
            at += Duration::from_secs(lasts);
        }
        let settled = at;
        timeline.push((settled, if last { Mood::Well } else { Mood::Silent }));
        let end = settled + patience(&settings);
        let mood_at = |now| timeline.iter().rev().find(|(from, _)| *from <= now).map_or(Mood::Well, |(_, mood)| *mood);

        let mut retry = Retry::new(&settings);
        let mut now = settings.first_delay(seed);
        prop_assert!(now >= Settings::BOOTSTRAP && now <= Settings::BOOTSTRAP + settings.warmup);
        let (mut failed, mut attempts, mut verdicts) = (0, 0u32, 0);
        while now < end {
            let (attempt, took) = attempt(settings.kind, mood_at(now));
            let well = matches!(attempt, Attempt::Passed | Attempt::Script(ScriptEnd::Exited(0)));
            let ran = retry.has_run();
            let step = retry.finish(&settings, attempt, took);
            failed = if well { 0 } else { failed + 1 };
            attempts += 1;
            if let Some(verdict) = step.verdict {
                verdicts += 1;
                prop_assert_eq!(verdict.up, well);
                // A server that has been found well is not given up before all its retries failed.
                prop_assert!(verdict.up || !ran || failed > settings.retry, "{failed}");
            }
            now += took + step.wait;
            prop_assert!(attempts < 10_000, "spins");
        }
        prop_assert!(retry.has_run());
        // Web servers that were down at the start, with alpha, are not said to be down: nobody took them for up.
        prop_assert_eq!(retry.up(), last, "{} attempts, {} verdicts", attempts, verdicts);
    }
}

/// Mail and name servers that are down for a minute, minute by minute for an hour: one verdict each way, no more.
#[test]
fn outages_are_told_once() {
    for kind in KINDS {
        let settings = Settings {
            kind,
            delay_loop: Duration::from_secs(5),
            delay_before_retry: Duration::from_secs(1),
            warmup: Duration::ZERO,
            retry: 3,
            urls: u16::from(kind == Kind::Http),
            alpha: false,
            fast_recovery: false,
            log_all_failures: false,
            dynamic: false,
        };
        let mut retry = Retry::new(&settings);
        let (mut now, mut told) = (settings.first_delay(1), Vec::new());
        while now < Duration::from_secs(3600) {
            let mood = if now.as_secs() / 60 % 2 == 0 { Mood::Well } else { Mood::Silent };
            let (attempt, took) = attempt(kind, mood);
            let step = retry.finish(&settings, attempt, took);
            told.extend(step.verdict.map(|verdict| verdict.up));
            now += took + step.wait;
        }
        assert_eq!(told.len(), 60, "{kind:?}");
        assert!(
            told.iter().step_by(2).all(|up| *up) && told.iter().skip(1).step_by(2).all(|up| !up),
            "{kind:?}"
        );
    }
}
