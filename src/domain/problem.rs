//! What is wrong, or doubtful, with something that was sent: where, which rule, and the remedy.
//!
//! A reader collects all problems of a document before it refuses it, so that they can be
//! mended in one go. Warnings have the same shape: what is legal but doubtful.

use serde::Serialize;

/// One problem at one place of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the body that was sent; `""` is the whole of it.
    pub pointer: String,
    /// Stable name of the broken rule, e.g. `required`, `unknown_root`.
    pub code: &'static str,
    /// What is wrong and how to mend it, for a builder.
    pub message: String,
}

impl Problem {
    /// A problem at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, message: message.into() }
    }
}

/// Codes of problems, so that no two files spell one differently.
pub mod code {
    /// A member that must be there is not.
    pub const REQUIRED: &str = "required";
    /// The JSON type is wrong.
    pub const WRONG_TYPE: &str = "wrong_type";
    /// The type is right, the value is not.
    pub const INVALID: &str = "invalid";
    /// A number, text or list is outside its limits.
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// A member that nobody knows.
    pub const UNKNOWN_MEMBER: &str = "unknown_member";
    /// The first word of a placeholder is no root.
    pub const UNKNOWN_ROOT: &str = "unknown_root";
    /// A name that refers to nothing (section, connection, secret).
    pub const UNKNOWN_REFERENCE: &str = "unknown_reference";
    /// Two things with one name, or one inside the other.
    pub const DUPLICATE: &str = "duplicate";
    /// A template or expression that does not compile.
    pub const INVALID_TEMPLATE: &str = "invalid_template";
    /// A `JSONPath` that does not compile or is not supported.
    pub const INVALID_PATH: &str = "invalid_path";
    /// A secret where none may stand.
    pub const SECRET_NOT_ALLOWED: &str = "secret_not_allowed";
    /// Part of the contract, but of a later step of the plan.
    pub const NOT_SUPPORTED_YET: &str = "not_supported_yet";
    /// A warning: legal but doubtful.
    pub const DOUBTFUL: &str = "doubtful";
}

/// A JSON pointer one step deeper: `/fields` + `0` → `/fields/0`, escaped as RFC 6901 says.
pub fn join(pointer: &str, token: impl std::fmt::Display) -> String {
    let token = token.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{token}")
}

/// The nearest of `known` to a misspelt `word`, for "did you mean": at most two edits away.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(80).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("dta", ["data", "case"]), Some("data"));
        assert_eq!(nearest("secert", ["secret", "secrets"]), Some("secret"));
        assert_eq!(nearest("banana", ["data", "case"]), None);
    }

    #[test]
    fn pointer_tokens_are_escaped() {
        assert_eq!(join("/a", "b/c~d"), "/a/b~1c~0d");
    }
}
