//! How much fits on the page of a case. No page is larger than [`PAGE`] bytes, whatever the case.
//!
//! A page is filled in reading order. What there is no room for is written short: of a value the
//! beginning, of a card its name and state, of an input its label, each with a link to the whole.
//! All weights are of what is written, escaped; they are near, not exact, so a page is measured
//! once it is written, and made with less room when it is too large.

/// Bytes of a page at the most.
pub const PAGE: usize = 200_000;
/// Bytes of values, cards and inputs; the rest of a page stays well below what is left.
pub const ROOM: usize = 140_000;
/// Bytes that a form may take, with what is said beside its inputs when it is refused.
pub const FORM: usize = 140_000;
/// Bytes of the inputs and headings of the form for a new case.
pub const NEW: usize = 170_000;
/// Bytes of what is wrong with an input, where there is no room.
pub const SHORT_WRONG: usize = 200;

/// What may still be written on a page, in bytes. Some of it is kept for what must come later,
/// if ever so short.
#[derive(Debug)]
pub struct Room {
    left: usize,
    kept: usize,
}

impl Room {
    /// So much, of which some is kept.
    pub fn new(left: usize, kept: usize) -> Self {
        Self { left, kept }
    }

    /// Whether there is so much beside what is kept.
    pub fn has(&self, bytes: usize) -> bool {
        self.left >= self.kept.saturating_add(bytes)
    }

    /// Takes some, if there is enough.
    pub fn take(&mut self, bytes: usize) -> bool {
        let enough = self.has(bytes);
        self.left -= if enough { bytes } else { 0 };
        enough
    }

    /// Takes what has to be written in any case.
    pub fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// What was kept is wanted now.
    pub fn free(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }
}

/// Bytes of a text once it is escaped.
pub fn written(text: &str) -> usize {
    text.len() + 4 * text.bytes().filter(|byte| b"<>&\"'".contains(byte)).count()
}

/// The beginning of a text that takes at most so many bytes once it is escaped; what was longer
/// ends in an ellipsis.
pub fn within(text: &str, bytes: usize) -> String {
    if written(text) <= bytes {
        return text.to_owned();
    }
    let mut left = bytes.saturating_sub('…'.len_utf8());
    let fits = |letter: &char| {
        let size = written(letter.encode_utf8(&mut [0; 4]));
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_until_there_is_none() {
        let mut room = Room::new(10, 2);
        assert!(room.take(7) && !room.take(3) && room.take(1) && !room.take(1));
        room.free(2);
        assert!(room.take(2) && !room.has(1));
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_on_the_page() {
        assert_eq!(written("a<b>"), 12);
        for (text, bytes, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 5, "abcd"),
            ("abcdef", 5, "ab…"),
            ("<<<", 13, "<<…"),
            ("é<", 6, "é…"),
        ] {
            assert_eq!(within(text, bytes), expected);
            assert!(written(expected) <= bytes);
        }
    }
}
