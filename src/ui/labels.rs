//! What people call the place of a value: `company.legal_name` is *Legal name*.
//!
//! Paths are written by builders, for templates; who reads a case wants names. The end of a path
//! is its name; where two of one card end alike, as much of the path goes before as tells them
//! apart: *Company: name*. The path itself stays within reach, as the title of the name.

use std::collections::HashMap;

use super::words::values::CAPITALS;

/// The end of a path as a name: `bank.iban_valid` is `IBAN valid`.
pub fn human(path: &str) -> String {
    named(path, 1)
}

/// A whole path in words, where nothing around it says what it belongs to: `Company legal name`.
pub fn in_full(path: &str) -> String {
    capital(&path.split('.').map(words).collect::<Vec<_>>().join(" "))
}

/// A member of an object in words, within a line: `legal form`.
pub fn words(segment: &str) -> String {
    let mut spaced = String::new();
    let mut before = ' ';
    for letter in segment.chars() {
        if before.is_lowercase() && letter.is_uppercase() {
            spaced.push(' ');
        }
        spaced.push(letter);
        before = letter;
    }
    let words: Vec<String> =
        spaced.split(['_', '-', ' ']).filter(|word| !word.is_empty()).map(word).collect();
    if words.is_empty() { segment.to_owned() } else { words.join(" ") }
}

/// Names for paths that stand together, none twice.
pub fn told_apart(paths: &[String]) -> Vec<String> {
    let mut depths = vec![1; paths.len()];
    loop {
        let names: Vec<String> = paths.iter().zip(&depths).map(|(path, depth)| named(path, *depth)).collect();
        let mut longer = false;
        // Counted first: there may be as many paths as a case has room for.
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in &names {
            *counts.entry(name).or_default() += 1;
        }
        for (index, path) in paths.iter().enumerate() {
            let twice = counts.get(&*names[index]).is_some_and(|count| *count > 1);
            if twice && depths[index] < path.split('.').count() {
                depths[index] += 1;
                longer = true;
            }
        }
        if !longer {
            return names;
        }
    }
}

/// The last so many segments: `Company: address: city`.
fn named(path: &str, depth: usize) -> String {
    let segments: Vec<&str> = path.split('.').collect();
    let last = &segments[segments.len().saturating_sub(depth)..];
    capital(&last.iter().map(|segment| words(segment)).collect::<Vec<_>>().join(": "))
}

/// What is written in capitals stays so.
fn word(word: &str) -> String {
    let upper = word.to_uppercase();
    if CAPITALS.contains(&upper.as_str()) || (word == upper && word.chars().count() > 1) {
        return upper;
    }
    word.to_lowercase()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_reads_like_a_name() {
        for (path, name) in [
            ("company.legal_name", "Legal name"),
            ("bank.iban_valid", "IBAN valid"),
            ("vat.checked_on", "Checked on"),
            ("legalForm", "Legal form"),
            ("exchange.USD", "USD"),
            ("ids.vat-id", "VAT ID"),
            ("élan", "Élan"),
            ("a.__", "__"),
            ("list.0", "0"),
        ] {
            assert_eq!(human(path), name);
        }
        assert_eq!(in_full("company.address.city"), "Company address city");
        assert_eq!(in_full("vat.valid"), "VAT valid");
    }

    #[test]
    fn names_that_clash_say_what_they_belong_to() {
        let paths = ["company.name", "owner.name", "company.city", "a.x.id", "b.x.id", "name"];
        let names = told_apart(&paths.map(str::to_owned));
        assert_eq!(names, ["Company: name", "Owner: name", "City", "A: x: ID", "B: x: ID", "Name"]);
        // What differs in nothing that is read stays as it is.
        assert_eq!(told_apart(&["a_b".to_owned(), "a-b".to_owned()]), ["A b", "A b"]);
    }
}
