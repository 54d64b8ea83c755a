//! When a certificate is valid, read from its DER (RFC 5280, section 4.1).
//!
//! Only so much of the structure is read as leads to the two dates. It proves nothing: who trusts
//! a certificate verifies it elsewhere.

use chrono::NaiveDateTime;

use super::clock::Instant;

/// The tags of what is passed over or looked into.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when to when a certificate is valid; none when it cannot be read.
pub fn validity(der: &[u8]) -> Option<(Instant, Instant)> {
    let (_, certificate, _) = element(der).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut rest, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, signature, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, dates, _) = element(rest).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (tag, from, dates) = element(dates)?;
    let from = time(tag, from)?;
    let (tag, until, _) = element(dates)?;
    Some((from, time(tag, until)?))
}

/// The first element: its tag, its content, and what stands behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (count, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(count, _)| count.len() <= 4)?;
        (count.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(tag: u8, content: &[u8]) -> Option<Instant> {
    let text = std::str::from_utf8(content).ok()?;
    let whole = match tag {
        // Two digits of the year: 50 to 99 are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%SZ").ok().map(|at| at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as it is read: a version, three elements, the dates.
    fn certificate(from: (u8, &str), until: (u8, &str)) -> Vec<u8> {
        let wrap = |tag: u8, content: Vec<u8>| {
            let length = u8::try_from(content.len()).unwrap();
            let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
            [head, content].concat()
        };
        let date = |(tag, text): (u8, &str)| wrap(tag, text.as_bytes().to_vec());
        let dates = wrap(SEQUENCE, [date(from), date(until)].concat());
        let skipped = [
            wrap(VERSION, vec![2, 1, 2]),
            wrap(2, vec![7]),
            wrap(SEQUENCE, vec![]),
            wrap(SEQUENCE, vec![0; 120]),
        ];
        wrap(SEQUENCE, wrap(SEQUENCE, [skipped.concat(), dates].concat()))
    }

    #[test]
    fn the_dates_are_found_in_both_spellings() {
        let found = validity(&certificate((0x17, "491231235959Z"), (0x18, "20500101000000Z"))).unwrap();
        assert_eq!(found.0.to_rfc3339(), "2049-12-31T23:59:59+00:00");
        assert_eq!(found.1.to_rfc3339(), "2050-01-01T00:00:00+00:00");
        let old = validity(&certificate((0x17, "500101000000Z"), (0x17, "260101000000Z"))).unwrap();
        assert_eq!(old.0.to_rfc3339(), "1950-01-01T00:00:00+00:00");
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        let whole = certificate((0x17, "260101000000Z"), (0x17, "270101000000Z"));
        for cut in 0..whole.len() {
            assert_eq!(validity(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(validity(&certificate((0x17, "260101"), (0x17, "270101000000Z"))), None);
        assert_eq!(validity(&[0x30, 0xff, 0xff]), None);
    }
}
