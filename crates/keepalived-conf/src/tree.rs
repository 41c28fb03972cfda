//! Lines into blocks, as keepalived's parser takes them.
//!
//! An unknown keyword is reported and its line skipped, but a `{` behind it is not understood: what follows is taken as
//! keywords of the outer block, and its `}` ends that. The same happens here, so that both see the same.

use crate::code;
use crate::keywords::{self, Block, Keyword, Shape, Status};
use crate::source::LineSource;
use crate::word::Line;
use diag::{Code, Diagnostic, Form, Severity, Span};
use std::collections::HashSet;

/// Diagnostics of unknown keywords at most: what is no configuration at all would drown everything else.
const MAX_UNKNOWN: usize = 1000;

/// A keyword with what follows it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) keyword: &'static Keyword,
    /// Its line; a `{` at its end is not part of it.
    pub(crate) line: Line,
    pub(crate) body: Vec<Node>,
    pub(crate) values: Vec<Line>,
    /// Where its block ends; the line of a statement.
    pub(crate) end: Span,
}

/// Builds the tree.
pub(crate) struct Builder<'s, 'a> {
    source: &'s mut LineSource<'a>,
    /// Whether `random_seed` has been looked at.
    names: HashSet<(&'static str, String)>,
    unknown: usize,
    /// Whether a known keyword is being left out with all that is in it.
    silent: usize,
}

impl<'s, 'a> Builder<'s, 'a> {
    pub(crate) fn new(source: &'s mut LineSource<'a>) -> Self {
        Self { source, names: HashSet::new(), unknown: 0, silent: 0 }
    }

    /// The whole configuration.
    pub(crate) fn build(mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        self.block(Block::Top, false, &mut nodes);
        self.source.finish();
        nodes
    }

    fn say(&mut self, code: Code, severity: Severity, message: String, span: Span) {
        if self.silent == 0 {
            self.source.push(code, severity, message, span);
        }
    }

    /// Reads keywords of `block` up to its `}`; where that is.
    fn block(&mut self, block: Block, mut needs_brace: bool, nodes: &mut Vec<Node>) -> Option<Span> {
        while let Some(line) = self.source.next_line() {
            if needs_brace {
                needs_brace = false;
                if line.is("{") {
                    continue;
                }
                let message = "Missing '{' at beginning of configuration block".to_owned();
                self.say(code::MISSING_BRACE, Severity::Warning, message, line.span);
            } else if line.is("{") {
                let message = "Unexpected '{' - ignoring".to_owned();
                self.say(code::UNEXPECTED_BRACE, Severity::Warning, message, line.span);
                continue;
            }
            if line.is("}") && block != Block::Top {
                return Some(line.span);
            }
            let Some(keyword) = keywords::find(block, line.keyword()) else {
                self.unknown(block, &line);
                continue;
            };
            self.node(keyword, line, nodes);
        }
        None
    }

    fn unknown(&mut self, block: Block, line: &Line) {
        self.unknown += 1;
        if self.silent > 0 || self.unknown > MAX_UNKNOWN {
            if self.unknown == MAX_UNKNOWN + 1 {
                let message = format!("more than {MAX_UNKNOWN} unknown keywords; the others are not shown");
                let diagnostic = Diagnostic::warning(code::TOO_MANY_MESSAGES, message);
                self.source.report.push(diagnostic.form(Form::Bare));
            }
            return;
        }
        let word = line.keyword();
        let span = line.words.first().map_or(line.span, |word| word.span);
        let message = format!("Unknown keyword '{word}'");
        let mut diagnostic = Diagnostic::warning(code::UNKNOWN_KEYWORD, message).at(span);
        let homes = keywords::homes(word);
        if !homes.is_empty() {
            diagnostic = diagnostic.note(format!("it belongs into {}", homes.join(", ")));
        } else if let Some(near) = keywords::nearest(block, word) {
            diagnostic = diagnostic.note(format!("did you mean '{near}'?"));
        }
        self.source.report.push(diagnostic);
    }

    fn node(&mut self, keyword: &'static Keyword, line: Line, nodes: &mut Vec<Node>) {
        let span = line.words.first().map_or(line.span, |word| word.span);
        if keyword.status == Status::NotYet {
            let message = format!("'{}' is known, not served yet", keyword.name);
            self.say(code::NOT_YET, Severity::Error, message, span);
        }
        if keyword.name == "include_check" && self.silent == 0 {
            self.source.include_check(&line);
        }
        if keyword.name == "random_seed"
            && let Some(Ok(seed)) = line.arguments().first().map(|word| word.text.parse::<u32>())
        {
            self.source.reseed(u64::from(seed));
        }
        let skipped = keyword.status == Status::NotYet || !self.named(keyword, &line);
        let mut node = Node { keyword, end: line.span, line, body: Vec::new(), values: Vec::new() };
        self.silent += usize::from(skipped);
        match keyword.shape {
            Shape::Statement => {}
            Shape::Keywords(inner) => {
                let mut body = Vec::new();
                if let Some(end) = self.block(inner, true, &mut body) {
                    node.end = end;
                }
                node.body = body;
            }
            Shape::Values => self.values(&mut node),
        }
        self.silent -= usize::from(skipped);
        if !skipped {
            nodes.push(node);
        }
    }

    fn values(&mut self, node: &mut Node) {
        let mut first = true;
        while let Some(line) = self.source.next_line() {
            if std::mem::take(&mut first) {
                if line.is("{") {
                    continue;
                }
                let message = format!("'{{' missing from beginning of block {}", node.keyword.name);
                self.say(code::MISSING_BRACE, Severity::Warning, message, line.span);
            }
            if line.is("}") {
                node.end = line.span;
                return;
            }
            node.values.push(line);
        }
    }

    /// Whether a block that needs a name of its own has one; else keepalived leaves it out.
    fn named(&mut self, keyword: &'static Keyword, line: &Line) -> bool {
        let kind = keyword.name;
        let (missing, taken) = match kind {
            "vrrp_instance" => ("vrrp_instance must have a name", "vrrp instance {} already defined"),
            "vrrp_sync_group" => {
                ("vrrp_sync_group must have a name - skipping", "vrrp sync group {} already defined")
            }
            "track_group" => ("track_group must have a name - skipping", "track_group {} already defined"),
            _ => return true,
        };
        let [name] = line.arguments() else {
            self.say(code::UNNAMED, Severity::Warning, missing.to_owned(), line.span);
            return false;
        };
        if self.names.insert((kind, name.text.clone())) {
            return true;
        }
        let message = taken.replace("{}", &name.text);
        self.say(code::DUPLICATE, Severity::Warning, message, name.span);
        false
    }
}
