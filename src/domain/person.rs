//! People who sign in to the pages: what their names, e-mails and passwords may be.
//!
//! An e-mail is kept as it was typed and compared without case. Whether it is taken is not known
//! here.

use super::field::is_email;
use super::problem::{Problem, code};

/// Characters of a name.
pub const LONGEST_NAME: usize = 200;

/// Fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 10;

/// Most characters of a password.
pub const LONGEST_PASSWORD: usize = 1024;

/// What an e-mail is compared by.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// What is wrong with a name.
pub fn name_problem(name: &str) -> Option<Problem> {
    let count = name.chars().count();
    if name.trim().is_empty() || count > LONGEST_NAME {
        let why = format!("must have 1 to {LONGEST_NAME} characters");
        return Some(Problem::new("/name", code::OUT_OF_RANGE, why));
    }
    let unclear = name.chars().any(|c| c.is_control() || turns(c));
    unclear.then(|| {
        let why = "holds a line break or another control character: remove it";
        Problem::new("/name", code::INVALID, why)
    })
}

/// Whether a character turns the direction of those behind it (UAX #9, section 2), so that a name reads
/// as another one.
fn turns(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// How histories call a person: anybody may take any name, but an e-mail only an admin gives, so it
/// stands behind, last.
pub fn known_as(name: &str, email: Option<&str>) -> String {
    email.map_or_else(|| name.to_owned(), |email| format!("{name} <{email}>"))
}

/// What is wrong with an e-mail.
pub fn email_problem(email: &str) -> Option<Problem> {
    let why = "is not an e-mail address: write it like `ada@example.com`";
    (!is_email(email)).then(|| Problem::new("/email", code::INVALID, why))
}

/// What is wrong with a password; no message quotes it.
pub fn password_problem(password: &str, email: Option<&str>) -> Option<Problem> {
    let count = password.chars().count();
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&count) {
        let why = format!("must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters");
        return Some(Problem::new("/password", code::OUT_OF_RANGE, why));
    }
    let is_email = email.is_some_and(|email| folded(email) == folded(password));
    is_email.then(|| Problem::new("/password", code::INVALID, "is the e-mail itself: choose another one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_mails_are_compared_without_case() {
        assert_eq!(folded(" Ada@Example.COM"), "ada@example.com");
        for good in ["a@b.example", "ada.l+x@example.com", "ä@ö.example"] {
            assert_eq!(email_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.example",
            "a b@c.example",
            "a@b.example\n",
            &format!("{}@b.c", "a".repeat(254)),
        ] {
            assert!(email_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_long_and_not_the_e_mail() {
        for (password, good) in [
            ("ten chars!", true),
            ("nine char", false),
            ("ääääääääää", true),
            (&"x".repeat(1024), true),
            (&"x".repeat(1025), false),
            ("ADA@example.com", false),
        ] {
            assert_eq!(password_problem(password, Some("ada@example.com")).is_none(), good, "{password}");
        }
    }

    #[test]
    fn a_name_is_something_to_read() {
        for (name, good) in [
            ("Ada", true),
            ("", false),
            ("  ", false),
            ("a\nb", false),
            (&"x".repeat(201), false),
            ("Ada <eve@example.com>", true),
            ("a\u{202E}b", false),
        ] {
            assert_eq!(name_problem(name).is_none(), good, "{name}");
        }
    }
}
