//! Cron lines in words, as far as they are common; what is not stays a line.

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const SHORT: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// `every Monday at 06:00`; none: the line says it best itself.
pub fn line(cron: &str) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = *fields.as_slice() else { return None };
    if month != "*" {
        return None;
    }
    if (day, weekday) == ("*", "*") && hour == "*" {
        return every_so_often(minute);
    }
    if let (Some(hours), "0", "*", "*") = (hour.strip_prefix("*/"), minute, day, weekday) {
        return number(hours, 2..=12).map(|hours| format!("every {hours} hours"));
    }
    let at = format!("{:02}:{:02}", number(hour, 0..=23)?, number(minute, 0..=59)?);
    match (day, weekday) {
        ("*", "*") => Some(format!("every day at {at}")),
        ("*", days) => Some(format!("{} at {at}", weekdays(days)?)),
        (day, "*") => Some(format!("on day {} of every month at {at}", number(day, 1..=31)?)),
        _ => None,
    }
}

fn every_so_often(minute: &str) -> Option<String> {
    match minute {
        "*" => Some("every minute".to_owned()),
        _ => match minute.strip_prefix("*/") {
            // What does not divide the hour is uneven at its end.
            Some(step) => {
                number(step, 2..=30).filter(|step| 60 % step == 0).map(|step| format!("every {step} minutes"))
            }
            None => number(minute, 0..=59).map(|minute| format!("every hour at minute {minute}")),
        },
    }
}

fn weekdays(days: &str) -> Option<String> {
    if let Some((first, last)) = days.split_once('-') {
        return Some(format!("{} to {}", weekday(first)?, weekday(last)?));
    }
    let names: Option<Vec<String>> = days.split(',').map(|day| weekday(day).map(str::to_owned)).collect();
    Some(format!("every {}", super::states::listed(&names?)))
}

fn weekday(day: &str) -> Option<&'static str> {
    let place = SHORT.iter().position(|short| day.eq_ignore_ascii_case(short));
    let place = place.or_else(|| number(day, 0..=7).and_then(|number| usize::try_from(number % 7).ok()))?;
    DAYS.get(place).copied()
}

fn number(text: &str, within: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && within.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_lines_are_said_and_others_left() {
        for (cron, expected) in [
            ("* * * * *", Some("every minute")),
            ("*/15 * * * *", Some("every 15 minutes")),
            ("*/7 * * * *", None),
            ("5 * * * *", Some("every hour at minute 5")),
            ("0 */6 * * *", Some("every 6 hours")),
            ("30 9 * * *", Some("every day at 09:30")),
            ("0 6 * * 1", Some("every Monday at 06:00")),
            ("0 6 * * mon-fri", Some("Monday to Friday at 06:00")),
            ("0 17 * * 1-5", Some("Monday to Friday at 17:00")),
            ("0 6 * * 1,4,7", Some("every Monday, Thursday and Sunday at 06:00")),
            ("0 0 1 * *", Some("on day 1 of every month at 00:00")),
            ("0 0 L * *", None),
            ("0 0 1 JAN *", None),
            ("0 0 13 * 5", None),
            ("30 0 6 * * 1", None),
            ("0 6-8 * * *", None),
            ("+5 6 * * *", None),
        ] {
            assert_eq!(line(cron).as_deref(), expected, "{cron}");
        }
    }
}
