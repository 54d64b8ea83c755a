//! Times as people read them: how long ago, and the exact one on hover.
//!
//! The server does not know the reader's zone, so it writes UTC and says so; script writes the
//! same instants in the browser's zone and lets ages count on.

use std::fmt::{self, Display, Formatter};

use crate::domain::clock::{Instant, rfc3339};
use crate::ui::words::moments as w;

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `2 min ago`, `in 5 min`.
    Age,
    /// `14:03:20`, with the date when it is not today.
    Clock,
    /// `21 Nov 2026, 14:03`.
    Full,
}

impl Style {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Clock => "clock",
            Self::Full => "full",
        }
    }
}

/// An instant on a page: a `<time>` element when displayed in a template with `|safe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: Instant,
    now: Instant,
    style: Style,
}

impl Moment {
    /// An age.
    pub const fn age(at: Instant, now: Instant) -> Self {
        Self { at, now, style: Style::Age }
    }

    /// A time of the day.
    pub const fn clock(at: Instant, now: Instant) -> Self {
        Self { at, now, style: Style::Clock }
    }

    /// Date and time.
    pub const fn full(at: Instant, now: Instant) -> Self {
        Self { at, now, style: Style::Full }
    }

    /// What stands in the element, without it: for attributes and tests.
    pub fn text(self) -> String {
        match self.style {
            Style::Age => w::age((self.now - self.at).num_seconds()),
            Style::Clock if self.at.date_naive() == self.now.date_naive() => {
                format!("{} UTC", self.at.format("%H:%M:%S"))
            }
            Style::Clock | Style::Full => format!("{} UTC", self.at.format("%-d %b %Y, %H:%M")),
        }
    }
}

impl Moment {
    /// The element in fewer bytes, for tables of hundreds: the exact time on hover is script's.
    pub fn in_short(self) -> Short {
        Short(self)
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<time datetime="{}" data-show="{}" title="{} UTC">{}</time>"#,
            rfc3339(self.at),
            self.style.as_str(),
            self.at.format("%-d %b %Y, %H:%M:%S"),
            self.text(),
        )
    }
}

/// Digits and words of ours only: there is nothing in it to escape.
impl askama::filters::HtmlSafe for Moment {}

/// A time in few bytes: a list has hundreds.
#[derive(Debug, Clone, Copy)]
pub struct Short(Moment);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (at, style) = (rfc3339(self.0.at), self.0.style.as_str());
        write!(f, r#"<time datetime="{at}" data-show="{style}">{}</time>"#, self.0.text())
    }
}

/// Digits and words of ours only, as in [`Moment`].
impl askama::filters::HtmlSafe for Short {}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone as _, Utc};

    use super::*;

    #[test]
    fn ages_and_times_read_like_speech() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 14, 3, 20).unwrap();
        for (seconds, age) in [
            (0, "now"),
            (4, "now"),
            (5, "5 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (7_200, "2 h ago"),
            (86_400, "1 day ago"),
            (86_400 * 45, "45 days ago"),
            (-30, "in 30 s"),
            (-90, "in 1 min"),
        ] {
            assert_eq!(Moment::age(now - TimeDelta::seconds(seconds), now).text(), age);
        }
        assert_eq!(Moment::clock(now, now).text(), "14:03:20 UTC");
        assert_eq!(Moment::clock(now - TimeDelta::days(1), now).text(), "20 Nov 2026, 14:03 UTC");
        let element = Moment::full(now, now).to_string();
        assert_eq!(
            element,
            r#"<time datetime="2026-11-21T14:03:20.000Z" data-show="full" title="21 Nov 2026, 14:03:20 UTC">21 Nov 2026, 14:03 UTC</time>"#
        );
    }
}
