//! How much work one mapping may make of one answer: steps taken and values copied.
//!
//! Both are shared by all targets of a mapping, because a hundred cheap paths are as dear as
//! one dear path. The numbers leave room for every honest answer of 2 MiB (some 60,000 nodes)
//! and end a hostile one within a fraction of a second.

use serde_json::Value;

/// Steps: one per node visited, more for long texts that are compared.
const MAX_STEPS: usize = 4_000_000;

/// Bytes of JSON that may be copied out of an answer (a node counts as 8).
const MAX_COPIED: usize = 16 * 1024 * 1024;

/// Nothing is left of a [`Budget`]; says what ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// Too many nodes were visited.
    #[error(
        "the paths visit more than {MAX_STEPS} nodes of the answer; use narrower paths than `..` and `*`"
    )]
    Steps,
    /// Too much was selected.
    #[error("the paths select more than {} MiB of the answer; use narrower paths", MAX_COPIED >> 20)]
    Copied,
}

/// What is left to spend.
#[derive(Debug)]
pub struct Budget {
    steps: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: MAX_STEPS, bytes: MAX_COPIED }
    }
}

impl Budget {
    /// Takes `steps`.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted::Steps)?;
        Ok(())
    }

    /// Takes what a copy of `value` costs; to be called before it is made.
    pub fn copy(&mut self, value: &Value) -> Result<(), Exhausted> {
        let own = match value {
            Value::String(text) => text.len(),
            _ => 0,
        };
        self.bytes = self.bytes.checked_sub(own + 8).ok_or(Exhausted::Copied)?;
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.copy(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| {
                self.bytes = self.bytes.checked_sub(name.len()).ok_or(Exhausted::Copied)?;
                self.copy(member)
            }),
            _ => Ok(()),
        }
    }
}
