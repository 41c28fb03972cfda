//! Predicates and their arguments.

use super::{Context, version};

/// What a predicate asks.
#[derive(Clone, Copy)]
enum Predicate {
    Defined,
    Feature,
    Enabled,
    StrEq,
    StrNeq,
    StrStr,
    VersionAtLeast,
    VersionBefore,
    OpensslVersionAtLeast,
    OpensslVersionBefore,
    SslLibNameStartsWith,
    AwsLcApiAtLeast,
    AwsLcApiBefore,
    FipsMode,
}

/// Names, and how many arguments each takes.
const PREDICATES: &[(&str, Predicate, usize)] = &[
    ("defined", Predicate::Defined, 1),
    ("feature", Predicate::Feature, 1),
    ("enabled", Predicate::Enabled, 1),
    ("streq", Predicate::StrEq, 2),
    ("strneq", Predicate::StrNeq, 2),
    ("strstr", Predicate::StrStr, 2),
    ("version_atleast", Predicate::VersionAtLeast, 1),
    ("version_before", Predicate::VersionBefore, 1),
    ("openssl_version_atleast", Predicate::OpensslVersionAtLeast, 1),
    ("openssl_version_before", Predicate::OpensslVersionBefore, 1),
    ("ssllib_name_startswith", Predicate::SslLibNameStartsWith, 1),
    ("awslc_api_atleast", Predicate::AwsLcApiAtLeast, 1),
    ("awslc_api_before", Predicate::AwsLcApiBefore, 1),
    ("fips_mode", Predicate::FipsMode, 0),
];

/// A message and the byte it points at.
type Problem = (String, usize);

/// The predicate at the beginning of `text`: its answer and its length; `None` when there is none.
pub(super) fn evaluate(text: &str, context: &Context) -> Option<Result<(bool, usize), Problem>> {
    let name = text.split([' ', '(']).next().unwrap_or(text);
    let &(_, predicate, wanted) = PREDICATES.iter().find(|(known, ..)| *known == name)?;
    Some(
        arguments(text, name, wanted)
            .map(|(arguments, length)| (answer(predicate, &arguments, context), length)),
    )
}

fn answer(predicate: Predicate, arguments: &[String], context: &Context) -> bool {
    let first = arguments.first().map_or("", String::as_str);
    let second = arguments.get(1).map_or("", String::as_str);
    let openssl = |holds: fn(core::cmp::Ordering) -> bool| {
        context.openssl_version.as_ref().is_some_and(|own| holds(version::compare_openssl(own, first)))
    };
    let awslc = |holds: fn(&u32, &u32) -> bool| {
        context.awslc_api.zip(first.trim().parse().ok()).is_some_and(|(own, asked)| holds(&own, &asked))
    };
    match predicate {
        Predicate::Defined => context.env.get(first).is_some(),
        Predicate::Feature => context.features.contains(first),
        Predicate::Enabled => context.enabled.contains(first),
        Predicate::StrEq => first == second,
        Predicate::StrNeq => first != second,
        Predicate::StrStr => first.contains(second),
        Predicate::VersionAtLeast => version::compare(&context.version, first).is_ge(),
        Predicate::VersionBefore => version::compare(&context.version, first).is_lt(),
        Predicate::OpensslVersionAtLeast => openssl(core::cmp::Ordering::is_ge),
        Predicate::OpensslVersionBefore => openssl(core::cmp::Ordering::is_lt),
        Predicate::SslLibNameStartsWith => {
            !context.ssl_library.is_empty() && context.ssl_library.starts_with(first)
        }
        Predicate::AwsLcApiAtLeast => awslc(u32::ge),
        Predicate::AwsLcApiBefore => awslc(u32::lt),
        Predicate::FipsMode => context.fips_mode,
    }
}

/// The arguments in parentheses after `name`, and the length of it all. Without parentheses, or with nothing in them,
/// there is one empty argument. Quotes and backslashes are honoured once more (manual, section 2.2); blanks count.
fn arguments(text: &str, name: &str, wanted: usize) -> Result<(Vec<String>, usize), Problem> {
    let problem = |what: String, at: usize| {
        (format!("{what} in argument 1 of predicate '{name}' used in conditional expression"), at)
    };
    let mut arguments: Vec<String> = Vec::new();
    let mut argument = String::new();
    let mut at = name.len();
    let mut closed = true;
    if text.get(at..).is_some_and(|rest| rest.starts_with('(')) {
        at += 1;
        closed = false;
        let mut quote = None;
        let mut chars = text.get(at..).unwrap_or("").chars().peekable();
        while let Some(c) = chars.next() {
            match (c, quote) {
                (')', None) => {
                    closed = true;
                    break;
                }
                (',', None) if arguments.len() + 1 < wanted => arguments.push(core::mem::take(&mut argument)),
                (',', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (_, Some(open)) if open == c => quote = None,
                ('\\', None | Some('"')) => {
                    let (escaped, taken) = match chars.peek() {
                        Some(&next @ (' ' | '\\' | '\'' | '"')) => (next, next.len_utf8()),
                        Some('n') => ('\n', 1),
                        Some('r') => ('\r', 1),
                        Some('t') => ('\t', 1),
                        _ => ('\\', 0),
                    };
                    argument.push(escaped);
                    if taken > 0 {
                        chars.next();
                        at += taken;
                    }
                }
                _ => argument.push(c),
            }
            at += c.len_utf8();
        }
    }
    arguments.push(argument);
    if arguments.len() < wanted && (closed || text.len() == at) {
        let got = arguments.len();
        return Err(problem(format!("missing arguments (got {got}/{wanted}), type 'string' expected"), at));
    }
    if !closed {
        let rest = text.get(at..).unwrap_or("");
        let before = if rest.is_empty() { String::new() } else { format!(" before '{rest}'") };
        return Err(problem(format!("expected ')'{before}"), at));
    }
    let parenthesis =
        usize::from(text.get(at..).is_some_and(|rest| rest.starts_with(')')) && at > name.len());
    Ok((arguments, at + parenthesis))
}
