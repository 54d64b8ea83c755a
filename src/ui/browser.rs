//! Which browser it was, in words by which whoever uses it recognises it.
//!
//! Browsers name each other for historical reasons, so the order matters: who is looked for first
//! names those after it, too.

use super::words::account as w;

const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// `Firefox on Linux`; what names no browser that we know is an unknown one.
pub fn browser(agent: &str) -> String {
    let known = |list: &[(&str, &'static str)]| {
        list.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(name), Some(system)) => w::on(name, system),
        (Some(name), None) => name.to_owned(),
        _ => w::UNKNOWN_BROWSER.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/141.0 Safari/537.36"),
                "Chrome on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/141.0 Safari/537.36 Edg/141"),
                "Edge on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Linux; Android 15) {webkit} Chrome/141.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            ("curl/8.14.1", "Unknown browser"),
            ("X11; Linux", "Unknown browser"),
            (
                &format!(
                    "Mozilla/5.0 (Linux; Android 15) {webkit} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36"
                ),
                "Samsung Internet on Android",
            ),
            ("Safari/1", "Safari"),
            (" ", "Unknown browser"),
        ] {
            assert_eq!(browser(agent), expected, "{agent}");
        }
    }
}
