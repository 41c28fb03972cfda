//! The commands: names, what they need, what they do.

use crate::form::Form;
use crate::keywords::{NOT_SERVED, NOT_SERVED_BY_MASTER};
use crate::stat::{Filter, render};
use crate::{Ending, Source};
use haproxy_cfg::model::SocketLevel;

/// Which processes have a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Worker,
    Master,
    Both,
}

impl Of {
    fn serves(self, source: Source<'_>) -> bool {
        match source {
            Source::Worker(_) => self != Self::Master,
            Source::Master(_) => self != Self::Worker,
        }
    }
}

/// A command that is served.
struct Command {
    name: &'static str,
    /// As `help` shows it.
    usage: &'static str,
    help: &'static str,
    level: SocketLevel,
    of: Of,
    act: fn(&mut Call<'_>, &[&str]),
}

/// What a command may look at and change.
pub(crate) struct Call<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) level: &'a mut SocketLevel,
    pub(crate) prompt: &'a mut bool,
    pub(crate) out: &'a mut String,
    pub(crate) ending: Ending,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "operator",
        usage: "operator",
        help: "lower the level of the current CLI session to operator",
        level: SocketLevel::Operator,
        of: Of::Both,
        act: |call, _| *call.level = SocketLevel::Operator,
    },
    Command {
        name: "reload",
        usage: "reload",
        help: "reload haproxy",
        level: SocketLevel::Operator,
        of: Of::Master,
        act: |call, _| call.ending = Ending::Reload,
    },
    Command {
        name: "show cli level",
        usage: "show cli level",
        help: "display the level of the current CLI session",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, _| {
            call.out.push_str(match call.level {
                SocketLevel::User => "user\n",
                SocketLevel::Operator => "operator\n",
                SocketLevel::Admin => "admin\n",
            });
        },
    },
    Command {
        name: "show env",
        usage: "show env [var]",
        help: "dump environment variables known to the process",
        level: SocketLevel::Operator,
        of: Of::Both,
        act: show_env,
    },
    Command {
        name: "show info",
        usage: "show info [desc|json|typed|float]*",
        help: "report information about the running process",
        level: SocketLevel::User,
        of: Of::Worker,
        act: show_info,
    },
    Command {
        name: "show proc",
        usage: "show proc",
        help: "show processes status",
        level: SocketLevel::User,
        of: Of::Master,
        act: |call, _| {
            if let Source::Master(master) = call.source {
                call.out.push_str(&master.processes());
            }
        },
    },
    Command {
        name: "show startup-logs",
        usage: "show startup-logs",
        help: "report logs emitted during HAProxy startup",
        level: SocketLevel::Operator,
        of: Of::Both,
        act: |call, _| call.out.push_str(&call.source.startup_logs()),
    },
    Command {
        name: "show stat",
        usage: "show stat [desc|json|no-maint|typed|up]*",
        help: "report counters for each proxy and server",
        level: SocketLevel::User,
        of: Of::Worker,
        act: show_stat,
    },
    Command {
        name: "show version",
        usage: "show version",
        help: "show version of the current process",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, _| {
            call.out.push_str(&call.source.version());
            call.out.push('\n');
        },
    },
    Command {
        name: "user",
        usage: "user",
        help: "lower the level of the current CLI session to user",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, _| *call.level = SocketLevel::User,
    },
    Command {
        name: "help",
        usage: "help [<command>]",
        help: "list matching or all commands",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, words| list(call, "The following commands are valid at this level:", words),
    },
    Command {
        name: "prompt",
        usage: "prompt",
        help: "toggle interactive mode with prompt",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, _| *call.prompt = !*call.prompt,
    },
    Command {
        name: "quit",
        usage: "quit",
        help: "disconnect",
        level: SocketLevel::User,
        of: Of::Both,
        act: |call, _| call.ending = Ending::Close,
    },
];

/// What may stand before a command for a master, as `help` shows it.
const PREFIXES: [(&str, &str); 3] = [
    ("@!<pid>", "send a command to the <pid> process"),
    ("@<relative pid>", "send a command to the <relative pid> process"),
    ("@master", "send a command to the master process"),
];

/// Those that help shows whatever was asked.
const ALWAYS: [&str; 3] = ["help", "prompt", "quit"];

/// Does what `words` say.
pub(crate) fn run(call: &mut Call<'_>, words: &[&str]) {
    if words == ["_getsocks"] && matches!(call.source, Source::Worker(_)) {
        call.ending = Ending::Sockets;
        return;
    }
    let served = here(call.source).find_map(|command| Some((command, after(command.name, words)?)));
    if let Some((command, rest)) = served {
        if *call.level >= command.level {
            (command.act)(call, rest);
        } else if command.name == "operator" && matches!(call.source, Source::Master(_)) {
            call.out.push_str("Permission denied!\n");
            call.ending = Ending::Close;
        } else {
            call.out.push_str("Permission denied\n");
        }
        return;
    }
    let not_served = match call.source {
        Source::Worker(_) => NOT_SERVED,
        Source::Master(_) => NOT_SERVED_BY_MASTER,
    };
    if let Some(name) = not_served.iter().find(|name| after(name, words).is_some()) {
        *call.out += &format!("The command '{name}' is known but not served yet.\n");
        return;
    }
    if words.is_empty() {
        list(call, "Unknown command. Please enter one of the following commands only:", &[]);
    } else {
        list(call, "Unknown command, but maybe one of the following ones is a better match:", words);
    }
}

/// The commands that `source` has.
fn here(source: Source<'_>) -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(move |command| command.of.serves(source))
}

/// The words after `name`, when `words` begins with it.
fn after<'w, 's>(name: &str, words: &'w [&'s str]) -> Option<&'w [&'s str]> {
    let mut rest = words;
    for wanted in name.split(' ') {
        match rest.split_first() {
            Some((word, more)) if *word == wanted => rest = more,
            _ => return None,
        }
    }
    Some(rest)
}

/// The commands that `words` may have meant: those with the same first word, or all of them.
fn list(call: &mut Call<'_>, title: &str, words: &[&str]) {
    let first =
        |command: &&Command| words.first().is_none_or(|word| command.name.split(' ').next() == Some(*word));
    let any = here(call.source).any(|command| first(&command) && !ALWAYS.contains(&command.name));
    *call.out += title;
    call.out.push('\n');
    let wanted = |command: &&Command| {
        command.level <= *call.level && (!any || first(command) || ALWAYS.contains(&command.name))
    };
    let prefixes =
        PREFIXES.iter().filter(|_| (!any || words.is_empty()) && matches!(call.source, Source::Master(_)));
    let commands = here(call.source).filter(wanted).map(|command| (command.usage, command.help));
    for (usage, help) in prefixes.copied().chain(commands) {
        *call.out += &format!("  {usage:<40}: {help}\n");
    }
}

fn show_stat(call: &mut Call<'_>, words: &[&str]) {
    let Source::Worker(worker) = call.source else { return };
    match Filter::parse(words) {
        Ok(filter) => {
            let private = *call.level > SocketLevel::User;
            call.out.push_str(&render(&worker.rows(), &filter, private));
        }
        Err(text) => call.out.push_str(&text),
    }
}

fn show_info(call: &mut Call<'_>, words: &[&str]) {
    let Source::Worker(worker) = call.source else { return };
    let mut form = Form::default();
    words.iter().for_each(|word| form.read(word));
    call.out.push_str(&worker.info().render(form));
}

fn show_env(call: &mut Call<'_>, words: &[&str]) {
    let variables = call.source.environment();
    match words.first() {
        None => variables.iter().for_each(|line| *call.out += &format!("{line}\n")),
        Some(name) => {
            let found = variables.iter().find(|line| line.split('=').next() == Some(*name));
            match found {
                Some(line) => *call.out += &format!("{line}\n"),
                None => call.out.push_str("Variable not found\n"),
            }
        }
    }
}
