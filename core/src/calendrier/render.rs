//! The content of a calendar, as iCalendar (RFC 5545). Times are UTC, which every program shows in its own zone. Visits are
//! single events, not a recurrence rule: no rule of the format says "the 31st, else the last day", and a phone would apply a
//! rule by its own data on the clock in Morocco.
use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _};

use crate::{
    Ctx, Lang, Result, interventions,
    mailer::{
        self,
        clean::{lines, one_line},
    },
    planning,
    scope::Scope,
};

/// How far ahead visits are shown.
const HORIZON: TimeDelta = TimeDelta::days(92);
/// The most rows that are read for one calendar, and the most visits in it.
const MOST_ROWS: i64 = 1000;
const MOST: usize = 2000;
/// The length of a visit in the calendar: visits have no duration of their own.
const VISIT: TimeDelta = TimeDelta::hours(1);

/// A calendar, as text.
#[derive(Debug, Clone)]
pub struct Calendrier(pub String);

/// The visits of the plannings of machines in `scope`.
pub async fn of_plannings(ctx: &Ctx, scope: Scope, lang: Lang) -> Result<Calendrier> {
    let now = ctx.clock.now();
    let rows = planning::calendar(&ctx.pool, scope, MOST_ROWS).await?;
    // All visits are sorted by time, and then cut: those of a daily planning do not push out those of a yearly one.
    let mut visits = Vec::new();
    for row in &rows {
        let dates = row.planning.dates(now).take_while(|date| *date < now + HORIZON);
        visits.extend(dates.map(|date| (date, row)));
    }
    visits.sort_by_key(|(date, row)| (*date, row.planning.id));
    let events = visits.into_iter().take(MOST).map(|(date, row)| {
        let planning = &row.planning;
        let what = planning.frequence.maintenance(lang);
        let mut event = event(ctx, &format!("planning-{}-{}", planning.id, date.timestamp()), now);
        event.summary(&one_line(&format!("{what} - {}", row.equipement)));
        event.location(&one_line(&row.localisation));
        event.starts(date).ends(date + VISIT);
        event.url(&mailer::lien_planning(&ctx.config.mail.frontend_url, planning.id));
        if let Some(commentaire) = &planning.commentaire {
            event.description(&lines(commentaire));
        }
        event.done()
    });
    let name = lang.choose("Visites de maintenance", "Maintenance visits");
    Ok(calendar(name, events.collect()))
}

/// The interventions of a technicien that have a deadline and are not over, each as an event that ends at its deadline.
pub async fn of_technicien(ctx: &Ctx, technicien_id: i64, lang: Lang) -> Result<Calendrier> {
    let now = ctx.clock.now();
    let rows = interventions::calendar(&ctx.pool, technicien_id, MOST_ROWS).await?;
    let events = rows.into_iter().map(|row| {
        let minutes = i64::from(row.duree_estimee.unwrap_or(60).max(15));
        let mut event = event(ctx, &format!("intervention-{}", row.id), now);
        event.summary(&one_line(&format!("{} - {}", row.titre, row.equipement)));
        event.location(&one_line(&row.localisation));
        event.starts(row.date_limite - TimeDelta::minutes(minutes)).ends(row.date_limite);
        event.url(&mailer::lien_intervention(&ctx.config.mail.frontend_url, row.id));
        if let Some(description) = &row.description {
            event.description(&lines(description));
        }
        event.done()
    });
    let name = lang.choose("Mes interventions", "My interventions");
    Ok(calendar(name, events.collect()))
}

/// An event whose UID is the same at each reading, so that programs move it instead of adding it again.
fn event(ctx: &Ctx, name: &str, now: DateTime<Utc>) -> Event {
    let mut event = Event::new();
    event.uid(&format!("{name}@{}", ctx.mailer.domain())).timestamp(now);
    event
}

fn calendar(name: &str, events: Vec<Event>) -> Calendrier {
    // `Calendar::new` would set properties of the crate.
    let mut calendar = Calendar::empty();
    calendar.append_property(("VERSION", "2.0"));
    calendar.append_property(("PRODID", "-//MIF Maroc//ERP//FR"));
    calendar.append_property(("CALSCALE", "GREGORIAN"));
    calendar.name(name).ttl(&TimeDelta::hours(1));
    calendar.extend(events);
    Calendrier(calendar.done().to_string())
}
