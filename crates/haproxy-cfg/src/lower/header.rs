//! The line that opens a proxy section: its name, and the defaults it takes over.

use super::draft::{BindDraft, Draft, ProxyDraft, SectionKind, Settings};
use super::{Lowering, code};
use crate::address::parse_bind;
use crate::{Section, Word};
use diag::Diagnostic;

/// The defaults sections so far, and how they were used.
#[derive(Debug, Default)]
pub(super) struct DefaultsStack {
    sections: Vec<(ProxyDraft, Use)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Use {
    explicit: bool,
    implicit: bool,
}

impl DefaultsStack {
    pub(super) fn push(&mut self, section: ProxyDraft) {
        self.sections.push((section, Use::default()));
    }
}

/// The character of `name` that no proxy name may have.
pub(super) fn forbidden(name: &str) -> Option<char> {
    name.chars().find(|&c| !c.is_ascii_alphanumeric() && !"_-.:".contains(c))
}

impl Lowering<'_> {
    /// The new proxy, with what it inherits; `None` when it has no name.
    pub(super) fn proxy_header(
        &mut self,
        section: &Section,
        draft: &Draft,
        defaults: &mut DefaultsStack,
    ) -> Option<ProxyDraft> {
        let kind = match section.keyword.as_str() {
            "frontend" => SectionKind::Frontend,
            "listen" => SectionKind::Listen,
            "backend" => SectionKind::Backend,
            _ => SectionKind::Defaults,
        };
        let span = section.header.span;
        let arguments = section.header.arguments();
        let nameless = kind == SectionKind::Defaults
            && matches!(arguments, [] | [_, _] if arguments.first().is_none_or(|word| word.text == "from"));
        let (name, rest) = match arguments {
            _ if nameless => (None, arguments),
            [name, rest @ ..] => (Some(name), rest),
            [] => {
                let message = format!("'{}' expects an <id> argument", kind.word());
                self.error(code::HEADER, span, message);
                return None;
            }
        };
        if let Some(name) = name.filter(|_| kind != SectionKind::Defaults) {
            self.proxy_name(kind, name, draft);
        }
        let mut proxy = ProxyDraft {
            kind,
            name: name.map(|word| word.text.clone()).unwrap_or_default(),
            span,
            settings: Settings::default(),
            id: None,
            description: None,
            binds: Vec::new(),
            bind_said: false,
            servers: Vec::new(),
        };
        match rest {
            [from, base] if from.text == "from" => {
                proxy.settings = self.inherit_from(base, &proxy, defaults);
                return Some(proxy);
            }
            [] => {}
            [extra, ..] if kind == SectionKind::Defaults => {
                let message = format!("'defaults' ignores '{}'", extra.text);
                let note = "after the name only `from` and another defaults section can stand";
                self.report.push(Diagnostic::warning(code::SURPLUS, message).at(extra.span).note(note));
            }
            [extra, others @ ..] => proxy.binds = self.header_address(&proxy, extra, others),
        }
        if kind != SectionKind::Defaults {
            proxy.settings = self.inherit_last(&proxy, defaults);
        }
        Some(proxy)
    }

    fn proxy_name(&mut self, kind: SectionKind, name: &Word, draft: &Draft) {
        if let Some(bad) = forbidden(&name.text) {
            let message =
                format!("character '{bad}' is not permitted in '{}' name '{}'.", kind.word(), name.text);
            self.error(code::HEADER, name.span, message);
        }
        let same_side = |other: &&ProxyDraft| {
            other.name == name.text
                && if kind.has_frontend() { other.kind.has_frontend() } else { other.kind.has_backend() }
        };
        if let Some(other) = draft.proxies.iter().find(same_side) {
            let place = self.place(other.span);
            let shown = if kind == SectionKind::Listen { "proxy" } else { kind.word() };
            let message = format!(
                "{shown} '{}' has the same name as {} declared at {}:{}.",
                name.text,
                other.title(),
                place.file,
                place.line
            );
            let error = Diagnostic::error(code::DUPLICATE_PROXY, message).at(name.span);
            self.report.push(error.related(other.span, "declared here first"));
        }
    }

    /// What stands after the name: HAProxy up to 1.5 took a listening address there.
    fn header_address(&mut self, proxy: &ProxyDraft, extra: &Word, others: &[Word]) -> Vec<BindDraft> {
        let (kind, name) = (proxy.kind.word(), &proxy.name);
        if !proxy.kind.has_frontend() {
            let message = format!("'{kind} {name}' cannot handle unexpected argument '{}'.", extra.text);
            self.error(code::SURPLUS, extra.span, message);
            return Vec::new();
        }
        let addresses = parse_bind(&extra.text, self.machine.resolve);
        if let (Ok(addresses), []) = (&addresses, others) {
            let message = format!(
                "the address '{0}' after the name of a {kind} is the syntax of HAProxy 1.5; write 'bind {0}' on a line of its own",
                extra.text
            );
            let warning = Diagnostic::warning(code::HEADER_ADDRESS, message).at(extra.span);
            self.report.push(warning);
            return self.binds(addresses, &extra.text, proxy.span);
        }
        let message = "please use the 'bind' keyword for listening addresses.";
        let mut error = Diagnostic::error(code::HEADER, message).at(extra.span);
        if let Some(part) = extra.text.strip_prefix('-') {
            error = error
                .note(format!("'{}' is no address; was the name meant to be '{name}-{part}'?", extra.text));
        } else if extra.text == "from" {
            error = error.note("`from` is followed by the name of a defaults section");
        } else if let Err(reason) = addresses {
            error = error.note(format!("'{}' is no address either: {}", extra.text, reason.message));
        }
        self.report.push(error);
        Vec::new()
    }

    fn inherit_from(&mut self, base: &Word, proxy: &ProxyDraft, defaults: &mut DefaultsStack) -> Settings {
        let shown = format!(
            "{} '{}'",
            if proxy.kind == SectionKind::Listen { "listen" } else { proxy.kind.word() },
            proxy.name
        );
        let same_name: Vec<_> =
            defaults.sections.iter().filter(|(section, _)| section.name == base.text).collect();
        if let [(first, _), (second, _), ..] = same_name[..] {
            let (one, two) = (self.place(first.span), self.place(second.span));
            let message = format!(
                "ambiguous defaults section name '{}' referenced by {shown} exists at least at {}:{} and {}:{}.",
                base.text, one.file, one.line, two.file, two.line
            );
            let error = Diagnostic::error(code::FROM, message).at(base.span);
            self.report.push(error.related(first.span, "one").related(second.span, "another"));
        }
        let found = defaults.sections.iter_mut().find(|(section, _)| section.name == base.text);
        let Some((section, used)) = found else {
            self.error(
                code::FROM,
                base.span,
                format!("defaults section '{}' not found for {shown}.", base.text),
            );
            return Settings::default();
        };
        let (settings, at) = (section.settings.clone(), section.span);
        used.explicit = true;
        let both = used.implicit;
        if let Some(bad) = forbidden(&base.text) {
            let place = self.place(at);
            let message = format!(
                "character '{bad}' is not permitted in defaults section name '{}' when designated by its name (section found at {}:{}).",
                base.text, place.file, place.line
            );
            self.error(code::FROM, base.span, message);
        }
        if both {
            self.mixed_use(&base.text, at, proxy);
        }
        settings
    }

    fn inherit_last(&mut self, proxy: &ProxyDraft, defaults: &mut DefaultsStack) -> Settings {
        let Some((section, used)) = defaults.sections.last_mut() else { return Settings::default() };
        let (settings, at, name) = (section.settings.clone(), section.span, section.name.clone());
        used.implicit = true;
        if used.explicit {
            self.mixed_use(&name, at, proxy);
        }
        settings
    }

    fn mixed_use(&mut self, name: &str, at: diag::Span, proxy: &ProxyDraft) {
        let place = self.place(at);
        let message = format!(
            "defaults section '{name}' (declared at {}:{}) is explicitly referenced by another proxy and implicitly used here. To avoid any ambiguity don't mix both usage. Add a last defaults section not explicitly used or always use explicit references.",
            place.file, place.line
        );
        self.report.push(Diagnostic::warning(code::FROM, message).at(proxy.span).related(at, "this one"));
    }
}
