//! How often a sign-in may fail: counted by e-mail and by address, in this process. Who is signed in
//! and tells their present password again is counted by person.
//!
//! A try is counted when it begins and given back when it succeeds, so that many at once are no
//! more than many in a row. What is counted is bounded: where there is too much of it, what began
//! first is forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use super::error::ServiceError;
use crate::domain::clock::Instant;
use crate::domain::ids::PersonId;
use crate::domain::person::folded;

/// For so long failures count, from the first.
const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// Failures for one e-mail.
const OF_EMAIL: u32 = 10;

/// Failures from one address.
const OF_ADDRESS: u32 = 30;

/// Things counted at once.
const MOST: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Email(String),
    Address(IpAddr),
    Person(PersonId),
}

impl Subject {
    fn most(&self) -> u32 {
        match self {
            Self::Email(_) | Self::Person(_) => OF_EMAIL,
            Self::Address(_) => OF_ADDRESS,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    tries: u32,
}

/// Counts failures. Cheap to clone; clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle(Arc<Mutex<HashMap<Subject, Count>>>);

/// A try that was counted.
pub(super) struct Try(Vec<Subject>);

impl Throttle {
    fn counts(&self) -> MutexGuard<'_, HashMap<Subject, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a try, unless there were too many.
    pub(super) fn begin(&self, email: &str, address: IpAddr, now: Instant) -> Result<Try, ServiceError> {
        self.count(vec![Subject::Email(folded(email)), Subject::Address(network(address))], now)
    }

    /// Counts a try of somebody who is signed in, likewise.
    pub(super) fn begin_again(&self, person: PersonId, now: Instant) -> Result<Try, ServiceError> {
        self.count(vec![Subject::Person(person)], now)
    }

    fn count(&self, subjects: Vec<Subject>, now: Instant) -> Result<Try, ServiceError> {
        let mut counts = self.counts();
        counts.retain(|_, count| now - count.since < WINDOW);
        let full = subjects.iter().filter_map(|subject| {
            let count = counts.get(subject).filter(|count| count.tries >= subject.most())?;
            (count.since + WINDOW - now).to_std().ok()
        });
        if let Some(left) = full.max() {
            return Err(too_often(left));
        }
        for subject in &subjects {
            make_room(&mut counts);
            let count = counts.entry(subject.clone()).or_insert(Count { since: now, tries: 0 });
            count.tries += 1;
        }
        Ok(Try(subjects))
    }

    /// A try that succeeded was no failure, and those before it for the same e-mail are forgiven.
    pub(super) fn succeeded(&self, Try(subjects): Try) {
        let mut counts = self.counts();
        for subject in subjects {
            match subject {
                Subject::Email(_) | Subject::Person(_) => {
                    counts.remove(&subject);
                }
                Subject::Address(_) => {
                    if let Some(count) = counts.get_mut(&subject) {
                        count.tries = count.tries.saturating_sub(1);
                    }
                }
            }
        }
    }
}

fn make_room(counts: &mut HashMap<Subject, Count>) {
    if counts.len() >= MOST
        && let Some(first) =
            counts.iter().min_by_key(|(_, count)| count.since).map(|(first, _)| first.clone())
    {
        counts.remove(&first);
    }
}

/// Who has one IPv6 address has a /64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn too_often(left: Duration) -> ServiceError {
    let minutes = left.as_secs().div_ceil(60).max(1);
    let s = if minutes == 1 { "" } else { "s" };
    let detail = format!("Too many tries have failed. Wait {minutes} minute{s}, then try again.");
    ServiceError::TooManyRequests { detail, retry_after: Duration::from_secs(left.as_secs().max(1)) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn at(seconds: i64) -> Instant {
        DateTime::from_timestamp(1_795_253_400 + seconds, 0).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_e_mail_fails_ten_times_in_five_minutes() {
        let throttle = Throttle::default();
        for n in 0..10 {
            let address = ip(&format!("192.0.2.{n}"));
            assert!(throttle.begin("Ada@example.com", address, at(n)).is_ok(), "{n}");
        }
        let refused = throttle.begin("ada@EXAMPLE.com", ip("192.0.2.99"), at(60)).err().unwrap();
        let ServiceError::TooManyRequests { retry_after, .. } = refused else { panic!("{refused}") };
        assert_eq!(retry_after, Duration::from_mins(4));
        assert!(throttle.begin("bob@example.com", ip("192.0.2.99"), at(60)).is_ok());
        assert!(throttle.begin("ada@example.com", ip("192.0.2.99"), at(300)).is_ok());
    }

    #[test]
    fn an_address_fails_thirty_times() {
        let throttle = Throttle::default();
        for n in 0..30 {
            let address = ip(&format!("2001:db8::{n:x}"));
            assert!(throttle.begin(&format!("{n}@example.com"), address, at(0)).is_ok(), "{n}");
        }
        assert!(throttle.begin("x@example.com", ip("2001:db8::ffff"), at(1)).is_err());
        assert!(throttle.begin("x@example.com", ip("2001:db8:1::1"), at(1)).is_ok());
    }

    #[test]
    fn who_succeeds_is_not_counted() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            let counted = throttle.begin("ada@example.com", ip("192.0.2.1"), at(0)).unwrap();
            throttle.succeeded(counted);
        }
        assert!(throttle.begin("ada@example.com", ip("192.0.2.1"), at(0)).is_ok());
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..MOST {
            let n = u32::try_from(n).unwrap();
            throttle.begin(&format!("{n}@example.com"), IpAddr::from(n.to_be_bytes()), at(0)).ok();
            if n > 11_000 {
                break;
            }
        }
        assert!(throttle.counts().len() <= MOST);
    }
}
