//! Responses of our own: error pages.

use crate::session::Session;
use haproxy_cfg::model;
use http1::{ErrorPage, default_page};
use std::collections::BTreeMap;

/// The pages of one proxy: its `errorfile`s over the built-in ones.
#[derive(Debug, Default)]
pub struct Pages(BTreeMap<u16, ErrorPage>);

impl Pages {
    /// The pages of `config`. Files that are no response were refused when the configuration was read.
    pub fn new(config: &model::Proxy) -> Self {
        let parsed = config
            .error_files
            .iter()
            .filter_map(|(&status, bytes)| Some((status, ErrorPage::parse(bytes).ok()?)));
        Self(parsed.collect())
    }

    fn get(&self, status: u16) -> Option<&ErrorPage> {
        self.0.get(&status)
    }
}

/// The page for `status`: the backend's, else the frontend's, else the built-in one.
pub(super) fn page(
    session: &Session,
    backend: Option<&crate::state::Proxy>,
    status: u16,
    use_it: impl FnOnce(&ErrorPage),
) {
    let own = backend.and_then(|b| b.pages.get(status)).or_else(|| session.frontend.pages.get(status));
    match own {
        Some(page) => use_it(page),
        None => {
            if let Some(page) = default_page(status) {
                use_it(&page);
            }
        }
    }
}

/// Writes the page for a request that could not be read, as it is, and tells whether there is one. An empty `errorfile`
/// means that nothing is said; what does not fit the socket is lost.
pub(super) fn bare(session: &Session, status: u16) {
    page(session, None, status, |page| {
        let _ = session.stream.try_write(page.raw());
    });
}
