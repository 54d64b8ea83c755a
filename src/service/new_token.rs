//! What a new token shall be.

use super::access::CONFIGURED;
use crate::domain::clock::Instant;
use crate::domain::problem::{Problem, code};
use crate::domain::token::Role;

/// Characters of a token's name.
const LONGEST_NAME: usize = 200;

/// What a new token shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTokenRequest {
    /// 1 to 200 characters.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its writes make overrides.
    pub overrides: bool,
    /// When it ends to be good; none: never.
    pub expires_at: Option<Instant>,
}

impl NewTokenRequest {
    /// What is wrong with it.
    pub(super) fn problems(&self, now: Instant) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some((code, why)) = name_problem(&self.name) {
            problems.push(Problem::new("/name", code, why));
        }
        if self.expires_at.is_some_and(|until| until <= now) {
            problems.push(Problem::new("/expires_at", code::OUT_OF_RANGE, "is past: give a later time"));
        }
        problems
    }
}

fn name_problem(name: &str) -> Option<(&'static str, String)> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Some((code::OUT_OF_RANGE, format!("must have 1 to {LONGEST_NAME} characters")));
    }
    if name.chars().any(char::is_control) {
        let why = "holds a line break or another control character: remove it";
        return Some((code::INVALID, why.to_owned()));
    }
    (name == CONFIGURED).then(|| {
        let why = format!("`{CONFIGURED}` is the token of security.admin_token: choose another name");
        (code::INVALID, why)
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn every_problem_has_its_place() {
        let now = DateTime::from_timestamp_millis(1_795_253_400_000).unwrap();
        let later = now + TimeDelta::milliseconds(1);
        for (name, expires_at, expected) in [
            ("ops", None, vec![]),
            (&"ä".repeat(200), Some(later), vec![]),
            ("", None, vec![("/name", code::OUT_OF_RANGE)]),
            (&"x".repeat(201), None, vec![("/name", code::OUT_OF_RANGE)]),
            ("a\nb", Some(now), vec![("/name", code::INVALID), ("/expires_at", code::OUT_OF_RANGE)]),
            ("a\0b", None, vec![("/name", code::INVALID)]),
            (CONFIGURED, None, vec![("/name", code::INVALID)]),
        ] {
            let request =
                NewTokenRequest { name: name.to_owned(), role: Role::Viewer, overrides: true, expires_at };
            let problems = request.problems(now);
            let found: Vec<_> =
                problems.iter().map(|problem| (problem.pointer.as_str(), problem.code)).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
