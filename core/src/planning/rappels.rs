//! Announces the visits of tomorrow, once each.
use chrono::{DateTime, Days, Utc};

use super::{
    FrequencePlanning,
    store::{self, Due},
};
use crate::{
    Lang, Result, Text, Tx, local,
    mailer::date_heure,
    notifications::{self, Announcement, Event},
};

/// Announces up to `limit` of the visits of the local day after `now`, one for each planning; returns how many.
pub async fn remind(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let (from, to) = local::span_of(local::day_of(now) + Days::new(1));
    let found = store::lock_unannounced(tx, from, to, limit).await?;
    for Due { planning, equipement } in &found {
        // A daily planning has another visit before it, which may be a day late.
        let date = planning.dates(now).find(|date| *date >= from).unwrap_or(from);
        let when = |lang| date_heure(date, lang);
        let what = |lang| planning.frequence.maintenance(lang);
        let announcement = Announcement {
            event: Event::VisiteDemain,
            cle: format!("planning:{}:{}", planning.id, date.timestamp()),
            intervention_id: None,
            planning_id: Some(planning.id),
            contenu: Some(Text::new(
                format!("{} de « {equipement} », prévue le {}.", what(Lang::Fr), when(Lang::Fr)),
                format!("{} of \"{equipement}\", planned for {}.", what(Lang::En), when(Lang::En)),
            )),
        };
        notifications::announce(tx, &announcement, now).await?;
        store::set_announced(tx, planning.id, date).await?;
    }
    Ok(found.len())
}

impl FrequencePlanning {
    /// What its visits are called.
    #[must_use]
    pub fn maintenance(self, lang: Lang) -> &'static str {
        let (fr, en) = match self {
            Self::Journalier => ("Maintenance journalière", "Daily maintenance"),
            Self::Hebdomadaire => ("Maintenance hebdomadaire", "Weekly maintenance"),
            Self::Mensuel => ("Maintenance mensuelle", "Monthly maintenance"),
            Self::Trimestriel => ("Maintenance trimestrielle", "Quarterly maintenance"),
            Self::Semestriel => ("Maintenance semestrielle", "Half-yearly maintenance"),
            Self::Annuel => ("Maintenance annuelle", "Yearly maintenance"),
        };
        lang.choose(fr, en)
    }
}
