//! Secrets: values that are used and never shown, and the hosts to which they may go.
//!
//! `SecretText` is wiped from memory when dropped and prints as `[hidden]`; reading it takes
//! a visible `expose`. `HostRule` compares hosts as the `url` crate normalises them, so a rule
//! and a request agree on upper case, IDNA and spellings of an IP address.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// What stands in place of a value that is not shown.
pub const HIDDEN: &str = "[hidden]";

/// A text that is wiped when dropped and never printed.
#[derive(Clone)]
pub struct SecretText(SecretString);

impl SecretText {
    /// The text itself; whoever calls this keeps it out of logs, rows and answers.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The value of a secret: 8 to 16,384 bytes (from 1 byte on when it is not to be redacted),
/// no NUL.
#[derive(Debug, Clone)]
pub struct SecretValue {
    text: SecretText,
    redact: bool,
}

/// Why a text cannot be the value of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// There is no value.
    #[error("the value is empty; send the credential itself")]
    Empty,
    /// Too short to be found again in other texts.
    #[error(
        "the value has less than {} bytes, too few to redact it safely; \
         use a longer credential, or say `\"redact\": false`",
        SecretValue::MIN_REDACTED
    )]
    TooShort,
    /// Too long for a credential.
    #[error("the value has more than {} bytes; use a shorter credential", SecretValue::MAX)]
    TooLong,
    /// Contains NUL.
    #[error("the value contains a NUL character; remove it")]
    Nul,
}

impl SecretValue {
    /// Fewest bytes of a value that is redacted.
    pub const MIN_REDACTED: usize = 8;
    /// Most bytes of a value.
    pub const MAX: usize = 16_384;

    /// Checks a value. `redact: false` says that it may be shown where others echo it.
    pub fn parse(text: String, redact: bool) -> Result<Self, InvalidSecret> {
        let text = SecretText::from(text);
        let shortest = if redact { Self::MIN_REDACTED } else { 1 };
        match text.expose() {
            "" => Err(InvalidSecret::Empty),
            value if value.len() < shortest => Err(InvalidSecret::TooShort),
            value if value.len() > Self::MAX => Err(InvalidSecret::TooLong),
            value if value.contains('\0') => Err(InvalidSecret::Nul),
            _ => Ok(Self { text, redact }),
        }
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Whether it is to be replaced wherever it appears.
    pub fn redact(&self) -> bool {
        self.redact
    }

    /// The value without its rules.
    pub fn into_text(self) -> SecretText {
        self.text
    }
}

/// A host that may receive a secret: `api.example.com`, `api.example.com:8443`, `[::1]:8080`.
/// Without a port any port of the host; never its subdomains.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostRule {
    host: Host,
    port: Option<u16>,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host: write a name or an IP address with an optional port, like \
     `api.example.com`, `api.example.com:8443` or `[2001:db8::1]`, without scheme, path or wildcard"
)]
pub struct InvalidHost(pub String);

impl HostRule {
    fn admits(&self, url: &Url) -> bool {
        let same_host = url.host().is_some_and(|host| without_root_dot(host.to_owned()) == self.host);
        same_host && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

/// True when one of the rules names the URL's host (and its port, where the rule has one).
pub fn allows(rules: &[HostRule], url: &Url) -> bool {
    rules.iter().any(|rule| rule.admits(url))
}

/// `example.com.` is `example.com` to the resolver, so it is the same host here.
fn without_root_dot(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.strip_suffix('.').map_or(name.clone(), str::to_owned)),
        address => address,
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port` in its two parts.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let end = text.find(']')? + 1;
        let (host, rest) = text.split_at(end);
        return if rest.is_empty() {
            Some((host, None))
        } else {
            Some((host, Some(rest.strip_prefix(':')?)))
        };
    }
    Some(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))))
}

fn parse_port(text: &str) -> Option<u16> {
    // `u16::from_str` would take `+80`.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

impl FromStr for HostRule {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(text.chars().take(100).collect());
        let (host, port) = split(text).ok_or_else(invalid)?;
        // The URL parser percent-decodes; a rule is written as it is meant.
        if host.is_empty() || host == "." || host.contains(['*', '%', '@', '/']) {
            return Err(invalid());
        }
        let host = Host::parse(host).map_err(|_| invalid())?;
        let port = port.map(|port| parse_port(port).ok_or_else(invalid)).transpose()?;
        Ok(Self { host: without_root_dot(host), port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_8_to_16384_bytes_unless_it_is_not_redacted() {
        let text = |bytes: usize| "x".repeat(bytes);
        let cases = [
            (text(0), true, Err(InvalidSecret::Empty)),
            (text(0), false, Err(InvalidSecret::Empty)),
            (text(7), true, Err(InvalidSecret::TooShort)),
            (text(7), false, Ok(())),
            (text(1), false, Ok(())),
            (text(8), true, Ok(())),
            ("äöüß".to_owned(), true, Ok(())),
            (text(16_384), true, Ok(())),
            (text(16_385), true, Err(InvalidSecret::TooLong)),
            (text(16_385), false, Err(InvalidSecret::TooLong)),
            ("12345678\0".to_owned(), true, Err(InvalidSecret::Nul)),
        ];
        for (value, redact, expected) in cases {
            let length = value.len();
            assert_eq!(SecretValue::parse(value, redact).map(|_| ()), expected, "{length} {redact}");
        }
    }

    #[test]
    fn debug_prints_no_value() {
        let value = SecretValue::parse("correct-horse".to_owned(), true).unwrap();
        let shown = format!("{value:?} {:?}", value.clone().into_text());
        assert!(shown.contains(HIDDEN) && !shown.contains("horse"), "{shown}");
        assert_eq!(value.expose(), "correct-horse");
    }

    #[test]
    fn rules_are_normalised_or_refused() {
        let good = [
            ("api.example.com", "api.example.com"),
            ("API.Example.com:8443", "api.example.com:8443"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("example.com.", "example.com"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]", "[::1]"),
            ("[0:0:0:0:0:0:0:1]:8080", "[::1]:8080"),
        ];
        for (text, normal) in good {
            let rule: HostRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), normal);
            assert_eq!(normal.parse::<HostRule>().unwrap(), rule);
        }
        let bad = [
            "",
            ".",
            ":80",
            "https://example.com",
            "example.com/path",
            "user@example.com",
            "*.example.com",
            "a%2eexample.com",
            "exa mple.com",
            "example.com:",
            "example.com:0",
            "example.com:+80",
            "example.com:65536",
            "::1",
            "[::1",
            "[::1]8080",
            "[::1]:",
        ];
        for text in bad {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_goes_only_to_hosts_that_are_listed() {
        let cases = [
            (&["api.example.com"][..], "https://api.example.com/x", true),
            (&["api.example.com"], "https://API.EXAMPLE.COM:8443/", true),
            (&["api.example.com"], "http://api.example.com./", true),
            (&["api.example.com"], "https://evil.api.example.com/", false),
            (&["api.example.com"], "https://api.example.com.evil.test/", false),
            (&["api.example.com"], "https://example.com/", false),
            (&["api.example.com:443"], "https://api.example.com/", true),
            (&["api.example.com:443"], "http://api.example.com/", false),
            (&["api.example.com:443"], "https://api.example.com:444/", false),
            (&["127.0.0.1"], "http://0x7f.1:8000/", true),
            (&["[::1]:8080"], "http://[0::1]:8080/", true),
            (&["[::1]:8080"], "http://[::1]/", false),
            (&["a.test", "b.test"], "http://b.test/", true),
            (&[], "http://b.test/", false),
        ];
        for (rules, url, expected) in cases {
            let list: Vec<HostRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
            assert_eq!(allows(&list, &Url::parse(url).unwrap()), expected, "{rules:?} {url}");
        }
    }
}
