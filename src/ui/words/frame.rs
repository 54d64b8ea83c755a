//! Around every page: the way to the others, and what a form says when it is done.

pub const PRODUCT: &str = "Dossier";
pub const SKIP: &str = "Skip to the content";
pub const PAGES: &str = "Pages";
pub const SIGN_OUT: &str = "Sign out";
pub const ACCOUNT: &str = "Your account";
pub const KEYS: &str = "Keys";
pub const KEYS_HELP: &str = "Keyboard";
pub const CLOSE: &str = "Close";
pub const COPY: &str = "Copy";
pub const FORM_TOO_LARGE: &str = "This form holds more than 256 KB, which is the most that a page can send. Nothing was sent, and what you typed \
     still stands here: shorten the longest text, or save the texts one at a time. Through the API there is more room.";
pub const COPIED: &str = "Copied";
pub const LIVE_LOST: &str = "The connection is lost; what you see may be old. Trying again.";
pub const LIVE_BACK: &str = "Connected again.";

pub const CASES: &str = "Cases";
pub const RUNS: &str = "Runs";
pub const CASE_TYPES: &str = "Case types";
pub const CONNECTIONS: &str = "Connections";
pub const SCHEDULES: &str = "Schedules";
pub const SECRETS: &str = "Secrets";
pub const PEOPLE: &str = "People";

/// The keys that work, and what each does.
pub const ALL_KEYS: [(&str, &str); 12] = [
    ("/", "Search"),
    ("j", "Next row or card"),
    ("k", "Row or card before"),
    ("Enter", "Open"),
    ("r", "Refresh the field"),
    ("Shift R", "Refresh past the cache"),
    ("h", "History of the field"),
    ("e", "Edit"),
    ("[", "Case before"),
    ("]", "Next case"),
    ("Esc", "Back"),
    ("?", "These keys"),
];
