//! How long somebody who reads waits for an answer.
//!
//! A database that is frozen, or that holds a lock, says nothing at all; whoever asked shall hear
//! of it, and a probe soon. Only reading is bounded: it can be let go of at any point, since a
//! connection that was left in the middle comes back to its pool when the server has answered, and
//! not before. What becomes of a change is known only when the database says so.

use std::future::Future;
use std::pin::pin;

use chrono::TimeDelta;
use futures_util::future::{Either, select};

use super::error::ServiceError;
use crate::domain::clock::{Clock, Instant};
use crate::store::StoreError;

/// For pages and calls that read.
pub const READING: TimeDelta = TimeDelta::seconds(15);

/// For those who ask whether the process can serve.
pub const PROBING: TimeDelta = TimeDelta::seconds(3);

/// What comes of `work`; at `until`, without anything, that the database is away.
pub async fn in_time<T>(
    clock: &dyn Clock,
    until: Instant,
    work: impl Future<Output = T>,
) -> Result<T, ServiceError> {
    match select(pin!(work), clock.sleep_until(until)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => {
            let cause = "the database has not answered in time";
            Err(ServiceError::Store(StoreError::Unavailable(cause.to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;

    /// It is noon, and stays so.
    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Instant {
            Instant::UNIX_EPOCH + TimeDelta::hours(12)
        }

        fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
            if at <= self.now() { Box::pin(ready(())) } else { Box::pin(pending()) }
        }
    }

    #[test]
    fn who_waits_is_told_in_time_and_an_answer_that_is_there_counts() {
        let second = TimeDelta::seconds(1);
        let answer = |until, work: BoxFuture<'static, u8>| in_time(&Noon, until, work).now_or_never();
        for (until, work, says) in [
            (Noon.now() + second, ready(7).boxed(), Some(Some(7))),
            (Noon.now(), ready(7).boxed(), Some(Some(7))),
            (Noon.now(), pending().boxed(), Some(None)),
            (Noon.now() + second, pending().boxed(), None),
        ] {
            let got = answer(until, work);
            if let Some(Err(error)) = &got {
                assert!(matches!(error, ServiceError::Store(store) if store.is_unavailable()), "{error}");
            }
            assert_eq!(got.map(Result::ok), says, "{until}");
        }
    }
}
