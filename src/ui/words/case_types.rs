//! Case types and their fields.

pub const TITLE: &str = "Case types";
pub const NONE_TITLE: &str = "No case type yet";
pub const NONE: &str = "A case type says what a case is made of: its sections, its fields, and which of them fill themselves in. \
     Save the first with PUT /v1/case-types/{key}; the description of the API shows how.";
pub const DOCS: &str = "Open the description of the API";
pub const NAME: &str = "Name";
pub const KEY: &str = "Key";
pub const VERSION: &str = "Version";
pub const FIELDS: &str = "Fields";
pub const CHANGED: &str = "Changed";
pub const FURTHER: &str = "Further case types";

pub const CASES: &str = "Its cases";
pub const RUNS: &str = "Its runs";
pub const DOUBTS: &str = "What is doubtful";
pub const SECTIONS: &str = "Sections";
pub const ABOUT: &str = "About this case type";
pub const PARAMS: &str = "Params";
pub const OTHER_DATA: &str = "Other data";
pub const TAKEN: &str = "taken";
pub const REFUSED: &str = "refused";
pub const CREATED: &str = "Made";
pub const PLAIN: &str = "Fields that hold a value";
pub const FETCHING: &str = "Fields that fetch";
pub const NO_FIELDS: &str = "It has no fields.";
pub const FIELD: &str = "Field";
pub const TYPE: &str = "Type";
pub const SECTION: &str = "Section";
pub const RULES: &str = "Rules";
pub const REQUIRED: &str = "required";
pub const INDEXED: &str = "quick to filter by";
pub const DEFAULT: &str = "default";
pub const OPTIONS: &str = "options";

pub const RUNS_WHEN: &str = "Runs";
pub const WATCHES: &str = "Watches";
pub const INFERRED: &str = "inferred from what it reads";
pub const SCHEDULE: &str = "Schedule";
pub const NEXT: &str = "Next times";
pub const CONDITION: &str = "Only when";
pub const CONNECTION: &str = "Connection";
pub const ENDPOINT: &str = "endpoint";
pub const REQUEST: &str = "Request";
pub const AUTH: &str = "Credentials";
pub const OF_CONNECTION: &str = "those of the connection";
pub const RETRIES: &str = "Retries";
pub const TIMEOUT: &str = "Timeout";
pub const CACHE: &str = "Cache";
pub const NO_CACHE: &str = "none";
pub const SUCCESS: &str = "A success when";
pub const RETRY_WHEN: &str = "Tried again when";
pub const KEEPS: &str = "Keeps the whole answer as";
pub const MAPPING: &str = "What the answer fills in";
pub const FROM_ENDPOINT: &str = "What the endpoint says.";
pub const NOTHING_MAPPED: &str = "Nothing on its own.";
pub const TARGET: &str = "Target";
pub const SOURCE: &str = "From";
pub const RULE: &str = "Rules";
pub const OFF: &str = "Switched off";
pub const ON: &str = "Switched on";
pub const HISTORY: &str = "Runs";
pub const JSON_LONG: &str = "This is the beginning of it; GET /v1/case-types/{key} answers the whole.";
pub const MORE_FIELDS: &str = "Further fields stand in the JSON only, since this page is long already.";
pub const VERSIONS: &str = "Versions";
pub const BY: &str = "By";
pub const WHEN: &str = "When";
pub const CURRENT: &str = "current";
pub const OLDER: &str = "Older versions are at GET /v1/case-types/{key}/versions.";

/// When a field runs: `on_create` …
pub fn trigger(trigger: &str) -> Option<&'static str> {
    match trigger {
        "on_create" => Some("when a case is made"),
        "on_update" => Some("when a watched value changes"),
        "manual" => Some("by hand"),
        "scheduled" => Some("by schedule"),
        _ => None,
    }
}

/// When a page shows a field.
pub fn visibility(visibility: &str) -> Option<&'static str> {
    match visibility {
        "hide-when-empty" => Some("hidden while empty"),
        "hidden" => Some("hidden"),
        _ => None,
    }
}

/// How a request proves who it is.
pub fn auth(kind: &str) -> &str {
    match kind {
        "none" => "none",
        "bearer" => "a bearer token",
        "basic" => "user name and password",
        "api_key" => "an API key",
        "oauth2_client_credentials" => "OAuth 2, client credentials",
        "oauth2_password" => "OAuth 2, password",
        "token_request" => "a token from a request of its own",
        other => other,
    }
}

/// `up to 3, 4 attempts in all`.
pub fn retries(retries: u64) -> String {
    match retries {
        0 => "none: one attempt".to_owned(),
        1 => "1, so 2 attempts at most".to_owned(),
        _ => format!("{retries}, so {} attempts at most", retries + 1),
    }
}

/// `for data older than 7 days`.
pub fn older_than(span: &str) -> String {
    format!("only where the data is older than {span}")
}

pub const INCLUDE_CLOSED: &str = "closed cases, too";

/// `6 plain, 4 fetch`.
pub fn fields(plain: usize, fetch: usize) -> String {
    format!("{plain} plain, {fetch} fetch")
}
