//! Which first words of a path a place knows.
//!
//! An unknown one is refused when the case type is saved, with the nearest known one. Secrets
//! are words of their own kind: where they are not allowed the error says so.

use super::error::TemplateError;
use crate::domain::problem::{code, nearest};

const REQUEST: [&str; 8] = ["data", "case", "input", "params", "run", "workflow_run_id", "now", "now_unix"];
const ANSWER: [&str; 3] = ["status", "headers", "body"];

/// The one root of credentials, and its other spelling.
pub(super) const SECRET: &str = "secret";
const SECRETS: &str = "secrets";

/// Which roots exist in a place, output variables of other fields included.
#[derive(Debug, Clone)]
pub struct Roots {
    names: Vec<String>,
    secrets: bool,
}

impl Roots {
    /// Url, headers, params, body and auth of a request.
    pub fn request(outputs: &[String]) -> Self {
        Self::new(&[&REQUEST], outputs, true)
    }

    /// Headers and auth of a connection, which knows no case: params and secrets.
    pub fn connection() -> Self {
        Self::new(&[&["params"]], &[], true)
    }

    /// `when`: as the request, with `old` and without secrets.
    pub fn when(outputs: &[String]) -> Self {
        Self::new(&[&REQUEST, &["old"]], outputs, false)
    }

    /// `success_when` and `retry_when`: the answer only.
    pub fn answer() -> Self {
        Self::new(&[&ANSWER], &[], false)
    }

    /// A mapping's `value`: as the request without secrets, and the answer.
    pub fn mapping(outputs: &[String]) -> Self {
        Self::new(&[&REQUEST, &ANSWER], outputs, false)
    }

    /// A mapping's `transform`: `value` only.
    pub fn transform() -> Self {
        Self::new(&[&["value"]], &[], false)
    }

    fn new(groups: &[&[&str]], outputs: &[String], secrets: bool) -> Self {
        let fixed = groups.iter().flat_map(|group| group.iter().map(ToString::to_string));
        Self { names: fixed.chain(outputs.iter().cloned()).collect(), secrets }
    }

    /// True for a word that starts a path here.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.names.iter().any(|name| name == word) || (self.secrets && is_secret(word))
    }

    /// The canonical spelling of a root, or why it cannot stand here.
    pub(super) fn check<'w>(&self, word: &'w str) -> Result<&'w str, TemplateError> {
        if self.knows(word) {
            return Ok(canonical(word));
        }
        if is_secret(word) {
            let message = "secrets cannot be used here, only in url, headers, params, body and auth";
            return Err(TemplateError {
                code: code::SECRET_NOT_ALLOWED,
                message: message.to_owned(),
                hint: None,
            });
        }
        let shown: String = word.chars().take(64).collect();
        let secret = self.secrets.then_some(SECRET);
        let hint = match nearest(word, self.names.iter().map(String::as_str).chain(secret)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", self.listed()),
        };
        let message = format!("`{shown}` is not known here: {hint}");
        Err(TemplateError { code: code::UNKNOWN_ROOT, message, hint: Some(hint) })
    }

    fn listed(&self) -> String {
        let mut names = self.names.clone();
        if self.secrets {
            names.push(SECRET.to_owned());
        }
        names.join(", ")
    }
}

/// `secrets` is another spelling of `secret`; everything else is itself.
pub(super) fn canonical(word: &str) -> &str {
    if word == SECRETS { SECRET } else { word }
}

fn is_secret(word: &str) -> bool {
    canonical(word) == SECRET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_knows_its_words() {
        let outputs = ["vat_response".to_owned()];
        let cases = [
            (Roots::request(&outputs), "data vat_response secret secrets now_unix", "old body value"),
            (Roots::connection(), "params secret secrets", "data case input run now vat_response"),
            (Roots::when(&outputs), "data vat_response old input", "secret secrets body"),
            (Roots::answer(), "status headers body", "data secret vat_response"),
            (Roots::mapping(&outputs), "data body status headers vat_response", "secret old value"),
            (Roots::transform(), "value", "data body secret"),
        ];
        for (roots, known, unknown) in cases {
            for word in known.split(' ') {
                assert!(roots.check(word).is_ok(), "{word}");
            }
            for word in unknown.split(' ') {
                assert!(roots.check(word).is_err(), "{word}");
            }
        }
    }

    #[test]
    fn the_error_names_the_nearest_word_or_the_rule() {
        let error = Roots::request(&[]).check("dta").unwrap_err();
        assert_eq!((error.code, error.message.contains("`data`")), (code::UNKNOWN_ROOT, true));
        let error = Roots::request(&[]).check("zebra").unwrap_err();
        assert!(error.message.contains("use one of data, case"), "{error}");
        let error = Roots::when(&[]).check("secrets").unwrap_err();
        assert_eq!(error.code, code::SECRET_NOT_ALLOWED);
    }
}
