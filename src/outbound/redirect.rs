//! Where a redirect leads. Nothing is followed here: that is for whoever knows what may go along.
//!
//! The location is what the provider said, resolved against the request's URL. As it is *named*, it is without
//! user name, password, query and fragment: any of them may hold what nobody else should read. An
//! answer without a `location` is an answer like any other.

use url::Url;

/// Longest location that is named, in bytes.
const SHOWN: usize = 2048;
/// Longest location that is followed, in bytes.
const LONGEST: usize = 8192;

/// Where a redirect leads, as it is named: `Some` for 301, 302, 303, 307 and 308 with a location
/// (RFC 9110, section 15.4).
pub fn location(status: u16, headers: &[(String, String)], url: &Url) -> Option<String> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = locations(headers).next()?;
    let named = match url.join(location.trim()) {
        Ok(target) => named(target).to_string(),
        // Not a URL, so there is no telling what part of it is a password.
        Err(_) => "something that is not a URL".to_owned(),
    };
    // Not cut: a part of a credential would not be found in it.
    let too_long = || format!("an address of {} characters", named.chars().count());
    Some(if named.len() > SHOWN { too_long() } else { named })
}

/// The URL to which a redirect leads, without its fragment, which is never sent. The error says
/// why it leads nowhere; it completes "it leads to …, ".
pub fn redirect_target(headers: &[(String, String)], url: &Url) -> Result<Url, &'static str> {
    let mut all = locations(headers);
    let (Some(location), None) = (all.next(), all.next()) else {
        return Err("but says so more than once");
    };
    let location = location.trim();
    if location.is_empty() {
        return Err("for its `location` is empty");
    }
    if location.len() > LONGEST {
        return Err("whose address is too long");
    }
    if !location.is_ascii() || location.chars().any(|c| c.is_ascii_control()) {
        return Err("whose address holds characters that no address may hold");
    }
    let mut target = url.join(location).map_err(|_| "which cannot be read as an address")?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err("which is neither http nor https");
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err("whose address holds a user name or a password");
    }
    target.set_fragment(None);
    Ok(target)
}

fn locations(headers: &[(String, String)]) -> impl Iterator<Item = &str> {
    headers.iter().filter(|(name, _)| name == "location").map(|(_, value)| value.as_str())
}

fn named(mut url: Url) -> Url {
    // Fails only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from() -> Url {
        Url::parse("https://registry.example/v1/companies?key=k").unwrap()
    }

    fn said(locations: &[&str]) -> Vec<(String, String)> {
        locations.iter().map(|text| ("location".to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn only_redirects_with_a_location_lead_elsewhere() {
        let cases = [
            (301, Some("/next?a=1#b"), Some("https://registry.example/next")),
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
        for (status, given, led) in cases {
            let headers = said(given.as_slice());
            assert_eq!(location(status, &headers, &from()).as_deref(), led, "{status} {given:?}");
        }
    }

    #[test]
    fn a_long_location_is_not_named_and_not_cut() {
        let headers = said(&[&"x".repeat(100_000)]);
        assert_eq!(location(302, &headers, &from()).as_deref(), Some("an address of 100028 characters"));
        assert!(redirect_target(&headers, &from()).is_err());
    }

    #[test]
    fn a_location_leads_to_one_plain_address() {
        for (given, target) in [
            ("/next?a=1#b", "https://registry.example/next?a=1"),
            ("next", "https://registry.example/v1/next"),
            ("../up", "https://registry.example/up"),
            ("?page=2", "https://registry.example/v1/companies?page=2"),
            ("#top", "https://registry.example/v1/companies?key=k"),
            ("  /spaces  ", "https://registry.example/spaces"),
            ("//other.example/x", "https://other.example/x"),
            ("/\\other.example/x", "https://other.example/x"),
            ("\\\\other.example/x", "https://other.example/x"),
            ("HTTP://Other.Example:80/x", "http://other.example/x"),
            ("https:/x", "https://registry.example/x"),
            ("http://2130706433/", "http://127.0.0.1/"),
        ] {
            assert_eq!(redirect_target(&said(&[given]), &from()).unwrap().as_str(), target, "{given}");
        }
        for given in [
            "",
            "   ",
            "https://me@other.example/",
            "https://me:pw@registry.example/",
            "https://:pw@registry.example/",
            "ftp://registry.example/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,x",
            "http://[",
            "http://",
            "http://registry.example:99999/",
            "http://r\u{e9}gistry.example/",
            "/caf\u{e9}",
            "/a\tb",
        ] {
            assert!(redirect_target(&said(&[given]), &from()).is_err(), "{given}");
        }
        assert!(redirect_target(&said(&["/a", "/b"]), &from()).is_err());
        assert!(redirect_target(&said(&["/a", "/a"]), &from()).is_err());
        assert!(redirect_target(&[], &from()).is_err());
    }
}
