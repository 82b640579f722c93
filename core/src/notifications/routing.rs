//! Who is told of which event, and by which channel: one table. A notification that a user does not want by e-mail
//! ([`crate::preferences`]) is in the application only.
use chrono::{DateTime, Utc};

use super::{CanalNotification, NotificationFields, TypeNotification, notified, store};
use crate::{Lang, Result, Text, Tx};
use CanalNotification::{Email, Log};
use Cercle::{Admins, Createur, Responsables, Technicien, UtilisateursDuClient};

/// The events that users are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evenement {
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
pub enum Cercle {
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
pub const TABLE: &[(Evenement, Cercle, CanalNotification)] = &[
    (Evenement::Affectation, Technicien, Email),
    (Evenement::Cloture, Createur, Email),
    (Evenement::Cloture, UtilisateursDuClient, Email),
    (Evenement::VisiteDemain, Responsables, Email),
    (Evenement::EcheanceDemain, Technicien, Email),
    (Evenement::EcheanceDemain, Responsables, Log),
    (Evenement::Retard, Technicien, Email),
    (Evenement::Retard, Responsables, Email),
    (Evenement::SansTechnicien(1), Responsables, Email),
    (Evenement::SansTechnicien(2), Responsables, Email),
    (Evenement::SansTechnicien(2), Admins, Email),
    (Evenement::SansTechnicien(3), Responsables, Email),
    (Evenement::SansTechnicien(3), Admins, Email),
];

impl Evenement {
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
pub struct Annonce {
    pub evenement: Evenement,
    /// Identifies this occurrence of the event: no user is told of it twice.
    pub cle: String,
    pub intervention_id: Option<i64>,
    pub planning_id: Option<i64>,
    /// Text beyond the type and the subject; each reader gets it in their language.
    pub contenu: Option<Text>,
}

/// A user to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Destinataire {
    pub user_id: i64,
    pub langue: Lang,
}

/// Notifies every user whom `annonce` concerns and who has not been told of it.
pub async fn announce(tx: &mut Tx<'_>, annonce: &Annonce, now: DateTime<Utc>) -> Result<()> {
    for (destinataire, canal) in recipients(tx, annonce).await? {
        let Destinataire { user_id, langue } = destinataire;
        if !notified::claim(&mut **tx, &annonce.cle, user_id, now).await? {
            continue;
        }
        let new = NotificationFields {
            type_: annonce.evenement.type_(),
            canal,
            contenu: annonce.contenu.as_ref().map(|text| text.in_lang(langue).to_owned()),
            intervention_id: annonce.intervention_id,
            planning_id: annonce.planning_id,
            user_id,
        };
        let notification = super::create(tx, &new, now).await?;
        notified::name_claim(tx, &annonce.cle, user_id, notification.id).await?;
    }
    Ok(())
}

/// Each user once, by id; with the channel e-mail if one of their circles has it.
async fn recipients(
    tx: &mut Tx<'_>,
    annonce: &Annonce,
) -> Result<Vec<(Destinataire, CanalNotification)>> {
    let mut told: Vec<(Destinataire, CanalNotification)> = Vec::new();
    for &(evenement, cercle, canal) in TABLE {
        if evenement != annonce.evenement {
            continue;
        }
        for destinataire in store::members(tx, cercle, annonce.intervention_id).await? {
            match told.iter_mut().find(|(known, _)| *known == destinataire) {
                Some((_, known)) if canal == Email => *known = Email,
                Some(_) => {}
                None => told.push((destinataire, canal)),
            }
        }
    }
    told.sort_by_key(|(destinataire, _)| destinataire.user_id);
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_reaches_somebody_by_mail() {
        use Evenement::{
            Affectation, Cloture, EcheanceDemain, Retard, SansTechnicien, VisiteDemain,
        };
        let levels = crate::interventions::NIVEAUX.len();
        let levels = (1..=levels).map(|n| SansTechnicien(i16::try_from(n).unwrap()));
        let events = [Affectation, Cloture, VisiteDemain, EcheanceDemain, Retard];
        for event in events.into_iter().chain(levels) {
            assert!(TABLE.iter().any(|&(e, _, canal)| e == event && canal == Email), "{event:?}");
        }
    }
}
