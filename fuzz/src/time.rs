//! Due dates: cron expressions, and recurring visits.
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use erp_core::{
    local::{self, Zone},
    planning::{Echeance, FrequencePlanning},
    schedules::Cron,
};

use super::{byte, number};

/// An instant in the years `from..to`.
fn instant(data: &mut &[u8], from: i32, to: i32) -> DateTime<Utc> {
    let start = |year| {
        chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
    };
    let span = (start(to) - start(from)).num_microseconds().unwrap();
    start(from)
        + TimeDelta::microseconds(i64::try_from(number(data) % span.unsigned_abs()).unwrap())
}

fn zone(data: &mut &[u8]) -> Zone {
    let names = [
        "Africa/Casablanca",
        "Europe/Paris",
        "Pacific/Apia",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "UTC",
    ];
    local::zone(names[usize::from(byte(data)) % names.len()]).unwrap()
}

/// The ticks of a cron expression that the API accepts go forward: each is later than the instant it was asked for, and is the
/// same when asked for from an instant in between.
pub fn cron(mut data: &[u8]) {
    let (after, zone) = (instant(&mut data, 1990, 2110), zone(&mut data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.chars().count() > 100 {
        return;
    }
    let Ok(cron) = Cron::parse(text) else { return };
    let mut now = after;
    for _ in 0..4 {
        let Some(next) = cron.next(now, &zone) else { return };
        assert!(next > now, "{text:?}: {next} after {now}");
        let between = now + (next - now) / 2;
        if between < next {
            assert_eq!(cron.next(between, &zone), Some(next), "{text:?} after {now} and {between}");
        }
        now = next;
    }
}

/// The next visit is later than this one; after a visit held now, the next is after now; the deadline has not passed.
pub fn recurrence(mut data: &[u8]) {
    use FrequencePlanning::{Annuel, Hebdomadaire, Journalier, Mensuel, Semestriel, Trimestriel};
    let all = [Journalier, Hebdomadaire, Mensuel, Trimestriel, Semestriel, Annuel];
    let frequence = all[usize::from(byte(&mut data)) % all.len()];
    // A date that a request may have, and a now from one period before it to forty after: `after_visit` steps through each.
    let first = Echeance::at(instant(&mut data, 1900, 3000));
    let period = match frequence {
        Journalier => 1,
        Hebdomadaire => 7,
        Mensuel => 31,
        Trimestriel => 92,
        Semestriel => 184,
        Annuel => 366,
    };
    let span = TimeDelta::days(period * 41).num_microseconds().unwrap().unsigned_abs();
    let passed = TimeDelta::microseconds(i64::try_from(number(&mut data) % span).unwrap());
    let now = first.date - TimeDelta::days(period) + passed;
    let moved = instant(&mut data, 1900, 3000);

    let next = first.next(frequence);
    assert!(next.date > first.date, "{first:?} {frequence:?}: {next:?}");
    assert_eq!(next.heure, first.heure);
    let days = (local::day_of(next.date) - local::day_of(first.date)).num_days();
    let (least, most) = match frequence {
        Journalier => (1, 2),
        Hebdomadaire => (7, 8),
        Mensuel => (28, 31),
        Trimestriel => (89, 92),
        Semestriel => (181, 184),
        Annuel => (365, 366),
    };
    assert!((least..=most).contains(&days), "{first:?} {frequence:?}: {next:?}");
    if !matches!(frequence, Journalier | Hebdomadaire) {
        assert_eq!(next.jour, first.jour);
        assert!(local::wall(next.date).day() <= first.jour, "{first:?} {frequence:?}: {next:?}");
    }

    let after = first.after_visit(frequence, now);
    assert!(
        after.date > now && after.date > first.date,
        "{first:?} {frequence:?} {now}: {after:?}"
    );
    let limite = first.limite(frequence, now);
    assert!(limite > now - TimeDelta::seconds(1), "{first:?} {frequence:?} {now}: {limite}");
    assert_eq!(first.moved_to(moved).date, Echeance::at(moved).date);
    assert_eq!(first.moved_to(first.date), first);
}
