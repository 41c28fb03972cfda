//! `show info`.

use crate::field::LINES;
use crate::form::{Form, Style, fraction, json_field};
use std::fmt::{Display, Write as _};

/// The lines of `show info`, in HAProxy's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    values: Vec<Option<Figure>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Figure {
    text: String,
    /// What `float` shows instead.
    exact: Option<f64>,
}

impl Default for Info {
    fn default() -> Self {
        Self { values: vec![None; LINES.len()] }
    }
}

impl Info {
    /// Gives a line its value.
    pub fn set(&mut self, name: &str, value: impl Display) {
        self.put(name, Figure { text: value.to_string(), exact: None });
    }

    /// The same for a number that `float` shows with its fraction.
    pub fn set_exact(&mut self, name: &str, value: f64) {
        self.put(name, Figure { text: (value.max(0.0) as u64).to_string(), exact: Some(value) });
    }

    fn put(&mut self, name: &str, figure: Figure) {
        let place = LINES.iter().position(|line| line.name == name);
        debug_assert!(place.is_some(), "no line {name}");
        if let Some(slot) = place.and_then(|place| self.values.get_mut(place)) {
            *slot = Some(figure);
        }
    }

    /// The lines in the form that the words after `show info` ask for.
    pub(crate) fn render(&self, form: Form) -> String {
        let mut out = String::new();
        for (place, (line, figure)) in LINES.iter().zip(&self.values).enumerate() {
            let Some(figure) = figure else { continue };
            let exact = figure.exact.filter(|_| form.fractions);
            let value = exact.map_or_else(|| figure.text.clone(), fraction);
            let of = if exact.is_some() { "flt" } else { line.of.name() };
            match form.style {
                Style::Plain => {
                    let _ = write!(out, "{}: {value}", line.name);
                }
                Style::Typed => {
                    let _ = write!(out, "{place}.{}.1:{}:{of}:{value}", line.name, line.tags);
                }
                Style::Json => {
                    out.push_str(if out.is_empty() { "[{" } else { ",{" });
                    json_field(place, line, line.tags, of, &value, &mut out);
                    out.push('}');
                    continue;
                }
            }
            if form.explained {
                let _ = write!(out, ":\"{}\"", line.text);
            }
            out.push('\n');
        }
        if form.style == Style::Json {
            out.push_str(if out.is_empty() { "[]\n" } else { "]\n" });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> String {
        let mut info = Info::default();
        info.set_exact("ConnRate", 2.428);
        info.set("Name", "HAProxy");
        let mut form = Form::default();
        words.iter().for_each(|word| form.read(word));
        info.render(form)
    }

    #[test]
    fn every_form_has_haproxys_shape() {
        assert_eq!(shown(&[]), "Name: HAProxy\nConnRate: 2\n");
        assert_eq!(
            shown(&["desc"]),
            "Name: HAProxy:\"Name of the program\"\nConnRate: 2:\"Connections in the last second\"\n"
        );
        assert_eq!(shown(&["typed"]), "0.Name.1:POS:str:HAProxy\n26.ConnRate.1:MRP:u32:2\n");
        assert_eq!(shown(&["typed", "float"]), "0.Name.1:POS:str:HAProxy\n26.ConnRate.1:MRP:flt:2.428\n");
        assert_eq!(
            shown(&["typed", "json"]),
            "[{\"field\":{\"pos\":0,\"name\":\"Name\"},\"processNum\":1,\"tags\":{\"origin\":\"Product\",\
             \"nature\":\"Output\",\"scope\":\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"HAProxy\"}},\
             {\"field\":{\"pos\":26,\"name\":\"ConnRate\"},\"processNum\":1,\"tags\":{\"origin\":\"Metric\",\
             \"nature\":\"Rate\",\"scope\":\"Process\"},\"value\":{\"type\":\"u32\",\"value\":2}}]\n"
        );
    }
}
