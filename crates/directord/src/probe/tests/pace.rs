//! Rounds: when verdicts come, and what suspending and reloading do.

use super::hostile::until;
use super::{Lab, nobody, on_reactor, serve, servers, silent};
use crate::plan::CheckerId;
use std::cell::Cell;
use std::rc::Rc;

/// A server that counts; its port and the count.
fn counting() -> (u16, Rc<Cell<u32>>) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    (serve(async move |_| counted.set(counted.get() + 1)), count)
}

#[test]
fn a_verdict_comes_once_and_when_it_changes() {
    on_reactor(async || {
        let port = nobody();
        let lab = Lab::start(&servers(&[(port, "TCP_CHECK { }")]));
        let (_, first) = lab.next().await;
        assert!(!first.up && first.changed);
        assert_eq!(first.mail.as_deref(), Some("=> TCP CHECK failed on service <="));
        let attempts = lab.prober.counters().attempts;
        until(|| lab.prober.counters().attempts > attempts + 3).await;
        assert_eq!(lab.already(), None);
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (_, second) = lab.next().await;
        assert!(second.up && second.changed);
        drop(listener);
        assert!(!lab.next().await.1.up);
    });
}

#[test]
fn what_is_suspended_is_not_checked() {
    on_reactor(async || {
        let (quiet, quiets) = counting();
        let (other, others) = counting();
        let mut lab = Lab::start(&servers(&[(quiet, "TCP_CHECK { }"), (other, "TCP_CHECK { }")]));
        lab.first(2).await;
        lab.prober.suspend(CheckerId(0));
        // One that had connected already may still be accepted.
        let mark = others.get() + 3;
        until(|| others.get() >= mark).await;
        let (before, mark) = (quiets.get(), others.get() + 5);
        until(|| others.get() >= mark).await;
        assert_eq!(quiets.get(), before);
        lab.prober.resume(CheckerId(0));
        until(|| quiets.get() > before).await;
        assert_eq!(lab.already(), None);
    });
}

#[test]
fn a_reload_keeps_what_stays_and_ends_what_goes() {
    on_reactor(async || {
        let (goes, gone) = counting();
        let (stays, stayed) = counting();
        let (comes, come) = counting();
        let waiting = "SMTP_CHECK {\n connect_timeout 60\n}";
        let silent = silent();
        let mut lab = Lab::start(&servers(&[
            (goes, "TCP_CHECK { }"),
            (stays, "TCP_CHECK { }"),
            (silent, waiting),
            (silent, waiting),
        ]));
        let mut heard = [lab.next().await.0, lab.next().await.0];
        heard.sort_unstable();
        assert_eq!(heard, [0, 1]);
        until(|| lab.prober.counters().running >= 2).await;
        // Numbers change: what goes on is told by its new one.
        let text = servers(&[(silent, waiting), (stays, "TCP_CHECK { }"), (comes, "TCP_CHECK { }")]);
        lab.reload(&text, &[Some(2), Some(1), None]);
        assert_eq!(lab.next().await.0, 2, "only the new one has news");
        until(|| come.get() > 0).await;
        let mark = stayed.get() + 3;
        until(|| stayed.get() >= mark).await;
        let (before, mark) = (gone.get(), stayed.get() + 5);
        until(|| stayed.get() >= mark).await;
        assert_eq!(gone.get(), before);
        assert_eq!(lab.already(), None);
        lab.prober.suspend(CheckerId(0));
        until(|| lab.prober.counters().running == 0).await;
    });
}

#[test]
fn an_entry_is_small() {
    // Ten thousand of them are to cost less than keepalived's.
    const { assert!(super::super::engine::ENTRY <= 208) };
}
