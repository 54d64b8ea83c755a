//! Collects what reading a document brings to light, and words it.
//!
//! Messages name the remedy and the nearest known word; they never quote a value, which may be
//! personal or a credential.

use crate::domain::problem::{Problem, code, nearest};

/// Problems listed for one document; who mends a hundred may ask again.
pub const MOST_PROBLEMS: usize = 100;

/// What reading a document has brought to light so far.
#[derive(Debug, Default)]
pub struct Findings {
    /// Why the document is refused; empty when it is not.
    pub problems: Vec<Problem>,
    /// What is legal but doubtful.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// Notes a reason to refuse.
    pub fn problem(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        if !self.is_full() {
            self.problems.push(Problem::new(pointer, code, message));
        }
    }

    /// Notes a doubt.
    pub fn doubt(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.has_room_for_doubts() {
            self.warnings.push(Problem::new(pointer, code::DOUBTFUL, message));
        }
    }

    /// Takes over what another reader found, in either shape.
    pub fn keep<T>(&mut self, result: Result<T, Vec<Problem>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problems) => {
                let room = MOST_PROBLEMS.saturating_sub(self.problems.len());
                self.problems.extend(problems.into_iter().take(room));
                None
            }
        }
    }

    /// Takes over doubts of another reader.
    pub fn keep_doubts(&mut self, doubts: Vec<Problem>) {
        let room = MOST_PROBLEMS.saturating_sub(self.warnings.len());
        self.warnings.extend(doubts.into_iter().take(room));
    }

    /// Another doubt will be listed; else there is no need to word it.
    pub fn has_room_for_doubts(&self) -> bool {
        self.warnings.len() < MOST_PROBLEMS
    }

    /// Nothing more will be listed: whoever loops may stop.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }
}

/// "`dta` is not a root; did you mean `data`?", or the whole list when nothing is near.
pub fn unknown_word(word: &str, what: &str, known: &[&str]) -> String {
    let word = short(word);
    if let Some(near) = nearest(&word, known.iter().copied()) {
        return format!("`{word}` is not {what}; did you mean `{near}`?");
    }
    let known: Vec<_> = known.iter().take(40).map(|word| format!("`{word}`")).collect();
    if known.is_empty() {
        return format!("`{word}` is not {what}; there are none");
    }
    format!("`{word}` is not {what}; known are {}", known.join(", "))
}

/// A text cut to what a message can bear.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(128) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
