use super::*;
use crate::{Timer, remote, spawn, spawn_task, turn, yield_now};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

#[test]
fn a_task_runs_twice_per_turn_at_most_however_often_it_is_woken() {
    on_reactor(async {
        let polls = Rc::new(RefCell::new(Vec::new()));
        let waker = Rc::new(RefCell::new(None::<Waker>));
        let (seen, own) = (polls.clone(), waker.clone());
        spawn(poll_fn(move |cx| {
            seen.borrow_mut().push(turn());
            *own.borrow_mut() = Some(cx.waker().clone());
            if seen.borrow().len() < 5 {
                // Woken while running, many times.
                (0..10).for_each(|_| cx.waker().wake_by_ref());
                return Poll::Pending;
            }
            if seen.borrow().len() == 6 { Poll::Ready(()) } else { Poll::Pending }
        }));
        while polls.borrow().len() < 5 {
            yield_now().await;
        }
        let woken = waker.borrow().clone().unwrap();
        (0..10).for_each(|_| woken.wake_by_ref());
        while polls.borrow().len() < 6 {
            yield_now().await;
        }
        let turns = polls.borrow().clone();
        assert!(turns.windows(3).all(|runs| runs[0] < runs[2]), "{turns:?}");
        yield_now().await;
        woken.wake_by_ref();
        yield_now().await;
        assert_eq!(polls.borrow().len(), 6, "a finished task is not polled");
    });
}

#[test]
fn busy_tasks_starve_neither_epoll_nor_timers() {
    let settings = Settings { events_per_turn: 1, tasks_per_turn: 3, ..Settings::default() };
    run(settings, async {
        let stop = Rc::new(Cell::new(false));
        for _ in 0..50 {
            let stop = stop.clone();
            spawn(async move {
                while !stop.get() {
                    yield_now().await;
                }
            });
        }
        let (one, other) = tcp_pair().await;
        let writer = spawn_task(async move {
            other.try_write(b"x").unwrap();
            other
        });
        assert_eq!(read(&one, &mut [0; 8]).await.unwrap(), 1);
        crate::sleep_until(now() + Duration::from_millis(3)).await;
        stop.set(true);
        drop(writer.await);
    })
    .unwrap();
}

#[test]
fn output_cancellation_and_detachment() {
    on_reactor(async {
        assert_eq!(spawn_task(async { 7 }).await, 7);

        struct Told(Rc<Cell<u32>>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let dropped = Rc::new(Cell::new(0));
        let told = Told(dropped.clone());
        let task = spawn_task(async move {
            let _told = told;
            pending::<()>().await;
        });
        yield_now().await;
        assert!(!task.is_finished());
        drop(task);
        yield_now().await;
        assert_eq!(dropped.get(), 1);

        let ran = Rc::new(Cell::new(false));
        let flag = ran.clone();
        spawn_task(async move { flag.set(true) }).detach();
        yield_now().await;
        assert!(ran.get());
        assert_eq!(held().2, 0);
    });
}

#[test]
fn a_panic_ends_its_task_only() {
    on_reactor(async {
        spawn(async { panic!("expected by the test") });
        let task = spawn_task(async { panic!("expected by the test, too") });
        let joined = spawn_task(async move {
            let () = task.await;
        });
        yield_now().await;
        yield_now().await;
        yield_now().await;
        assert!(joined.is_finished());
        assert_eq!(spawn_task(async { 1 }).await, 1);
    });
}

#[test]
fn the_end_drops_every_task_while_the_reactor_is_still_there() {
    /// Touches the reactor from its destructor in every way there is.
    struct Last(Rc<Cell<u32>>, Timer, Option<Stream>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            self.1.set(Some(now()));
            spawn(pending());
            spawn(async { unreachable!("nothing starts while the reactor ends") });
            let _ = remote().run(|| unreachable!("nor is anything called"));
            drop(self.2.take());
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let wakers = on_reactor(async {
        let wakers = Rc::new(RefCell::new(Vec::new()));
        for n in 0..10 {
            let (one, _other) = Stream::pair().unwrap();
            let last = Last(dropped.clone(), Timer::new(), Some(one));
            let wakers = wakers.clone();
            spawn(async move {
                last.1.set(Some(now() + Duration::from_secs(1_000)));
                if n % 2 == 0 {
                    let mut woken = false;
                    poll_fn(|cx| {
                        wakers.borrow_mut().push(cx.waker().clone());
                        let _ = last.1.poll_expired(cx);
                        if std::mem::replace(&mut woken, true) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
                last.1.expired().await;
            });
        }
        yield_now().await;
        yield_now().await;
        assert_eq!(dropped.get(), 0);
        wakers.take()
    });
    assert_eq!(dropped.get(), 10);
    assert_eq!(wakers.len(), 5);
    // After the end, on this thread and on another.
    wakers[0].wake_by_ref();
    std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
}

#[test]
fn what_outlives_its_reactor_works_in_the_next() {
    let (one, other, timer) = on_reactor(async {
        let (one, other) = tcp_pair().await;
        let timer = Timer::new();
        timer.set(Some(now() + Duration::from_secs(1_000)));
        assert!(timeout_at(now(), read(&one, &mut [0; 8])).await.is_err());
        assert!(timeout_at(now() + Duration::from_millis(1), timer.expired()).await.is_err());
        (one, other, timer)
    });
    on_reactor(async {
        spawn(async move {
            yield_now().await;
            other.try_write(b"x").unwrap();
        });
        assert_eq!(read(&one, &mut [0; 8]).await.unwrap(), 1);
        timer.set(Some(now() + Duration::from_millis(2)));
        timer.expired().await;
        drop(timer);
    });
    drop(one);
}

#[test]
fn a_reactor_in_a_reactor_is_refused() {
    on_reactor(async {
        assert!(run(Settings::default(), async {}).is_err());
        assert_eq!(spawn_task(async { 1 }).await, 1, "the outer one goes on");
    });
    let panicked =
        std::panic::catch_unwind(|| run(Settings::default(), async { panic!("expected by the test") }));
    assert!(panicked.is_err());
    on_reactor(async {});
}

#[test]
fn calls_of_other_threads_are_made_in_order_until_the_end() {
    const CALLS: usize = if cfg!(miri) { 50 } else { 10_000 };
    const THREADS: usize = 3;
    thread_local! { static GOT: RefCell<Vec<Vec<usize>>> = const { RefCell::new(Vec::new()) }; }
    let handle = on_reactor(async {
        GOT.set(vec![Vec::new(); THREADS]);
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let remote = remote();
                std::thread::spawn(move || {
                    for n in 0..CALLS {
                        remote.run(move || GOT.with_borrow_mut(|got| got[thread].push(n))).unwrap();
                    }
                })
            })
            .collect();
        while GOT.with_borrow(|got| got.iter().map(Vec::len).sum::<usize>()) < CALLS * THREADS {
            crate::sleep_until(now() + Duration::from_millis(1)).await;
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        remote()
    });
    let sorted: Vec<usize> = (0..CALLS).collect();
    GOT.with_borrow(|got| assert!(got.iter().all(|calls| *calls == sorted)));
    assert_eq!(handle.run(|| unreachable!("the reactor has ended")), Err(crate::Gone));
}

#[test]
fn a_storm_of_wakes_from_other_threads_loses_none() {
    const TASKS: usize = if cfg!(miri) { 3 } else { 64 };
    const ROUNDS: usize = if cfg!(miri) { 10 } else { 2_000 };
    /// A counter that a thread raises and a task follows.
    #[derive(Default)]
    struct Meter {
        raised: AtomicUsize,
        waker: Mutex<Option<Waker>>,
    }
    on_reactor(async {
        let meters: Vec<Arc<Meter>> = (0..TASKS).map(|_| Arc::default()).collect();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let meters = meters.clone();
                std::thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        for meter in &meters {
                            meter.raised.fetch_add(1, Ordering::SeqCst);
                            if let Some(waker) = meter.waker.lock().unwrap().take() {
                                waker.wake();
                            }
                        }
                    }
                })
            })
            .collect();
        let tasks: Vec<_> = meters
            .into_iter()
            .map(|meter| {
                spawn_task(poll_fn(move |cx| {
                    *meter.waker.lock().unwrap() = Some(cx.waker().clone());
                    if meter.raised.load(Ordering::SeqCst) == 2 * ROUNDS {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }))
            })
            .collect();
        for task in tasks {
            task.await;
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn wakes_race_the_end_without_harm() {
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let theirs = wakers.clone();
        let thread = on_reactor(async {
            for _ in 0..8 {
                let wakers = wakers.clone();
                spawn(poll_fn(move |cx| {
                    wakers.lock().unwrap().push(cx.waker().clone());
                    Poll::Pending
                }));
            }
            let main = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            yield_now().await;
            std::thread::spawn(move || {
                for _ in 0..100 {
                    let some: Vec<Waker> = theirs.lock().unwrap().clone();
                    some.iter().for_each(Waker::wake_by_ref);
                    main.wake_by_ref();
                }
                theirs.lock().unwrap().clear();
            })
        });
        thread.join().unwrap();
    }
}
