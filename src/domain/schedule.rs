//! When a scheduled field is due: a cron line on the clocks of a time zone.
//!
//! croner reads the line and finds the next wall-clock time that it means; what the change of the
//! clocks does to that time is decided here. A line that names its hours fires once per
//! wall-clock time: a time that the change skips fires right after the gap, one that comes twice
//! fires the first time. A line with `*` (or a step of it) for the hours follows the hours as
//! they pass: it leaves out a skipped hour and fires in both of a doubled one.
//!
//! A line that was read fires again and again, at most once a minute, so looking for its next time
//! is quick. Nothing here knows what time it is.

use chrono::{
    DateTime, Datelike as _, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _,
    Timelike as _, Utc,
};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::clock::Instant;
use super::problem::nearest;

/// Characters of a cron line and of a zone's name.
pub const LONGEST_LINE: usize = 500;

/// No change of the clocks repeats more than this.
const LONGEST_FOLD: TimeDelta = TimeDelta::hours(3);
/// Nor skips more: a day, where a country moved across the date line.
const LONGEST_GAP_MINUTES: usize = 25 * 60;

/// The flag of croner's that marks a plain value, for `CronComponent::get_set_values`.
const PLAIN_VALUE: u8 = 1;

/// When a field is due, and for which cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The line, its fields parted by one blank.
    pub cron: String,
    /// The IANA name of the zone on whose clocks the line is read.
    pub timezone: String,
    /// Fields whose data is fresher than this many seconds are left alone; none: all are called.
    pub older_than: Option<u64>,
    /// Whether closed cases take part.
    pub include_closed: bool,
    line: Line,
    zone: Zone,
}

/// A cron line that fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    text: String,
    compiled: Cron,
    /// It follows the hours as they pass, not the hands of the clock.
    hourly: bool,
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Schedule {
    /// For every open case, however fresh.
    pub fn new(line: Line, zone: Zone) -> Self {
        Self {
            cron: line.text.clone(),
            timezone: zone.0.name().to_owned(),
            older_than: None,
            include_closed: false,
            line,
            zone,
        }
    }

    /// The first time after `at`. None only beyond the end of the calendar.
    pub fn next_after(&self, at: Instant) -> Option<Instant> {
        let Zone(zone) = self.zone;
        let local = at.with_timezone(&zone).naive_local();
        // Inside a doubled hour a time that looks past may still come.
        let doubled = matches!(zone.from_local_datetime(&local), MappedLocalTime::Ambiguous(..));
        let mut from = if doubled { local - LONGEST_FOLD } else { local };
        let mut second_time = None;
        loop {
            from = self.line.after(from)?;
            match zone.from_local_datetime(&from) {
                MappedLocalTime::Single(only) if only > at => {
                    return Some(second_time.unwrap_or(only).to_utc());
                }
                MappedLocalTime::Ambiguous(first, _) if first > at => return Some(first.to_utc()),
                MappedLocalTime::Ambiguous(_, second) if self.line.hourly && second > at => {
                    second_time = second_time.or(Some(second));
                }
                MappedLocalTime::None if !self.line.hourly => {
                    if let Some(after) = after_gap(from, zone).filter(|after| *after > at) {
                        return Some(after.to_utc());
                    }
                }
                _ => {}
            }
        }
    }

    /// The first `count` times after `at`.
    pub fn next(&self, at: Instant, count: usize) -> Vec<Instant> {
        std::iter::successors(self.next_after(at), |last| self.next_after(*last)).take(count).collect()
    }
}

/// The first moment after the gap in which `skipped` lies.
fn after_gap(skipped: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    let minute = skipped.with_second(0)?;
    let mut later = (1..=LONGEST_GAP_MINUTES).scan(minute, |minute, _| {
        *minute += TimeDelta::minutes(1);
        Some(*minute)
    });
    later.find_map(|minute| zone.from_local_datetime(&minute).earliest())
}

impl Line {
    /// Reads a line of five fields (minute, hour, day of month, month, day of week), or six with
    /// the second first. Refused is what would fire more than once a minute, or never. The error
    /// is a sentence for builders.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if !(5..=6).contains(&fields.len()) {
            return Err(format!(
                "has {} fields: a cron line has five (minute, hour, day of month, month, day of week), or six with \
                 the second first; `0 6 * * 1` is every Monday at 06:00",
                fields.len()
            ));
        }
        let text = fields.join(" ");
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let compiled = parser.parse(&text).map_err(|_| bad_field(&fields, parser))?;
        let hours = &compiled.pattern.hours;
        let line = Self { text, hourly: hours.from_wildcard || hours.is_all_set(), compiled };
        line.check_seconds()?;
        if line.fires() { Ok(line) } else { Err(NEVER.to_owned()) }
    }

    /// The wall-clock time that follows.
    fn after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let whole = local.with_nanosecond(0)?;
        let next = self.compiled.find_next_occurrence(&whole.and_utc(), false);
        next.ok().map(|next: DateTime<Utc>| next.naive_utc())
    }

    fn check_seconds(&self) -> Result<(), String> {
        match self.compiled.pattern.seconds.get_set_values(PLAIN_VALUE).len() {
            0 => Err(NEVER.to_owned()),
            1 => Ok(()),
            _ => {
                Err("fires more than once a minute: with six fields the first is the second, so give it one \
                      number, or leave it out"
                    .to_owned())
            }
        }
    }

    /// Whether there is a time that the line means. Days and weekdays repeat after 28 years.
    fn fires(&self) -> bool {
        let pattern = &self.compiled.pattern;
        let empty = |values: Vec<u16>| values.is_empty();
        if empty(pattern.hours.get_set_values(PLAIN_VALUE))
            || empty(pattern.minutes.get_set_values(PLAIN_VALUE))
        {
            return false;
        }
        let first = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
        first.iter_days().take_while(|day| day.year() < 2028).any(|day| {
            pattern.month_match(day.month()).unwrap_or(false)
                && pattern.day_match(day.year(), day.month(), day.day()).unwrap_or(false)
        })
    }
}

const NEVER: &str = "never fires: no day of any year fits it";

/// Names the field that cannot be read, by reading each beside `*`.
fn bad_field(fields: &[&str], parser: CronParser) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("second", "0 to 59"),
        ("minute", "0 to 59"),
        ("hour", "0 to 23"),
        ("day of month", "1 to 31, `L` for the last, `15W` for the working day nearest to the 15th"),
        ("month", "1 to 12, or JAN to DEC"),
        (
            "day of week",
            "0 to 7 (0 and 7 are Sunday), or SUN to SAT, `1#2` for the second Monday, `5L` for the last Friday",
        ),
    ];
    let skipped = NAMES.len() - fields.len();
    let reads = |place: usize| {
        let mut alone = ["*"; 6];
        alone[place + skipped] = fields[place];
        parser.parse(&alone.join(" ")).is_ok()
    };
    let bad = (0..fields.len()).find(|place| !reads(*place));
    let Some(place) = bad else { return "is not a cron line".to_owned() };
    let (name, values) = NAMES[place + skipped];
    format!("cannot be read: `{}` is no {name}; possible are {values}", fields[place])
}

impl Zone {
    /// Reads an IANA name, e.g. `Europe/Brussels`. The error is a sentence for builders.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Ok(zone) = name.parse() {
            return Ok(Self(zone));
        }
        let wanted = name.trim().to_lowercase().replace(' ', "_");
        let city = |known: &&str| known.rsplit('/').next().is_some_and(|city| city.to_lowercase() == wanted);
        let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
        let near = names().find(|known| known.to_lowercase() == wanted).or_else(|| names().find(city));
        match near.or_else(|| nearest(name, names())) {
            Some(near) => Err(format!("is not a time zone; did you mean `{near}`?")),
            None => Err(
                "is not a time zone: give a name of the IANA database, such as `Europe/Brussels` or `UTC`"
                    .to_owned(),
            ),
        }
    }

    /// Coordinated universal time: no change of clocks.
    pub const UTC: Self = Self(Tz::UTC);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::new(Line::parse(cron).unwrap(), Zone::parse(zone).unwrap())
    }

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// The next times on the clocks of Berlin, each with its offset.
    fn berlin(cron: &str, after: &str, count: usize) -> Vec<String> {
        let times = schedule(cron, "Europe/Berlin").next(at(after), count);
        let local =
            |time: &Instant| time.with_timezone(&Tz::Europe__Berlin).format("%m-%d %H:%M:%S %Z").to_string();
        times.iter().map(local).collect()
    }

    #[test]
    fn good_lines_say_when_they_are_due() {
        // 21 November 2026 is a Saturday.
        let after = at("2026-11-21T09:30:00Z");
        for (cron, next) in [
            ("* * * * *", "2026-11-21T09:31:00Z"),
            ("*/15 * * * *", "2026-11-21T09:45:00Z"),
            ("30 9 * * *", "2026-11-22T09:30:00Z"),
            ("0 6 * * 1", "2026-11-23T06:00:00Z"),
            ("0 6 * * MON", "2026-11-23T06:00:00Z"),
            ("0 6 * * mon-fri", "2026-11-23T06:00:00Z"),
            ("0 6 * * 0", "2026-11-22T06:00:00Z"),
            ("0 6 * * 7", "2026-11-22T06:00:00Z"),
            ("0 0 1 JAN *", "2027-01-01T00:00:00Z"),
            ("0 0 ? * 2", "2026-11-24T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 L * *", "2026-11-30T00:00:00Z"),
            ("0 0 L 2 *", "2027-02-28T00:00:00Z"),
            ("0 0 * * 1#2", "2026-12-14T00:00:00Z"),
            ("0 0 * * 5L", "2026-11-27T00:00:00Z"),
            ("0 0 15W * *", "2026-12-15T00:00:00Z"),
            // Both days are given: either will do.
            ("0 0 13 * 5", "2026-11-27T00:00:00Z"),
            ("30 0 6 * * 1", "2026-11-23T06:00:30Z"),
            ("15 * * * * *", "2026-11-21T09:30:15Z"),
            ("  0   6 *\t* 1 ", "2026-11-23T06:00:00Z"),
        ] {
            assert_eq!(schedule(cron, "UTC").next_after(after), Some(at(next)), "{cron}");
        }
        assert_eq!(schedule("  0   6 *\t* 1 ", "UTC").cron, "0 6 * * 1");
    }

    #[test]
    fn bad_lines_are_refused_and_say_why() {
        for (cron, why) in [
            ("", "has 0 fields"),
            ("* * * *", "has 4 fields"),
            ("0 0 6 * * 1 2027", "has 7 fields"),
            ("@daily", "has 1 fields"),
            ("60 * * * *", "`60` is no minute"),
            ("* 24 * * *", "`24` is no hour"),
            ("* * 0 * *", "`0` is no day of month"),
            ("* * 32 * *", "`32` is no day of month"),
            ("* * * 13 *", "`13` is no month"),
            ("* * * * 8", "`8` is no day of week"),
            ("* * * * MOND", "`MOND` is no day of week"),
            ("* * * * 1#6", "`1#6` is no day of week"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("5-1 * * * *", "`5-1` is no minute"),
            ("1..5 * * * *", "`1..5` is no minute"),
            ("99 0 6 * * 1", "`99` is no second"),
            ("L * * * *", "`L` is no minute"),
            ("-1 * * * *", "`-1` is no minute"),
            ("0 99999999999999999999 * * *", "is no hour"),
            ("é * * * *", "`é` is no minute"),
            ("* * * * * *", "more than once a minute"),
            ("*/10 * * * * *", "more than once a minute"),
            ("0,30 * * * * *", "more than once a minute"),
            ("0 0 30 2 *", "never fires"),
            ("0 0 31 4,6,9,11 *", "never fires"),
            ("0 0 31W 2 *", "never fires"),
            (", * * * *", "never fires"),
            ("0 , * * *", "never fires"),
            ("0 0 1 , *", "never fires"),
            (", 0 6 * * 1", "never fires"),
            ("0 0 * * L", "never fires"),
        ] {
            let error = Line::parse(cron).map(|_| ()).unwrap_err();
            assert!(error.contains(why), "{cron}: {error}");
        }
    }

    #[test]
    fn a_zone_is_named_as_the_iana_database_names_it() {
        for name in ["UTC", "Europe/Brussels", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Asia/Kolkata"]
        {
            assert_eq!(
                Schedule::new(Line::parse("* * * * *").unwrap(), Zone::parse(name).unwrap()).timezone,
                name
            );
        }
        for (name, near) in [
            ("Europe/Brusels", "`Europe/Brussels`"),
            ("europe/brussels", "`Europe/Brussels`"),
            ("Berlin", "`Europe/Berlin`"),
            ("new york", "`America/New_York`"),
            ("utc", "`UTC`"),
            ("", "such as `Europe/Brussels`"),
            ("+02:00", "such as `Europe/Brussels`"),
            ("Mars/Olympus_Mons", "such as `Europe/Brussels`"),
        ] {
            let error = Zone::parse(name).unwrap_err();
            assert!(error.contains(near), "{name}: {error}");
        }
    }

    #[test]
    fn a_time_that_the_clocks_skip_fires_once_right_after() {
        let expected = ["03-28 02:30:00 CET", "03-29 03:00:00 CEST", "03-30 02:30:00 CEST"];
        assert_eq!(berlin("30 2 * * *", "2026-03-27T12:00:00Z", 3), expected);
        let expected = ["03-28 02:45:00 CET", "03-29 03:00:00 CEST", "03-30 02:00:00 CEST"];
        assert_eq!(berlin("*/15 2 * * *", "2026-03-28T01:30:00Z", 3), expected);
        assert_eq!(
            berlin("0 2,3 * * *", "2026-03-29T00:00:00Z", 2),
            ["03-29 03:00:00 CEST", "03-30 02:00:00 CEST"]
        );
        let next_year = ["03-28 03:00:00 CEST", "03-29 02:30:00 CEST"];
        assert_eq!(berlin("30 2 * * *", "2027-03-27T12:00:00Z", 2), next_year);
    }

    #[test]
    fn a_time_that_comes_twice_fires_the_first_time() {
        let expected = ["10-24 02:30:00 CEST", "10-25 02:30:00 CEST", "10-26 02:30:00 CET"];
        assert_eq!(berlin("30 2 * * *", "2026-10-23T12:00:00Z", 3), expected);
        // From anywhere between the two 02:30 it is tomorrow's turn.
        for after in
            ["2026-10-25T00:30:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:10:00Z"]
        {
            assert_eq!(berlin("30 2 * * *", after, 1), ["10-26 02:30:00 CET"], "{after}");
        }
        let expected = ["10-25 02:15:00 CEST", "10-25 02:45:00 CEST", "10-26 02:15:00 CET"];
        assert_eq!(berlin("15,45 2 * * *", "2026-10-24T23:00:00Z", 3), expected);
        let next_year = ["10-31 02:30:00 CEST", "11-01 02:30:00 CET"];
        assert_eq!(berlin("30 2 * * *", "2027-10-30T12:00:00Z", 2), next_year);
    }

    #[test]
    fn an_hourly_line_fires_every_hour_that_passes() {
        let spring = ["03-29 01:00:00 CET", "03-29 03:00:00 CEST", "03-29 04:00:00 CEST"];
        assert_eq!(berlin("0 * * * *", "2026-03-28T23:30:00Z", 3), spring);
        let autumn = [
            "10-25 01:30:00 CEST",
            "10-25 02:00:00 CEST",
            "10-25 02:30:00 CEST",
            "10-25 02:00:00 CET",
            "10-25 02:30:00 CET",
            "10-25 03:00:00 CET",
        ];
        assert_eq!(berlin("*/30 * * * *", "2026-10-24T23:00:00Z", 6), autumn);
        assert_eq!(berlin("*/30 0-23 * * *", "2026-10-24T23:00:00Z", 6), autumn);
        for day in
            ["2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z", "2027-03-27T23:00:00Z", "2027-10-30T22:00:00Z"]
        {
            let times = schedule("0 * * * *", "Europe/Berlin").next(at(day), 30);
            let hours = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(hours.into_iter().all(|apart| apart == TimeDelta::hours(1)), "{day}: {times:?}");
        }
    }

    #[test]
    fn a_line_that_names_an_hour_keeps_it_on_the_clock_on_the_wall() {
        let spring = ["03-23 06:00:00 CET", "03-30 06:00:00 CEST"];
        assert_eq!(berlin("0 6 * * 1", "2026-03-20T12:00:00Z", 2), spring);
        let autumn = ["10-19 06:00:00 CEST", "10-26 06:00:00 CET", "11-02 06:00:00 CET"];
        assert_eq!(berlin("0 6 * * 1", "2026-10-17T12:00:00Z", 3), autumn);
    }

    #[test]
    fn whatever_the_clocks_do_the_next_time_is_later_and_none_is_left_out() {
        let lines =
            ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "10 */2 * * *", "59 23 L * *"];
        for zone in ["Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "America/St_Johns", "UTC"] {
            for cron in lines {
                let schedule = schedule(cron, zone);
                for day in
                    ["2026-03-28", "2026-04-04", "2026-10-24", "2026-10-31", "2026-03-07", "2026-10-03"]
                {
                    let start = at(&format!("{day}T00:00:00Z"));
                    let mut next = schedule.next_after(start).unwrap();
                    // Asked at any moment before it is due, a time stays the next one.
                    for step in 0..2 * 24 * 6 {
                        let now = start + TimeDelta::minutes(10 * step) + TimeDelta::milliseconds(1);
                        while next <= now {
                            let later = schedule.next_after(next).unwrap();
                            assert!(later > next, "{zone} {cron} {next}");
                            next = later;
                        }
                        assert_eq!(schedule.next_after(now), Some(next), "{zone} {cron} {now}");
                    }
                }
            }
        }
    }

    #[test]
    fn five_leap_days_are_five_times_four_years() {
        let times = schedule("0 12 29 2 *", "UTC").next(at("2026-01-01T00:00:00Z"), 5);
        let years: Vec<_> = times.iter().map(DateTime::year).collect();
        assert_eq!(years, [2028, 2032, 2036, 2040, 2044]);
        assert!(schedule("0 0 29 2 +1", "UTC").next_after(at("2088-03-01T00:00:00Z")).is_some());
    }

    #[test]
    fn fractions_of_a_second_are_rounded_to_none() {
        let schedule = schedule("0 6 * * *", "UTC");
        for (now, next) in [
            ("2026-11-21T05:59:59.999Z", "2026-11-21T06:00:00Z"),
            ("2026-11-21T06:00:00Z", "2026-11-22T06:00:00Z"),
            ("2026-11-21T06:00:00.001Z", "2026-11-22T06:00:00Z"),
        ] {
            assert_eq!(schedule.next_after(at(now)), Some(at(next)), "{now}");
        }
    }
}
