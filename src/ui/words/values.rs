//! Values.

/// Words of names that are always written in capitals.
pub const CAPITALS: [&str; 14] =
    ["API", "BIC", "EU", "EUID", "IBAN", "ID", "IP", "ISO", "LEI", "NACE", "SWIFT", "URL", "VAT", "ZIP"];

pub const NOTHING: &str = "–";
pub const YES: &str = "yes";
pub const NO: &str = "no";

/// A message that was written for programs, as people read it: names stand in quotation marks.
pub fn quoted(text: &str) -> String {
    let mut inside = false;
    let quote = |letter: char| {
        if letter != '`' {
            return letter;
        }
        inside = !inside;
        if inside { '“' } else { '”' }
    };
    text.chars().map(quote).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_messages_stand_in_quotation_marks() {
        assert_eq!(quoted("one of `new`, `old`"), "one of “new”, “old”");
        assert_eq!(quoted("nothing"), "nothing");
    }
}
