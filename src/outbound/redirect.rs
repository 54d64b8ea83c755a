//! Redirects are refused by name: nothing is followed, the builder sees where it would have led.
//!
//! The location is what the provider said, resolved against the request's URL; a user name and a
//! password in it are dropped. An answer without a `location` is an answer like any other.

use url::Url;

/// Longest location that is named, in bytes.
const SHOWN: usize = 2048;

/// Where a redirect leads: `Some` for 301, 302, 303, 307 and 308 with a location
/// (RFC 9110, section 15.4).
pub fn location(status: u16, headers: &[(String, String)], url: &Url) -> Option<String> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let (_, location) = headers.iter().find(|(name, _)| name == "location")?;
    let location = match url.join(location.trim()) {
        Ok(target) => without_user(target).to_string(),
        // Not a URL, so there is no telling what part of it is a password.
        Err(_) => "something that is not a URL".to_owned(),
    };
    // Not cut: a part of a credential would not be found in it.
    let too_long = || format!("an address of {} characters", location.chars().count());
    Some(if location.len() > SHOWN { too_long() } else { location })
}

fn without_user(mut url: Url) -> Url {
    // Fails only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirects_with_a_location_lead_elsewhere() {
        let cases = [
            (301, Some("/next?a=1#b"), Some("https://registry.example/next?a=1#b")),
            (302, Some("https://other.example/x"), Some("https://other.example/x")),
            (303, Some("//other.example"), Some("https://other.example/")),
            (307, Some("http://me:pw@other.example/"), Some("http://other.example/")),
            (308, Some("next"), Some("https://registry.example/v1/next")),
            (302, Some("http://["), Some("something that is not a URL")),
            (302, None, None),
            (200, Some("/next"), None),
            (201, Some("/next"), None),
            (300, Some("/next"), None),
            (304, Some("/next"), None),
            (305, Some("/next"), None),
        ];
        let url = Url::parse("https://registry.example/v1/companies").unwrap();
        for (status, given, led) in cases {
            let headers: Vec<_> =
                given.map(|text| ("location".to_owned(), text.to_owned())).into_iter().collect();
            assert_eq!(location(status, &headers, &url).as_deref(), led, "{status} {given:?}");
        }
    }

    #[test]
    fn a_long_location_is_not_named_and_not_cut() {
        let url = Url::parse("https://registry.example/").unwrap();
        let headers = [("location".to_owned(), "x".repeat(100_000))];
        assert_eq!(location(302, &headers, &url).as_deref(), Some("an address of 100025 characters"));
    }
}
