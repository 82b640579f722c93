//! Cron expressions in words: the forms that schedules have; any other is shown as it is.
//!
//! Our own, since the crates that do it know no French, or bring a translation framework along for twenty words.
use erp_core::Lang;

/// What `cron` says, in words.
pub fn say(langue: Lang, cron: &str) -> String {
    let fields: Vec<_> = cron.split_whitespace().collect();
    let fields = if fields.len() == 6 && fields[0] == "0" { &fields[1..] } else { &fields[..] };
    let said = match *fields {
        [minute, hour, "*", "*", day] => {
            day_words(langue, day).and_then(|day| times(langue, minute, hour, &day))
        }
        [minute, hour, of_month, "*", "*"] => {
            number(of_month, 31).filter(|day| *day > 0).and_then(|of_month| {
                let day = langue.choose(
                    if of_month == 1 {
                        "le 1er de chaque mois".to_owned()
                    } else {
                        format!("le {of_month} de chaque mois")
                    },
                    format!("on day {of_month} of each month"),
                );
                times(langue, minute, hour, &day)
            })
        }
        _ => None,
    };
    said.unwrap_or_else(|| {
        langue.choose(format!("selon «\u{a0}{cron}\u{a0}»"), format!("by “{cron}”"))
    })
}

/// The times of a day, and the days.
fn times(langue: Lang, minute: &str, hour: &str, day: &str) -> Option<String> {
    // A step that does not divide the hour or the day begins anew in its midst: that is not "every so many".
    let every = |text: &str, whole: u32| {
        let step = text.strip_prefix("*/").and_then(|step| number(step, whole - 1));
        step.filter(|step| *step > 1 && whole.is_multiple_of(*step))
    };
    let said = match (minute, hour) {
        ("*", "*") => langue.choose("chaque minute".to_owned(), "every minute".to_owned()),
        (minute, "*") if every(minute, 60).is_some() => {
            let step = every(minute, 60)?;
            langue.choose(format!("toutes les {step} minutes"), format!("every {step} minutes"))
        }
        (minute, "*") => {
            let minute = number(minute, 59)?;
            langue.choose(
                format!("chaque heure, à la minute {minute}"),
                format!("every hour, at minute {minute}"),
            )
        }
        (minute, hour) if every(hour, 24).is_some() => {
            let (step, minute) = (every(hour, 24)?, number(minute, 59)?);
            langue.choose(
                format!("toutes les {step} heures, à la minute {minute}"),
                format!("every {step} hours, at minute {minute}"),
            )
        }
        (minute, hour) => {
            let minute = number(minute, 59)?;
            let at: Option<Vec<_>> = hour
                .split(',')
                .map(|hour| Some(format!("{:02}:{minute:02}", number(hour, 23)?)))
                .collect();
            let at = at?.join(langue.choose(" et ", " and "));
            return Some(langue.choose(format!("{day} à {at}"), format!("{day} at {at}")));
        }
    };
    let is_each = day == langue.choose("chaque jour", "every day");
    Some(if is_each { said } else { format!("{said}, {day}") })
}

fn day_words(langue: Lang, field: &str) -> Option<String> {
    if field == "*" {
        return Some(langue.choose("chaque jour", "every day").to_owned());
    }
    if let Some((first, last)) = field.split_once('-') {
        let (first, last) = (day_name(langue, first)?, day_name(langue, last)?);
        return Some(langue.choose(format!("du {first} au {last}"), format!("{first} to {last}")));
    }
    let days: Option<Vec<_>> = field.split(',').map(|day| day_name(langue, day)).collect();
    let days = days?.join(langue.choose(" et le ", " and "));
    Some(langue.choose(format!("le {days}"), format!("on {days}")))
}

fn day_name(langue: Lang, day: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str, &str); 8] = [
        ("SUN", "dimanche", "Sunday"),
        ("MON", "lundi", "Monday"),
        ("TUE", "mardi", "Tuesday"),
        ("WED", "mercredi", "Wednesday"),
        ("THU", "jeudi", "Thursday"),
        ("FRI", "vendredi", "Friday"),
        ("SAT", "samedi", "Saturday"),
        ("SUN", "dimanche", "Sunday"),
    ];
    let found = NAMES
        .iter()
        .enumerate()
        .find(|(number, (name, ..))| day.eq_ignore_ascii_case(name) || day == number.to_string());
    found.map(|(_, (_, fr, en))| langue.choose(*fr, *en))
}

fn number(text: &str, most: u32) -> Option<u32> {
    text.parse().ok().filter(|number| *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_schedules_say_is_said_in_words() {
        for (cron, fr, en) in [
            ("0 7 * * *", "chaque jour à 07:00", "every day at 07:00"),
            ("30 7 * * MON-FRI", "du lundi au vendredi à 07:30", "Monday to Friday at 07:30"),
            ("0 0 3 * * *", "chaque jour à 03:00", "every day at 03:00"),
            ("*/15 * * * *", "toutes les 15 minutes", "every 15 minutes"),
            ("5 * * * *", "chaque heure, à la minute 5", "every hour, at minute 5"),
            ("0 */6 * * *", "toutes les 6 heures, à la minute 0", "every 6 hours, at minute 0"),
            (
                "0 8,18 * * 1,5",
                "le lundi et le vendredi à 08:00 et 18:00",
                "on Monday and Friday at 08:00 and 18:00",
            ),
            ("0 6 1 * *", "le 1er de chaque mois à 06:00", "on day 1 of each month at 06:00"),
            ("*/5 * * * 7", "toutes les 5 minutes, le dimanche", "every 5 minutes, on Sunday"),
        ] {
            assert_eq!(say(Lang::Fr, cron), fr, "{cron}");
            assert_eq!(say(Lang::En, cron), en, "{cron}");
        }
    }

    #[test]
    fn what_has_no_words_is_shown_as_it_is() {
        for cron in [
            "0 7 1-7 * MON",
            "*/0 * * * *",
            "99 7 * * *",
            "10 5 * 2 *",
            "",
            "0 7 * * 9",
            "*/1 * * * *",
            "*/45 * * * *",
            "0 */5 * * *",
            "0 7 0 * *",
            "30 0 7 * * *",
        ] {
            assert_eq!(say(Lang::Fr, cron), format!("selon «\u{a0}{cron}\u{a0}»"));
        }
    }
}
