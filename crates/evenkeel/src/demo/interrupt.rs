//! Ctrl-C and its like: everything ends at once, and nothing is left behind.

use super::stage::Stage;
use reactor::signal::{self, SIGHUP, SIGINT, SIGTERM, Signals};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// What the story and the signals share.
#[derive(Clone, Default)]
pub(super) struct Shared {
    stage: Arc<Mutex<Option<Stage>>>,
    /// A signal is the end that was promised.
    kept: Arc<AtomicBool>,
}

impl Shared {
    /// The stage. While a signal ends the process, this does not return.
    pub(super) fn stage(&self) -> MutexGuard<'_, Option<Stage>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a signal ends the demonstration well.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }
}

/// Starts the thread that waits for a signal. To be called before there are other threads.
pub(super) fn end_on_signal(shared: &Shared) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("signals cannot be waited for: {error}");
    signal::block(&ENDING).map_err(failed)?;
    let shared = shared.clone();
    let wait = move || {
        let received =
            reactor::run(reactor::Settings::default(), async { Signals::new(&ENDING)?.next().await });
        let Ok(Ok(received)) = received else { return };
        let mut guard = shared.stage();
        drop(guard.take());
        let kept = shared.kept.load(Ordering::Acquire);
        // The lock is not given back: the story must not go on.
        process::exit(if kept { 0 } else { 128 + received.number });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(())
}
