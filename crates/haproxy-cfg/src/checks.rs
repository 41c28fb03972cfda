//! What only the whole configuration shows: one check a file.

mod default_backend;
mod ids;
mod listeners;
mod logs;
mod modes;
mod server_names;
mod server_ports;
mod timeouts;

use crate::lower::Draft;
use diag::{Report, Sources};

/// Runs all checks, proxy by proxy as HAProxy does.
pub(crate) fn run(draft: &Draft, sources: &Sources, report: &mut Report) {
    ids::proxies(draft, sources, report);
    for proxy in &draft.proxies {
        if proxy.settings.disabled {
            continue;
        }
        listeners::check(proxy, report);
        ids::binds(proxy, sources, report);
        default_backend::check(draft, proxy, sources, report);
        modes::check(proxy, report);
        timeouts::check(proxy, report);
        logs::check(draft, proxy, report);
        server_names::check(proxy, report);
        ids::servers(proxy, report);
        server_ports::check(proxy, report);
    }
}
