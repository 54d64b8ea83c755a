//! Sessions of people who signed in, and links that sign somebody in once: their tokens, how long
//! they are good, and the token against forged requests.
//!
//! A token is 256 random bits, so its plain SHA-256 is enough to find and to keep it by. The token
//! of a form is an HMAC of the session's: who has it has seen a page of that very session, and
//! nothing more has to be kept. This file knows no cookies and no rows.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::hmac;
use subtle::ConstantTimeEq;

use super::clock::{Instant, Rng};
use super::secret::SecretText;

/// A session that is not used for so long has ended.
pub const IDLE: Duration = Duration::from_hours(12);

/// A session ends after so long however much it is used.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// For so long a sign-in link is good.
pub const LINK: Duration = Duration::from_hours(1);

/// What every session token starts with, so that a leaked one is recognised in a text.
pub const PREFIX: &str = "dss_";

/// Characters that are kept of what a browser says of itself.
const LONGEST_AGENT: usize = 200;

/// A new token of a session: `dss_` and 32 random bytes in URL-safe base64.
pub fn generate(rng: &dyn Rng) -> SecretText {
    SecretText::from(format!("{PREFIX}{}", random(rng)))
}

/// A new token of a link: 32 random bytes in URL-safe base64.
pub fn generate_link(rng: &dyn Rng) -> SecretText {
    SecretText::from(random(rng))
}

fn random(rng: &dyn Rng) -> String {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The token that every form of a session carries.
pub fn csrf(session: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"dossier form"))
}

/// Whether a form carries the token of its session; takes the same time wherever they differ.
pub fn is_csrf(expected: &str, presented: &str) -> bool {
    expected.as_bytes().ct_eq(presented.as_bytes()).into()
}

/// Whether a session is good at `now`.
pub fn is_good(created: Instant, seen: Instant, now: Instant) -> bool {
    now < created + LONGEST && now < seen + IDLE
}

/// What is kept of what a browser says of itself.
pub fn agent(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn a_session_ends_when_it_rests_and_after_a_week() {
        let start = DateTime::from_timestamp_millis(1_795_253_400_000).unwrap();
        let at = |hours| start + TimeDelta::hours(hours);
        for (seen, now, good) in
            [(0, 0, true), (0, 11, true), (0, 12, false), (11, 22, true), (160, 167, true), (167, 168, false)]
        {
            assert_eq!(is_good(start, at(seen), at(now)), good, "seen {seen}, now {now}");
        }
    }

    #[test]
    fn the_token_of_a_form_belongs_to_one_session() {
        let (one, other) = (csrf("dss_one"), csrf("dss_other"));
        assert!(is_csrf(&one, &csrf("dss_one")) && !is_csrf(&one, &other) && !is_csrf(&one, ""));
        assert_eq!(one.len(), 43);
    }

    #[test]
    fn a_browser_is_kept_short() {
        assert_eq!(agent("Mozilla/5.0\r\n\0 x"), "Mozilla/5.0 x");
        assert_eq!(agent(&"ä".repeat(500)).chars().count(), 200);
    }
}
