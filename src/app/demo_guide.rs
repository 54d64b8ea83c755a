//! What `dossier demo` prints: where it runs, what its cases show, and lines to paste.
//!
//! The text lies in `config/demo/guide.txt`, so that it reads there as it does on the terminal;
//! everything from its first `export` to its last `curl` is a script that a test runs.

use std::net::SocketAddr;

/// The cases that are named one by one: each shows something else.
const NAMED: [&str; 6] = ["KYB-1001", "KYB-1002", "KYB-1003", "KYB-1010", "LOAN-2002", "LOAN-2003"];

/// A case that was made.
pub(super) struct Made {
    pub(super) reference: String,
    pub(super) id: String,
    pub(super) shows: String,
}

/// The places that the guide names.
pub(super) struct Places {
    /// `http://ADDRESS` of the API.
    pub(super) api: String,
    /// Where a browser signs in, once.
    pub(super) sign_in: String,
    /// `http://ADDRESS` of the sandbox.
    pub(super) provider: String,
    /// The address that the API should have had, but that somebody else uses.
    pub(super) taken: Option<SocketAddr>,
}

/// What was made, for the lines to paste.
pub(super) struct Sample {
    /// In the order of the file.
    pub(super) cases: Vec<Made>,
    /// The id of the schedule that fetches the rates.
    pub(super) schedule: String,
}

/// The text for the terminal; it holds the token.
pub(super) fn guide(places: &Places, token: &str, sample: &Sample) -> String {
    let cases = &sample.cases;
    let named: Vec<String> = cases
        .iter()
        .filter(|made| NAMED.contains(&made.reference.as_str()))
        .map(|made| format!("  {:<10} {}", made.reference, made.shows))
        .collect();
    let moved = places.taken.map_or_else(String::new, |taken| {
        format!("{taken} is in use by something else, so the API took a free port.\n")
    });
    let text = include_str!("../../config/demo/guide.txt")
        .replace("{api}", &places.api)
        .replace("{sign_in}", &places.sign_in)
        .replace("{provider}", &places.provider)
        .replace("{moved}", &moved)
        .replace("{token}", token)
        .replace("{schedule}", &sample.schedule)
        .replace("{count}", &cases.len().to_string())
        .replace("{cases}", &named.join("\n"));
    cases.iter().fold(text, |text, made| text.replace(&format!("{{{}}}", made.reference), &made.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(taken: Option<&str>) -> String {
        let made = |reference: &&str| Made {
            reference: (*reference).to_owned(),
            id: format!("id-of-{reference}"),
            shows: format!("what {reference} shows"),
        };
        let cases: Vec<Made> = NAMED.iter().chain(&["KYB-1099"]).map(made).collect();
        let places = Places {
            api: "http://127.0.0.1:1".to_owned(),
            sign_in: "http://127.0.0.1:1/sign-in/once".to_owned(),
            provider: "http://127.0.0.1:2".to_owned(),
            taken: taken.map(|taken| taken.parse().unwrap()),
        };
        guide(&places, "dsr_token", &Sample { cases, schedule: "id-of-schedule".to_owned() })
    }

    #[test]
    fn every_placeholder_is_filled_in() {
        let text = text(None);
        for held in [
            "dsr_token",
            "http://127.0.0.1:1/v1",
            "http://127.0.0.1:1/sign-in/once\n",
            "7 cases",
            "/cases/id-of-KYB-1001\n",
            "/id-of-schedule/run",
        ] {
            assert!(text.contains(held), "{held}");
        }
        for name in NAMED {
            assert!(text.contains(&format!("what {name} shows")), "{name}");
        }
        let names =
            ["{sign_in}", "{api}", "{provider}", "{token}", "{schedule}", "{count}", "{cases}", "{moved}"];
        for left in names.into_iter().chain(["{KYB", "{LOAN", "KYB-1099"]) {
            assert!(!text.contains(left), "{left}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 130));
    }

    #[test]
    fn a_taken_address_is_told() {
        assert!(text(Some("127.0.0.1:8080")).contains("127.0.0.1:8080 is in use"));
        assert!(!text(None).contains("in use"));
    }
}
