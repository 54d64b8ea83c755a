//! Calls in a span of time: in no span of a window's period more than its limit, at the provider.
//!
//! Grants are kept in buckets of a fortieth of the period. A grant counts until its bucket's end
//! is a period **and** the slack ago: a call reaches the provider a little after it was granted,
//! so two calls that were granted more than a period apart may arrive closer together, by at most
//! the slack. As long as every call arrives within the slack, the limit holds exactly.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::connection::Window;

/// Buckets of a period.
const BUCKETS: i64 = 40;
/// Longest way from the grant to the provider that is allowed for, in ms.
const LONGEST_SLACK: i64 = 250;

/// How long a call of this window may take from its grant to the provider: a tenth of the period,
/// at most 250 ms.
pub fn slack(window: Window) -> TimeDelta {
    TimeDelta::milliseconds(slack_ms(window))
}

const fn period_ms(window: Window) -> i64 {
    window.period as i64 * 1000
}

fn slack_ms(window: Window) -> i64 {
    (period_ms(window) / 10).min(LONGEST_SLACK)
}

const fn width_ms(window: Window) -> i64 {
    let width = period_ms(window) / BUCKETS;
    if width == 0 { 1 } else { width }
}

/// What was granted lately, per window, as the row keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(Vec<Log>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Log {
    /// Seconds of its window: a log that fits no window any more is dropped.
    period: u32,
    /// Ends of buckets in ms, each with its grants, oldest first.
    buckets: VecDeque<(i64, u32)>,
}

impl Log {
    fn used(&self) -> u32 {
        self.buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

impl Grants {
    /// Whether nothing counts.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|log| log.buckets.is_empty())
    }

    /// How many calls may go now; without windows: any number.
    pub fn free(&self, windows: &[Window], now: Instant) -> u32 {
        let free = windows.iter().map(|&window| {
            let counting = self.counting(window, now).map(|(_, count)| count);
            window.limit.saturating_sub(counting.fold(0, u32::saturating_add))
        });
        free.min().unwrap_or(u32::MAX)
    }

    /// When one call more may go.
    pub fn opens_at(&self, windows: &[Window], now: Instant) -> Instant {
        let opens = windows.iter().filter_map(|&window| {
            let mut counting: Vec<_> = self.counting(window, now).collect();
            let mut used = counting.iter().fold(0_u32, |sum, (_, count)| sum.saturating_add(*count));
            counting.reverse();
            let mut opens = None;
            while used >= window.limit {
                let (end, count) = counting.pop()?;
                used -= count;
                opens = Some(end + period_ms(window) + slack_ms(window));
            }
            opens.and_then(DateTime::from_timestamp_millis)
        });
        opens.max().unwrap_or(now).max(now)
    }

    /// Notes `calls` that go now, and forgets what does not count any more.
    pub fn take(&mut self, windows: &[Window], now: Instant, calls: u32) {
        let mut logs = Vec::with_capacity(windows.len());
        for &window in windows {
            let mut buckets: VecDeque<_> = self.counting(window, now).collect();
            let width = width_ms(window);
            let end = (now.timestamp_millis().div_euclid(width) + 1) * width;
            match buckets.back_mut() {
                // Also when the clock of another process is a little behind.
                Some((last, count)) if *last >= end => *count = count.saturating_add(calls),
                _ => buckets.push_back((end, calls)),
            }
            logs.push(Log { period: window.period, buckets });
        }
        self.0 = logs;
    }

    /// The windows are others now: what was granted counts in them as far as it is known. A window of
    /// another period takes over the log that reaches back far enough, or else the longest; its
    /// buckets may be coarser than its own, which only makes it wait longer.
    pub fn carry_over(&mut self, windows: &[Window]) {
        let known = |period: u32| {
            let reach = self.0.iter().filter(|log| log.period >= period).min_by_key(|log| log.period);
            reach.or_else(|| self.0.iter().max_by_key(|log| log.period))
        };
        let carried = |window: &Window| Some(Log { period: window.period, ..known(window.period)?.clone() });
        let logs: Vec<Log> = windows.iter().filter_map(carried).collect();
        // Without windows nothing is noted; what was may still count when there are some again.
        if !windows.is_empty() {
            self.0 = logs;
        }
    }

    /// A call that was granted at `at` has not gone and will not.
    pub fn give_back(&mut self, windows: &[Window], at: Instant) {
        for &window in windows {
            let Some(log) = self.0.iter_mut().find(|log| log.period == window.period) else { continue };
            let found =
                log.buckets.iter_mut().find(|(end, count)| *end > at.timestamp_millis() && *count > 0);
            if let Some((_, count)) = found {
                *count -= 1;
            }
        }
    }

    /// Grants in all windows together, the greatest of them.
    pub fn used(&self) -> u32 {
        self.0.iter().map(Log::used).max().unwrap_or(0)
    }

    fn counting(&self, window: Window, now: Instant) -> impl Iterator<Item = (i64, u32)> + '_ {
        let since = now.timestamp_millis() - period_ms(window) - slack_ms(window);
        let log = self.0.iter().find(|log| log.period == window.period);
        let buckets = log.into_iter().flat_map(|log| log.buckets.iter().copied());
        buckets.filter(move |(end, count)| *end > since && *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: i64) -> Instant {
        DateTime::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn a_window_opens_when_its_oldest_grants_no_longer_count() {
        let windows = [Window { limit: 20, period: 1 }];
        let mut grants = Grants::default();
        assert_eq!(grants.free(&windows, ms(0)), 20);
        grants.take(&windows, ms(0), 20);
        assert_eq!(grants.free(&windows, ms(1000)), 0);
        // The bucket of 25 ms, the second, and a tenth of it.
        assert_eq!(grants.opens_at(&windows, ms(3)), ms(1125));
        assert_eq!((grants.free(&windows, ms(1124)), grants.free(&windows, ms(1125))), (0, 20));
        grants.give_back(&windows, ms(0));
        assert_eq!(grants.free(&windows, ms(1000)), 1);
        assert_eq!(grants.opens_at(&windows, ms(1000)), ms(1000));
    }

    #[test]
    fn other_windows_take_over_what_was_granted() {
        let window = |limit, period| [Window { limit, period }];
        let mut grants = Grants::default();
        grants.take(&window(2, 30), ms(0), 2);
        // A longer one does not know what was before, and a shorter one forgets sooner.
        for (other, opens) in [(window(2, 31), 32_000), (window(2, 3), 4_000), (window(1, 30), 31_000)] {
            let mut grants = grants.clone();
            grants.carry_over(&other);
            assert_eq!(grants.free(&other, ms(1)), 0, "{other:?}");
            let at = grants.opens_at(&other, ms(1));
            assert!(at > ms(other[0].period.into()) && at <= ms(opens), "{other:?} {at}");
            assert_eq!(grants.free(&other, at), other[0].limit);
        }
        let mut both = grants.clone();
        both.carry_over(&[Window { limit: 3, period: 10 }, Window { limit: 9, period: 60 }]);
        assert_eq!(both.free(&window(3, 10), ms(1)), 1);
        assert_eq!(both.free(&window(9, 60), ms(1)), 7);
        grants.carry_over(&[]);
        grants.carry_over(&window(2, 30));
        assert_eq!(grants.free(&window(2, 30), ms(1)), 0);
    }

    #[test]
    fn no_windows_bound_nothing_and_a_row_is_small() {
        let mut grants = Grants::default();
        grants.take(&[], ms(5), 1_000_000);
        assert_eq!((grants.free(&[], ms(5)), grants.is_empty()), (u32::MAX, true));
        let day = [Window { limit: 100_000, period: 86_400 }];
        for second in 0..86_400 {
            grants.take(&day, ms(second * 1000), 1);
        }
        let text = serde_json::to_string(&grants).unwrap();
        assert!(text.len() < 2_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Grants>(&text).unwrap(), grants);
    }

    proptest! {
        /// Calls arrive up to the slack after their grant, in any order.
        #[test]
        fn in_no_span_of_a_period_more_than_the_limit(
            limit in 1_u32..8, period in 1_u32..4, second in 1_u32..30,
            asks in prop::collection::vec((0_i64..400, 1_u32..12, 0_i64..=100), 1..120),
        ) {
            let windows = [Window { limit, period }, Window { limit: limit * 5 + second, period: period * 9 }];
            let (mut grants, mut now) = (Grants::default(), 1_000_000);
            let mut arrivals = Vec::new();
            for (wait, wanted, late) in asks {
                now += wait;
                let free = grants.free(&windows, ms(now)).min(wanted);
                if free == 0 {
                    prop_assert!(grants.opens_at(&windows, ms(now)) > ms(now));
                    prop_assert!(grants.free(&windows, grants.opens_at(&windows, ms(now))) > 0);
                    continue;
                }
                grants.take(&windows, ms(now), free);
                arrivals.extend(std::iter::repeat_n(now + late, free as usize));
            }
            arrivals.sort_unstable();
            for &window in &windows {
                let limit = window.limit as usize;
                for span in arrivals.windows(limit + 1) {
                    prop_assert!(span[limit] - span[0] >= period_ms(window), "{span:?} {window:?}");
                }
            }
        }
    }
}
