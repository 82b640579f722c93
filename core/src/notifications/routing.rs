//! Who is told of which event, and by which channel: one table. A notification that a user does not want by e-mail
//! ([`crate::preferences`]) is in the application only.
use chrono::{DateTime, Utc};

use super::{CanalNotification, NotificationFields, TypeNotification, notified, store};
use crate::{Lang, Result, Text, Tx};
use CanalNotification::{Email, Log};
use Circle::{Admins, Createur, Responsables, Technicien, UtilisateursDuClient};

/// The events that users are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An intervention is given to a technicien.
    Affectation,
    /// An intervention is closed.
    Cloture,
    /// The visit of a planning comes tomorrow.
    VisiteDemain,
    /// The deadline of an intervention is tomorrow.
    EcheanceDemain,
    /// The deadline of an intervention has passed.
    Retard,
    /// An intervention stays without a technicien: the level of escalation, 1 to 3.
    SansTechnicien(i16),
}

/// The groups of users that an event may concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circle {
    /// The technicien of the intervention.
    Technicien,
    /// The user who opened the intervention.
    Createur,
    /// The users of the client whose machine it is.
    UtilisateursDuClient,
    /// The active responsables; where there is none, the admins.
    Responsables,
    Admins,
}

/// Event, circle, channel. A user in two circles is told once, by e-mail if one of the two says so.
pub const TABLE: &[(Event, Circle, CanalNotification)] = &[
    (Event::Affectation, Technicien, Email),
    (Event::Cloture, Createur, Email),
    (Event::Cloture, UtilisateursDuClient, Email),
    (Event::VisiteDemain, Responsables, Email),
    (Event::EcheanceDemain, Technicien, Email),
    (Event::EcheanceDemain, Responsables, Log),
    (Event::Retard, Technicien, Email),
    (Event::Retard, Responsables, Email),
    (Event::SansTechnicien(1), Responsables, Email),
    (Event::SansTechnicien(2), Responsables, Email),
    (Event::SansTechnicien(2), Admins, Email),
    (Event::SansTechnicien(3), Responsables, Email),
    (Event::SansTechnicien(3), Admins, Email),
];

impl Event {
    /// The type that its notifications are of.
    #[must_use]
    pub fn type_(self) -> TypeNotification {
        match self {
            Self::Affectation => TypeNotification::Affectation,
            Self::Cloture => TypeNotification::Cloture,
            Self::VisiteDemain | Self::EcheanceDemain => TypeNotification::Rappel,
            Self::Retard => TypeNotification::Retard,
            Self::SansTechnicien(_) => TypeNotification::Alerte,
        }
    }
}

/// An event to announce to the users that it concerns.
#[derive(Debug, Clone)]
pub struct Announcement {
    pub event: Event,
    /// Identifies this occurrence of the event: no user is told of it twice.
    pub cle: String,
    pub intervention_id: Option<i64>,
    pub planning_id: Option<i64>,
    /// Text beyond the type and the subject; each reader gets it in their language.
    pub contenu: Option<Text>,
}

/// A user to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recipient {
    pub user_id: i64,
    pub langue: Lang,
}

/// Notifies every user whom `announcement` concerns and who has not been told of it.
pub async fn announce(
    tx: &mut Tx<'_>,
    announcement: &Announcement,
    now: DateTime<Utc>,
) -> Result<()> {
    for (recipient, canal) in recipients(tx, announcement).await? {
        let Recipient { user_id, langue } = recipient;
        if !notified::claim(&mut **tx, &announcement.cle, user_id, now).await? {
            continue;
        }
        let new = NotificationFields {
            type_: announcement.event.type_(),
            canal,
            contenu: announcement.contenu.as_ref().map(|text| text.in_lang(langue).to_owned()),
            intervention_id: announcement.intervention_id,
            planning_id: announcement.planning_id,
            user_id,
        };
        let notification = super::create(tx, &new, now).await?;
        notified::name_claim(tx, &announcement.cle, user_id, notification.id).await?;
    }
    Ok(())
}

/// Each user once, by id; with the channel e-mail if one of their circles has it.
async fn recipients(
    tx: &mut Tx<'_>,
    announcement: &Announcement,
) -> Result<Vec<(Recipient, CanalNotification)>> {
    let mut recipients: Vec<(Recipient, CanalNotification)> = Vec::new();
    for &(event, circle, canal) in TABLE {
        if event != announcement.event {
            continue;
        }
        for recipient in store::members(tx, circle, announcement.intervention_id).await? {
            match recipients.iter_mut().find(|(known, _)| *known == recipient) {
                Some((_, known)) if canal == Email => *known = Email,
                Some(_) => {}
                None => recipients.push((recipient, canal)),
            }
        }
    }
    recipients.sort_by_key(|(recipient, _)| recipient.user_id);
    Ok(recipients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_reaches_somebody_by_mail() {
        use Event::{Affectation, Cloture, EcheanceDemain, Retard, SansTechnicien, VisiteDemain};
        let levels = crate::interventions::NIVEAUX.len();
        let levels = (1..=levels).map(|n| SansTechnicien(i16::try_from(n).unwrap()));
        let events = [Affectation, Cloture, VisiteDemain, EcheanceDemain, Retard];
        for event in events.into_iter().chain(levels) {
            assert!(TABLE.iter().any(|&(e, _, canal)| e == event && canal == Email), "{event:?}");
        }
    }
}
