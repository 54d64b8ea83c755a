//! Values.

/// Words of names that are always written in capitals.
pub const CAPITALS: [&str; 14] =
    ["API", "BIC", "EU", "EUID", "IBAN", "ID", "IP", "ISO", "LEI", "NACE", "SWIFT", "URL", "VAT", "ZIP"];

pub const NOTHING: &str = "–";
pub const YES: &str = "yes";
pub const NO: &str = "no";

/// An answer that stands alone.
pub const ANSWER_YES: &str = "Yes";
pub const ANSWER_NO: &str = "No";

/// A large value, by what it holds.
pub fn members(count: usize) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

/// A list of large values.
pub fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

/// A member of an object, in a line: `date 2026-11-20`.
pub fn member(name: &str, value: &str) -> String {
    format!("{name} {value}")
}
