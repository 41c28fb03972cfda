//! What only the whole configuration shows, in keepalived's order. One file for each part.

mod groups;
mod instance;
mod scripts;
mod servers;
mod sync_daemon;
mod virtual_routers;
mod weights;

use crate::load::Options;
use crate::lower::Draft;
use diag::{Code, Diagnostic, Form, Report, Severity};

/// Checks a draft, settles what its parts leave to each other, and drops what keepalived drops.
pub(crate) fn run(draft: &mut Draft, options: &Options, report: &mut Report) {
    let mut check = Check { report };
    servers::run(draft, &mut check);
    instance::run(draft, options, &mut check);
    groups::run(draft, &mut check);
    virtual_routers::run(draft, &mut check);
    scripts::run(draft, &mut check);
    sync_daemon::run(draft, &mut check);
}

/// Says things without a line, as keepalived does after reading; other renderers show their places.
pub(crate) struct Check<'a> {
    pub(crate) report: &'a mut Report,
}

impl Check<'_> {
    pub(crate) fn say(&mut self, code: Code, place: crate::model::Place, message: impl Into<String>) {
        self.push(code, Severity::Warning, place, message.into());
    }

    /// Says something, and in notes what keepalived does not say.
    pub(crate) fn explain(
        &mut self,
        code: Code,
        place: crate::model::Place,
        message: String,
        notes: impl IntoIterator<Item = String>,
    ) {
        let mut diagnostic = Diagnostic::warning(code, message).form(Form::Bare);
        diagnostic.span = place;
        diagnostic.notes.extend(notes);
        self.report.push(diagnostic);
    }

    pub(crate) fn fail(&mut self, code: Code, place: crate::model::Place, message: impl Into<String>) {
        self.push(code, Severity::Error, place, message.into());
    }

    /// Says what keepalived logs and `-t` does not show.
    pub(crate) fn mention(&mut self, code: Code, place: crate::model::Place, message: impl Into<String>) {
        self.push(code, Severity::Notice, place, message.into());
    }

    fn push(&mut self, code: Code, severity: Severity, place: crate::model::Place, message: String) {
        let mut diagnostic = Diagnostic::new(code, severity, message).form(Form::Bare);
        diagnostic.span = place;
        self.report.push(diagnostic);
    }
}
