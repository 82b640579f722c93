//! How the console says times, durations, states and counts, in the language of its viewer.
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{Lang, local, operate::JobState};
use maud::{Markup, html};

use super::viewer::Viewer;

/// A time by the clocks of Casablanca; nothing for none.
pub fn time(time: Option<DateTime<Utc>>) -> Markup {
    html! {
        @if let Some(time) = time {
            time datetime=(time.to_rfc3339()) { (local::wall(time).format("%d/%m/%Y %H:%M:%S")) }
        } @else { span.rien { "–" } }
    }
}

/// A duration in its two greatest units.
pub fn duration(langue: Lang, duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let day = langue.choose("j", "d");
    match () {
        () if seconds == 0 => format!("{}\u{a0}ms", duration.num_milliseconds().max(0)),
        () if minutes == 0 => format!("{seconds}\u{a0}s"),
        () if hours == 0 => format!("{minutes}\u{a0}min {}\u{a0}s", seconds % 60),
        () if days == 0 => format!("{hours}\u{a0}h {}\u{a0}min", minutes % 60),
        () => format!("{days}\u{a0}{day} {}\u{a0}h", hours % 24),
    }
}

/// So many seconds, to the millisecond.
pub fn whole(seconds: f64) -> TimeDelta {
    let duration = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// How long ago `time` was, or how long it is until then.
pub fn ago(langue: Lang, time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if time > now {
        let left = duration(langue, time - now);
        return langue.choose(format!("dans {left}"), format!("in {left}"));
    }
    let gone = duration(langue, now - time);
    langue.choose(format!("il y a {gone}"), format!("{gone} ago"))
}

/// The state of a job, as a word and a colour.
pub fn state(langue: Lang, state: JobState) -> Markup {
    html! { span class={ "etat " (state.as_str()) } { (state_name(langue, state)) } }
}

/// The state of a job, as a word.
pub fn state_name(langue: Lang, state: JobState) -> &'static str {
    match state {
        JobState::Scheduled => langue.choose("à venir", "scheduled"),
        JobState::Ready => langue.choose("prête", "ready"),
        JobState::Running => langue.choose("en cours", "running"),
        JobState::Retrying => langue.choose("en reprise", "retrying"),
        JobState::Done => langue.choose("faite", "done"),
        JobState::Dead => langue.choose("en échec", "dead"),
        JobState::Cancelled => langue.choose("annulée", "cancelled"),
    }
}

/// How an attempt ended.
pub fn outcome(langue: Lang, outcome: &str) -> &str {
    match outcome {
        "done" => langue.choose("réussie", "done"),
        "retry" => langue.choose("échouée, à reprendre", "failed, to be retried"),
        "outage" => langue.choose(
            "service absent, sans coûter d’essai",
            "service away, at the cost of no attempt",
        ),
        "snooze" => langue.choose("remise à plus tard", "put off"),
        "dead" => langue.choose("échouée pour de bon", "failed for good"),
        "handed_back" => {
            langue.choose("rendue, son worker s’arrêtait", "handed back, its worker stopped")
        }
        "lost" => langue.choose("perdue, son worker a disparu", "lost, its worker vanished"),
        "cancelled" => langue.choose("annulée", "cancelled"),
        "redriven" => langue.choose("relancée par un opérateur", "run again by an operator"),
        other => other,
    }
}

/// A whole number with its thousands apart.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Mebibytes with one decimal.
pub fn mebibytes(langue: Lang, bytes: i64) -> String {
    let number = tenths(langue, bytes.saturating_mul(10) / (1024 * 1024));
    langue.choose(format!("{number}\u{a0}Mio"), format!("{number}\u{a0}MiB"))
}

/// The room of one file: in kibibytes where it is small.
pub fn room(langue: Lang, bytes: i64) -> String {
    if bytes >= 1024 * 1024 {
        return mebibytes(langue, bytes);
    }
    let number = count(bytes.max(0).unsigned_abs().div_ceil(1024).try_into().unwrap_or(0));
    langue.choose(format!("{number}\u{a0}Kio"), format!("{number}\u{a0}KiB"))
}

/// So many tenths, with the decimal sign of the language.
pub fn tenths(langue: Lang, tenths: i64) -> String {
    format!("{}{}{}", count(tenths / 10), langue.choose(',', '.'), tenths % 10)
}

/// A line that was written for a terminal as a page shows it: in French with the apostrophe of print, and with no break before the
/// signs that stand apart.
pub fn typeset(langue: Lang, text: &str) -> String {
    if langue != Lang::Fr {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_inside = || {
            let after = text.get(at + 1..).and_then(|after| after.chars().next());
            out.ends_with(char::is_alphabetic) && after.is_some_and(char::is_alphabetic)
        };
        out.push(if c == '\'' && is_inside() { '’' } else { c });
    }
    out = out.replace("« ", "«\u{a0}");
    for sign in [":", ";", "?", "!", "»"] {
        out = out.replace(&format!(" {sign}"), &format!("\u{a0}{sign}"));
    }
    out
}

/// An error as it is shown: without the secrets of links, and for who only reads without the addresses of people, which mail servers
/// like to quote.
pub fn impersonal(viewer: &Viewer, error: &str) -> String {
    let error = without_secrets(error);
    if viewer.acts { error } else { without_addresses(&error) }
}

/// An error as the audit keeps it, for years: short, and without secrets and addresses.
pub(crate) fn for_the_record(error: &str) -> String {
    short(&without_addresses(&without_secrets(error)), 300)
}

fn without_addresses(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains('@') { "•••" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// The text without the secrets of the links in it, each of which does something in the name of its reader.
pub fn without_secrets(text: &str) -> String {
    const BEFORE: &str = "jeton=";
    let mut parts = text.split(BEFORE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_secret = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        out.extend([BEFORE, "•••", part.trim_start_matches(is_secret)]);
    }
    out
}

/// What was typed, as an attribute or a text of a page: never longer than a person reads.
pub fn short(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_links_are_masked() {
        let text =
            "<https://erp.ma/desabonnement?jeton=ab-C_1.d2>, <a href=\"x?jeton=e\">jeton</a>";
        assert_eq!(
            without_secrets(text),
            "<https://erp.ma/desabonnement?jeton=•••>, <a href=\"x?jeton=•••\">jeton</a>"
        );
        assert_eq!(without_secrets("rien"), "rien");
        let error = format!("550 <a@b.ma> refusé, voir x?jeton=ab {}", "e".repeat(400));
        let kept = for_the_record(&error);
        assert!(kept.starts_with("550 ••• refusé, voir x?jeton=••• eee"), "{kept}");
        assert_eq!(kept.chars().count(), 301);
    }

    #[test]
    fn durations_and_counts_read_well() {
        let of = |seconds| duration(Lang::Fr, TimeDelta::seconds(seconds)).replace('\u{a0}', " ");
        assert_eq!(of(7), "7 s");
        assert_eq!(of(125), "2 min 5 s");
        assert_eq!(of(7265), "2 h 1 min");
        assert_eq!(of(200_000), "2 j 7 h");
        assert_eq!(duration(Lang::En, TimeDelta::milliseconds(12)), "12\u{a0}ms");
        assert_eq!(count(1_234_567).replace('\u{202f}', " "), "1 234 567");
        assert_eq!((count(0), count(999)), ("0".to_owned(), "999".to_owned()));
        assert_eq!(short("Écluse", 3), "Écl…");
        let line = "l'heure : « base » ; 'x' 10:30";
        assert_eq!(typeset(Lang::Fr, line), "l’heure\u{a0}: «\u{a0}base\u{a0}»\u{a0}; 'x' 10:30");
        assert_eq!(typeset(Lang::En, "it's: so"), "it's: so");
    }
}
