//! `bind` lines.

use super::draft::{BindDraft, ProxyDraft, Said};
use super::statement::Statement;
use super::{Lowering, code};
use crate::Word;
use crate::address::parse_bind;
use crate::keywords::{self, Family, Status};
use crate::model::{Address, Bind};
use diag::{Diagnostic, Span};

/// What is wrong with a parameter, after its name.
type Refusal = String;

impl Lowering<'_> {
    /// One draft for each address of a line.
    pub(super) fn binds(&mut self, addresses: &[Address], text: &str, span: Span) -> Vec<BindDraft> {
        let place = self.place(span);
        let draft = |address: &Address| BindDraft {
            bind: Bind {
                address: address.clone(),
                id: 0,
                name: None,
                maxconn: None,
                backlog: None,
                interface: None,
                transparent: false,
                v6only: None,
                unix_mode: None,
                unix_uid: None,
                unix_gid: None,
                defer_accept: false,
                mss: None,
                tfo: false,
                place: place.clone(),
            },
            text: text.to_owned(),
            id: None,
        };
        addresses.iter().map(draft).collect()
    }

    pub(super) fn bind(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        proxy.bind_said = true;
        let Some(address) = line.argument(0) else {
            let message = "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments.";
            return self.error(code::MISSING, line.span, message);
        };
        let mut drafts = match parse_bind(&address.text, self.machine.resolve) {
            Ok(addresses) => self.binds(&addresses, &address.text, line.span),
            Err(error) => {
                let mut report = Diagnostic::error(code::ADDRESS, format!("'bind' : {}", error.message));
                if address.text.starts_with('<') {
                    report = report.note("this is a placeholder: write the address it stands for");
                }
                self.report.push(report.at(address.span));
                Vec::new()
            }
        };
        let about = format!("'bind {}' in section '{}'", address.text, proxy.kind.word());
        let mut words = line.arguments().iter().skip(1);
        while let Some(word) = words.next() {
            let name = word.text.as_str();
            let Some(keyword) = keywords::find(Family::Bind, name) else {
                let message = format!("{about}: unknown keyword '{name}'");
                self.unknown(Family::Bind, name, word.span, message, ".");
                break;
            };
            let lowered = matches!(keyword.status, Status::Served | Status::NoEffect);
            if !lowered || matches!(name, "level" | "expose-fd") {
                let message = format!("{about} : '{name}' is known, not served yet");
                let message = if keyword.status == Status::Served {
                    format!("{about} : '{name}' is served on 'stats socket' lines only")
                } else {
                    message
                };
                self.report.push(Diagnostic::error(code::NOT_YET, message).at(word.span).note(keyword.doc));
            }
            let value = (!keyword.arguments.is_empty()).then(|| words.next()).flatten();
            if !lowered {
                continue;
            }
            match self.bind_parameter(name, value, line.span, &mut drafts) {
                Ok(()) if keyword.status == Status::NoEffect => self.not_lowered(keyword, name, word.span),
                Ok(()) => {}
                Err(refusal) => {
                    let span = value.map_or(word.span, |value| value.span);
                    self.error(code::CHOICE, span, format!("{about} : {refusal}"));
                }
            }
        }
        proxy.binds.append(&mut drafts);
    }

    fn bind_parameter(
        &mut self,
        name: &str,
        value: Option<&Word>,
        line: Span,
        drafts: &mut [BindDraft],
    ) -> Result<(), Refusal> {
        let text = value.map_or("", Word::as_str);
        let number = || -> Result<u32, Refusal> {
            if text.is_empty() {
                return Err(format!("'{name}' : missing value"));
            }
            text.parse().map_err(|_| format!("'{name}' : expects an integer argument, found '{text}'"))
        };
        let named = |what: &str| -> Result<String, Refusal> {
            if text.is_empty() { Err(format!("'{name}' : missing {what}")) } else { Ok(text.to_owned()) }
        };
        let mut each =
            |change: &dyn Fn(&mut Bind)| drafts.iter_mut().for_each(|draft| change(&mut draft.bind));
        match name {
            "name" => {
                let name = named("name")?;
                each(&|bind| bind.name = Some(name.clone()));
            }
            "interface" => {
                let name = named("interface name")?;
                each(&|bind| bind.interface = Some(name.clone()));
            }
            "maxconn" => {
                let most = number()?;
                each(&|bind| bind.maxconn = (most > 0).then_some(most));
            }
            "backlog" => {
                let most = number()?;
                each(&|bind| bind.backlog = (most > 0).then_some(most));
            }
            "transparent" => each(&|bind| bind.transparent = true),
            "defer-accept" => each(&|bind| bind.defer_accept = true),
            "tfo" => each(&|bind| bind.tfo = true),
            "v4v6" => each(&|bind| bind.v6only = Some(false)),
            "v6only" => each(&|bind| bind.v6only = Some(true)),
            "nice" => {
                let value = text.parse::<i32>().ok().filter(|nice| (-1024..=1024).contains(nice));
                value
                    .ok_or_else(|| format!("'nice' : invalid value {text}, allowed range is -1024..1024"))?;
            }
            "mss" => {
                let value = text.parse::<u16>().ok().filter(|mss| *mss > 0);
                let mss = value.ok_or_else(|| {
                    "'mss' : expects an MSS with and absolute value between 1 and 65535".to_owned()
                })?;
                each(&|bind| bind.mss = Some(mss));
            }
            "id" => {
                if text.is_empty() {
                    return Err("'id' : expects an integer argument".to_owned());
                }
                let id = text
                    .parse::<u32>()
                    .map_err(|_| format!("'id' : expects an integer argument, found '{text}'"))?;
                if id == 0 {
                    return Err("'id' : custom id has to be > 0".to_owned());
                }
                if let Some(first) = drafts.first_mut() {
                    first.id = Some(Said::new(id, value.map_or(line, |value| value.span)));
                }
            }
            "mode" | "uid" | "gid" | "user" | "group" => {
                let owner = self.unix_owner(name, text)?;
                each(&|bind| match owner {
                    Owner::Mode(mode) => bind.unix_mode = Some(mode),
                    Owner::User(uid) => bind.unix_uid = Some(uid),
                    Owner::Group(gid) => bind.unix_gid = Some(gid),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// `mode`, `uid`, `gid`, `user` and `group` of a unix socket, here and on `stats socket` lines.
    pub(super) fn unix_owner(&self, name: &str, text: &str) -> Result<Owner, Refusal> {
        let id = || {
            text.parse::<u32>().map_err(|_| format!("'{name}' : expects an integer argument, found '{text}'"))
        };
        let lookup = |find: &dyn Fn(&str) -> Option<u32>, what: &str| {
            if text.is_empty() {
                return Err(format!("'{name}' : missing {what} name"));
            }
            find(text).ok_or_else(|| format!("'{name}' : unknown {what} name '{text}'"))
        };
        Ok(match name {
            "mode" => {
                let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
                Owner::Mode(mode.ok_or_else(|| {
                    format!("'mode' : missing or invalid mode '{text}' (octal integer expected)")
                })?)
            }
            "uid" => Owner::User(id()?),
            "gid" => Owner::Group(id()?),
            "user" => Owner::User(lookup(self.machine.user, "user")?),
            _ => Owner::Group(lookup(self.machine.group, "group")?),
        })
    }
}

/// What a unix socket's parameter sets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    Mode(u32),
    User(u32),
    Group(u32),
}
