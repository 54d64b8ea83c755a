//! What all strings with placeholders share: their parts, what they read, and how values are
//! put between the literals.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::{RenderError, TemplateError};
use super::expression::Expression;
use super::number::text_of;
use super::placeholder::{Part, Reading, parts};
use super::roots::Roots;
use super::scope::Scope;
use super::work::{Work, check_length};

/// A string cut at its placeholders.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub source: String,
    pub all: Vec<Part>,
    pub references: BTreeSet<String>,
}

impl Parts {
    pub(super) fn compile(source: &str, roots: &Roots, reading: Reading) -> Result<Self, TemplateError> {
        let parts = parts(source, roots, reading)?;
        let expressions = parts.iter().filter_map(Part::expression);
        let references = expressions.flat_map(Expression::references).cloned().collect();
        Ok(Self { source: source.to_owned(), all: parts, references })
    }

    /// The whole text, when there is no placeholder in it.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.all.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The placeholder, when there is nothing else.
    pub(super) fn only_value(&self) -> Option<&Expression> {
        match self.all.as_slice() {
            [Part::Value(expression)] => Some(expression),
            _ => None,
        }
    }
}

impl Part {
    /// The expression of a placeholder.
    pub(super) fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Value(expression) => Some(expression),
            Self::Literal(_) => None,
        }
    }
}

/// A part that has been evaluated.
pub(super) enum Piece<'p> {
    Literal(&'p str),
    Value(Value),
}

/// Evaluates all placeholders, so that everything that is missing is known at once.
pub(super) fn pieces<'p>(
    parts: &'p [Part],
    scope: &Scope,
    work: &Work,
) -> Result<Vec<Piece<'p>>, RenderError> {
    RenderError::gather(parts.iter().map(|part| match part {
        Part::Literal(text) => Ok(Piece::Literal(text)),
        Part::Value(expression) => {
            let value = expression.find(scope, work)?;
            value.map(Piece::Value).ok_or_else(|| expression.missing(Vec::new()))
        }
    }))
}

/// The text of the parts, each value written as `encode` says.
pub(super) fn text(
    parts: &[Part],
    scope: &Scope,
    work: &Work,
    encode: impl Fn(&Value) -> String,
) -> Result<String, RenderError> {
    let mut text = String::new();
    for piece in pieces(parts, scope, work)? {
        match piece {
            Piece::Literal(literal) => push(&mut text, literal)?,
            Piece::Value(value) => push(&mut text, &encode(&value))?,
        }
    }
    Ok(text)
}

/// A value as it stands in free text.
pub(super) fn plain(value: &Value) -> String {
    text_of(value).unwrap_or_default()
}

/// Appends, unless the text gets too long.
pub(super) fn push(text: &mut String, more: &str) -> Result<(), RenderError> {
    check_length(text.len() + more.len()).map_err(RenderError::Failed)?;
    text.push_str(more);
    Ok(())
}
