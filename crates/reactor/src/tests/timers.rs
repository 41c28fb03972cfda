use super::*;
use crate::{Settings, Timer, run, sleep_until, spawn_task, turn, yield_now};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
    on_reactor(async {
        let start = now();
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [7_u64, 1, 12, 3, 70, 5]
            .into_iter()
            .map(|millis| {
                let order = order.clone();
                spawn_task(async move {
                    let deadline = start + Duration::from_micros(millis * 1_000 + 137);
                    sleep_until(deadline).await;
                    assert!(now() >= deadline);
                    order.borrow_mut().push(millis);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(*order.borrow(), [1, 3, 5, 7, 12, 70]);
        sleep_until(start).await;
    });
}

#[test]
fn a_crowd_that_is_due_together_wakes_over_many_turns() {
    let settings = Settings { timers_per_turn: 4, ..Settings::default() };
    let woken = run(settings, async {
        let (deadline, woken) = (now() + Duration::from_millis(2), Rc::new(RefCell::new(BTreeMap::new())));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let woken = woken.clone();
                spawn_task(async move {
                    sleep_until(deadline).await;
                    *woken.borrow_mut().entry(turn()).or_insert(0) += 1;
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        woken.take()
    });
    let woken = woken.unwrap();
    assert_eq!(woken.values().sum::<i32>(), 50);
    assert!(woken.len() >= 13 && woken.values().all(|count| *count <= 4), "{woken:?}");
}

#[test]
fn a_deadline_can_be_moved_both_ways_while_somebody_waits() {
    on_reactor(async {
        let hour = Duration::from_secs(3_600);
        let timer = Rc::new(Timer::new());
        timer.set(Some(now() + hour));
        let waiting = spawn_task({
            let timer = timer.clone();
            async move { timer.expired().await }
        });
        yield_now().await;
        yield_now().await;
        assert_eq!(held().1, 2, "this one, and the test's own");
        // Earlier.
        timer.set(Some(now() + Duration::from_millis(2)));
        // Later again: only a store; the old tick finds it not due and queues it anew.
        timer.set(Some(now() + hour));
        sleep_until(now() + Duration::from_millis(4)).await;
        assert!(held().1 == 2 && !waiting.is_finished());
        timer.set(Some(now() + Duration::from_millis(1)));
        waiting.await;
        assert!(timer.is_expired());
        assert_eq!(held().1, 1);
        // Removed, and set again while waited for.
        timer.set(None);
        assert_eq!(timer.deadline(), None);
        let waiting = spawn_task({
            let timer = timer.clone();
            async move { timer.expired().await }
        });
        yield_now().await;
        yield_now().await;
        assert!(!waiting.is_finished());
        timer.set(Some(now() + Duration::from_millis(1)));
        waiting.await;
    });
}

#[test]
fn a_removed_deadline_does_not_fire_and_a_dropped_timer_leaves_the_wheel() {
    on_reactor(async {
        let timer = Timer::new();
        timer.set(Some(now() + Duration::from_millis(1)));
        poll_fn(|cx| {
            assert!(timer.poll_expired(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        timer.set(None);
        sleep_until(now() + Duration::from_millis(5)).await;
        assert!(!timer.is_expired());
        let many: Vec<Timer> = (0..100).map(|_| Timer::new()).collect();
        poll_fn(|cx| {
            for timer in &many {
                timer.set(Some(now() + Duration::from_secs(5_000)));
                assert!(timer.poll_expired(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(held().1, 101);
        drop(many);
        assert_eq!(held().1, 1);
    });
}

#[test]
fn a_timeout_lets_the_future_win_when_both_are_ready() {
    on_reactor(async {
        assert_eq!(timeout_at(now(), async { 5 }).await, Ok(5));
        assert_eq!(
            timeout_at(now() + Duration::from_millis(2), std::future::pending::<()>()).await,
            Err(crate::Expired)
        );
    });
}

#[test]
fn the_clocks_go_on_and_stand_still_within_a_turn() {
    on_reactor(async {
        let (first, wall) = (now(), crate::wall());
        assert_eq!((now(), crate::wall()), (first, wall));
        sleep_until(first + Duration::from_millis(3)).await;
        assert!(now() >= first + Duration::from_millis(3));
        assert_eq!(crate::wall().local_offset, wall.local_offset);
    });
    // Outside they are exact.
    assert!(now() <= now());
    assert!(crate::wall().unix_seconds() > 1_700_000_000);
}

#[test]
fn an_alarm_may_be_moved_and_is_never_early() {
    run(Settings::default(), async {
        let alarm = crate::Alarm::new().unwrap();
        let after = |millis| crate::boot_time() + Duration::from_millis(millis);
        // To later, to later again while it waits, to earlier, to one that has passed, away and back.
        for moves in [&[5_u64, 30][..], &[5, 10, 40], &[40, 5], &[30, 0], &[5]] {
            let mut last = crate::boot_time();
            for millis in moves {
                last = after(*millis);
                alarm.set(Some(last)).unwrap();
                crate::yield_now().await;
            }
            alarm.due().await;
            assert!(crate::boot_time() >= last, "{moves:?}");
            alarm.set(None).unwrap();
            let gone = crate::timeout_at(crate::now() + Duration::from_millis(15), alarm.due()).await;
            assert!(gone.is_err(), "{moves:?}: it was removed");
        }
    })
    .unwrap();
}
