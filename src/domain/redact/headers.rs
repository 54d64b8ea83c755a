//! Headers that carry credentials by their name, whoever put them there.
//!
//! A token that was typed into a header, or a cookie that a provider set, is no secret that we
//! know; so such a header is shown without its value.

use super::redactor::Redactor;
use crate::domain::secret::HIDDEN;

/// Names that are credentials in themselves, in lower case.
const NAMES: [&str; 33] = [
    "access-token",
    "api-key",
    "apikey",
    "auth-token",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "private-token",
    "proxy-authorization",
    "refresh-token",
    "set-cookie",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-api-token",
    "x-apikey",
    "x-auth-key",
    "x-auth-token",
    "x-client-secret",
    "x-csrf-token",
    "x-forwarded-access-token",
    "x-forwarded-authorization",
    "x-functions-key",
    "x-gitlab-token",
    "x-goog-api-key",
    "x-original-authorization",
    "x-rapidapi-key",
    "x-refresh-token",
    "x-session-token",
    "x-shopify-access-token",
    "x-subject-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// Words that may stand in front of a credential and are none.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "apikey", "api-key", "key"];

/// True for a header whose whole value is a credential, in any case.
pub fn is_credential_header(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Bytes from which on a cookie counts: shorter ones are settings, and their words occur everywhere.
const COOKIE: usize = 8;

/// What is a credential in a header of such a name, so that it is found where a provider echoes it:
/// the whole value, what stands behind its scheme, and the values of cookies.
pub fn credentials_in<'v>(name: &str, value: &'v str) -> Vec<&'v str> {
    if !is_credential_header(name) {
        return Vec::new();
    }
    let mut found = vec![value];
    found.extend(behind_scheme(value));
    if ["cookie", "set-cookie"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
        let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
        found.extend(cookies.map(|(_, value)| value.trim()).filter(|value| value.len() >= COOKIE));
    }
    found
}

fn behind_scheme(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}

impl Redactor {
    /// The value of a header as history shows it: redacted, and of a credential header no more
    /// than `[secret <name>]`, with its scheme (`Bearer [secret vies_token]`), or `[hidden]`.
    pub fn redact_header(&self, name: &str, value: &str) -> String {
        let redacted = self.redact(value);
        if !is_credential_header(name) || is_only_a_marker(&redacted) {
            return redacted.into_owned();
        }
        HIDDEN.to_owned()
    }
}

fn is_only_a_marker(value: &str) -> bool {
    let credential = behind_scheme(value).unwrap_or(value);
    let name = credential.strip_prefix("[secret ").and_then(|rest| rest.strip_suffix(']'));
    credential == HIDDEN || name.is_some_and(crate::domain::ids::is_key)
}

#[cfg(test)]
mod tests {
    use super::super::redactor::Label;
    use super::*;

    #[test]
    fn a_credential_is_the_value_what_is_behind_its_scheme_and_a_cookie() {
        for (name, value, expected) in [
            ("Accept", "application/json", &[][..]),
            ("X-Api-Key", "abc-123", &["abc-123"]),
            ("authorization", "Bearer abc-123", &["Bearer abc-123", "abc-123"]),
            ("Authorization", "Hawk id=1", &["Hawk id=1"]),
            ("Cookie", "lang=en; sid=0123456789 ", &["lang=en; sid=0123456789 ", "0123456789"]),
        ] {
            assert_eq!(credentials_in(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_credential_header_shows_a_marker_or_nothing() {
        let label = Label::Secret("vies_token".parse().unwrap());
        let redactor = Redactor::new([(label, "correct-horse"), (Label::Hidden, "typed-in")]);
        let cases = [
            ("Accept", "application/json", "application/json"),
            ("X-Trace", "id correct-horse", "id [secret vies_token]"),
            ("Authorization", "Bearer correct-horse", "Bearer [secret vies_token]"),
            ("authorization", "Bearer typed-in", "Bearer [hidden]"),
            ("AUTHORIZATION", "Bearer other-token", "[hidden]"),
            ("Authorization", "Bearer x-correct-horse", "[hidden]"),
            ("Authorization", "other-token correct-horse", "[hidden]"),
            ("X-Api-Key", "correct-horse", "[secret vies_token]"),
            ("X-Api-Key", "k1:correct-horse", "[hidden]"),
            ("X-Api-Key", "[secret a] b]", "[hidden]"),
            ("Set-Cookie", "session=1; Path=/", "[hidden]"),
            ("PRIVATE-TOKEN", "glpat-1", "[hidden]"),
            ("X-Next-Page-Token", "2", "2"),
        ];
        for (name, value, expected) in cases {
            assert_eq!(redactor.redact_header(name, value), expected, "{name}: {value}");
        }
    }
}
