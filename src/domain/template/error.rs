//! What may go wrong when a template is compiled and when it is rendered.
//!
//! A [`TemplateError`] is for the builder who saves a case type and says how to mend it. A
//! [`RenderError`] happens in a run. Neither ever quotes a value: it might be a secret.

use crate::domain::problem::code;

/// Why a template or expression does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// One of `problem::code::{INVALID_TEMPLATE, UNKNOWN_ROOT, SECRET_NOT_ALLOWED}`.
    pub code: &'static str,
    /// What is wrong and how to mend it, for a builder.
    pub message: String,
    /// The remedy alone, which quotes nothing of the source.
    pub hint: Option<String>,
}

impl TemplateError {
    /// A template that cannot be read.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { code: code::INVALID_TEMPLATE, message: message.into(), hint: None }
    }
}

/// Most missing paths that are named.
const MOST_PATHS: usize = 100;

/// Why a template has no result now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Values that are needed and not there, as dotted paths, e.g. `data.vat_number`.
    #[error("no value for {}", .0.join(", "))]
    Missing(Vec<String>),
    /// Anything else, as a fragment for a builder that quotes no value.
    #[error("{0}")]
    Failed(String),
}

impl RenderError {
    /// All results, or all that stands in their way.
    pub(super) fn gather<T>(results: impl Iterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let mut values = Vec::new();
        let mut error: Option<Self> = None;
        for result in results {
            match (result, error.take()) {
                (Ok(value), held) => {
                    values.push(value);
                    error = held;
                }
                (Err(more), Some(held)) => error = Some(held.join(more)),
                (Err(first), None) => error = Some(first),
            }
        }
        error.map_or(Ok(values), Err)
    }

    /// Joins what several placeholders lack. Missing input wins over a failure: without the
    /// input nobody can tell whether the rest would work.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missing(mut paths), Self::Missing(more)) => {
                for path in more {
                    if paths.len() < MOST_PATHS && !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                Self::Missing(paths)
            }
            (Self::Failed(_), missing @ Self::Missing(_)) => missing,
            (first, _) => first,
        }
    }
}
