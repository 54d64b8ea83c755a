//! Sizes in bytes, as people write them.

const UNITS: [(&str, u64); 7] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

/// Reads `2097152`, `2 MiB`, `64KiB` or `5 MB` (decimal); whole numbers only.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let factor = if unit.is_empty() { 1 } else { UNITS.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(factor)
}

/// The size in the largest binary unit that divides it, e.g. `2 MiB`.
pub fn show(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{} {unit}", bytes / factor);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("0", Some(0)),
            ("2097152", Some(2_097_152)),
            ("2 MiB", Some(2_097_152)),
            ("2MiB", Some(2_097_152)),
            (" 64 kib ", Some(65_536)),
            ("1 GiB", Some(1_073_741_824)),
            ("5 MB", Some(5_000_000)),
            ("7 B", Some(7)),
            ("", None),
            ("MiB", None),
            ("2 M", None),
            ("1.5 MiB", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("99999999999 GiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1_000, "1000 bytes"),
            (1_024, "1 KiB"),
            (1_536, "1536 bytes"),
            (2 << 20, "2 MiB"),
        ] {
            assert_eq!(show(bytes), expected);
        }
    }
}
