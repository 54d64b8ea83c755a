//! How much one rendering may build and look at.
//!
//! Fuel counts operations, but one operation on a text can be a million times dearer than
//! another. So every text that is built is checked against the limit *before* it is built, and
//! everything built or searched is counted together.

use std::cell::Cell;

use serde_json::Value;

use super::error::RenderError;

/// Longest text that an expression or a template may build, in bytes.
pub(super) const LONGEST_TEXT: usize = 1024 * 1024;

/// Bytes that one rendering may touch in all.
const WHOLE: usize = 64 * LONGEST_TEXT;

/// What is left to one rendering.
pub(super) struct Work {
    left: Cell<usize>,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(WHOLE) }
    }

    /// Counts an operation on this many bytes.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), RenderError> {
        // The 64 stands for the operation itself.
        let left = self.left.get().checked_sub(bytes.saturating_add(64));
        self.left.set(left.unwrap_or(0));
        left.map(drop)
            .ok_or_else(|| RenderError::Failed("the template takes too much work to render".to_owned()))
    }

    /// As [`Work::spend`], for an operation on a whole value.
    pub(super) fn spend_on(&self, value: &Value) -> Result<(), RenderError> {
        self.spend(weight(value))
    }
}

/// About how long the JSON text of a value is.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| weight(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + weight(value) + 4).sum::<usize>()
        }
    }
}

/// Refuses a text that would get too long.
pub(super) fn check_length(bytes: usize) -> Result<(), String> {
    if bytes <= LONGEST_TEXT {
        return Ok(());
    }
    Err("the text would get longer than 1 MiB".to_owned())
}
