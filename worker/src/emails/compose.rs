//! Composes the contents of a mail when it is frozen, from what is known then.
use chrono::{DateTime, Utc};
use erp_core::{
    Code, Error, Result, Tx,
    accounts::links::{self, Purpose},
    mail_facts::{self, Facts},
    mailer::{
        CompteMail, Frozen, GroupeLigne, GroupeMail, NotificationMail, OutgoingMail, Rendered,
        Template, lien_intervention, lien_planning, message_id,
    },
    notifications::{
        TypeNotification,
        outgoing_mails::{AccountEvent, AccountNotice, Envoi},
    },
    users,
};

use super::renderer;
use crate::{digest, work::Work};

/// The most notifications that one mail shows; it also says how many there are in all.
const SHOWN: usize = 50;

/// The bytes of a mail: a notice about an account, the digest of its day, or its `waiting` notifications. `None`: there is
/// nothing to say.
pub(super) async fn mail(
    work: &Work,
    tx: &mut Tx<'_>,
    envoi: &Envoi,
    waiting: &[i64],
    now: DateTime<Utc>,
) -> Result<Option<Frozen>> {
    let mail = match (&envoi.avis, envoi.jour) {
        (Some(avis), _) => of_account(work, tx, envoi.user_id, avis, now).await?,
        (None, Some(jour)) => digest::mail(work, tx, envoi.user_id, jour, now).await?,
        (None, None) => of_notifications(work, tx, waiting).await?,
    };
    mail.map(|mail| work.mailer.freeze(&mail)).transpose()
}

/// Whether the link in a mail may be followed; true for a mail without one.
pub(super) async fn link_is_good(
    tx: &mut Tx<'_>,
    envoi: &Envoi,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Some(avis) = &envoi.avis else { return Ok(true) };
    let Some(id) = avis.lien else { return Ok(true) };
    Ok(links::owner(&mut **tx, id, page_of(avis.quoi).1, now).await?.is_some())
}

/// The page that the link of a notice leads to, and what the link is for.
fn page_of(quoi: AccountEvent) -> (&'static str, Purpose) {
    match quoi {
        AccountEvent::Invitation => ("invitation", Purpose::Invitation),
        AccountEvent::MotDePasse
        | AccountEvent::NouvelAppareil
        | AccountEvent::Oubli
        | AccountEvent::CleApi
        | AccountEvent::DonneesPretes
        | AccountEvent::SecondFacteurActive
        | AccountEvent::SecondFacteurRetire => ("mot-de-passe", Purpose::Oubli),
    }
}

/// A notice about an account; `None` when the account was disabled since, because its owner could do nothing, or when the link
/// in it is no longer good.
async fn of_account(
    work: &Work,
    tx: &mut Tx<'_>,
    user_id: i64,
    avis: &AccountNotice,
    now: DateTime<Utc>,
) -> Result<Option<OutgoingMail>> {
    let reader = users::find(&mut **tx, user_id).await?;
    if !reader.is_active {
        return Ok(None);
    }
    let template = match avis.quoi {
        AccountEvent::MotDePasse => Template::CompteMotDePasse,
        AccountEvent::NouvelAppareil => Template::CompteAppareil,
        AccountEvent::Oubli => Template::CompteOubli,
        AccountEvent::Invitation => Template::CompteInvitation,
        AccountEvent::SecondFacteurActive => Template::CompteSecondFacteur,
        AccountEvent::SecondFacteurRetire => Template::CompteSecondFacteurRetire,
        AccountEvent::CleApi => Template::CompteCleApi,
        AccountEvent::DonneesPretes => Template::CompteDonnees,
    };
    let (page, purpose) = page_of(avis.quoi);
    let lien = match avis.lien {
        None if avis.quoi == AccountEvent::DonneesPretes => {
            format!("{}/compte#donnees", work.config.http.public_url)
        }
        None if avis.quoi == AccountEvent::CleApi => {
            format!("{}/compte#cles", work.config.http.public_url)
        }
        None => work.config.mail.frontend_url.clone(),
        Some(id) if links::owner(&mut **tx, id, purpose, now).await?.is_some() => {
            let secret = work.account_links.secret(id);
            format!("{}/api/v1/compte/{page}?jeton={secret}", work.config.http.public_url)
        }
        Some(_) => return Ok(None),
    };
    let mail = CompteMail {
        langue: reader.langue,
        destinataire_nom: reader.full_name.clone(),
        quand: avis.quand,
        appareil: avis.appareil.clone(),
        adresse: avis.adresse.clone(),
        auteur: avis.auteur.clone(),
        lien,
    };
    Ok(Some(OutgoingMail {
        to_name: reader.full_name,
        to_email: reader.email,
        message_id: message_id(work.mailer.domain()),
        rendered: renderer()?.render(template, &mail)?,
        headers: Vec::new(),
    }))
}

async fn of_notifications(
    work: &Work,
    tx: &mut Tx<'_>,
    waiting: &[i64],
) -> Result<Option<OutgoingMail>> {
    let facts = mail_facts::facts(&mut **tx, &waiting[..waiting.len().min(SHOWN)]).await?;
    let Some(reader) = facts.first() else { return Ok(None) };
    if !reader.is_active {
        return Err(Error::refused(
            Code::DestinataireDesactive,
            "Le compte du destinataire est désactivé.",
            "The recipient's account is disabled.",
        ));
    }
    Ok(Some(OutgoingMail {
        to_name: reader.full_name.clone(),
        to_email: reader.email.clone(),
        message_id: message_id(work.mailer.domain()),
        rendered: render(work, &facts, waiting.len())?,
        headers: Vec::new(),
    }))
}

fn render(work: &Work, facts: &[Facts], total: usize) -> Result<Rendered> {
    let frontend = &work.config.mail.frontend_url;
    let Facts { langue, full_name, .. } = facts[0].clone();
    if let ([one], 1) = (facts, total) {
        let mail = NotificationMail {
            langue,
            destinataire_nom: full_name,
            intervention_id: one.intervention_id,
            titre: titre(one),
            equipement: one.equipement.clone(),
            localisation: one.localisation.clone(),
            priorite: one.priorite.map(|p| p.to_string()),
            date_limite: one.date_limite.or(one.date_visite),
            technicien: one.technicien.clone(),
            contenu: said(one),
            lien: lien(one, frontend),
        };
        return renderer()?.render(Template::notification(one.type_.as_str()), &mail);
    }
    let lignes = facts.iter().map(|one| GroupeLigne {
        type_: one.type_.to_string(),
        titre: titre(one),
        intervention_id: one.intervention_id,
        equipement: one.equipement.clone(),
        localisation: one.localisation.clone(),
        date_limite: one.date_limite.or(one.date_visite),
        contenu: said(one),
        lien: lien(one, frontend),
    });
    let mail = GroupeMail {
        langue,
        destinataire_nom: full_name,
        lignes: lignes.collect(),
        total: i64::try_from(total).unwrap_or(i64::MAX),
        lien: format!("{frontend}/notifications"),
    };
    renderer()?.render(Template::NotificationGroupee, &mail)
}

fn titre(one: &Facts) -> String {
    let of_planning = one.frequence.map(|frequence| frequence.maintenance(one.langue).to_owned());
    one.titre.clone().or(of_planning).unwrap_or_else(|| "Maintenance".to_owned())
}

/// What a person wrote; of a closed intervention otherwise its report. `None` for the reminder of a visit: the mail says
/// better what the system wrote.
fn said(one: &Facts) -> Option<String> {
    match one.type_ {
        TypeNotification::Rappel if one.planning_id.is_some() => None,
        TypeNotification::Cloture => one.contenu.clone().or_else(|| one.rapport.clone()),
        _ => one.contenu.clone(),
    }
}

fn lien(one: &Facts, frontend: &str) -> String {
    match (one.intervention_id, one.planning_id) {
        (Some(id), _) => lien_intervention(frontend, id),
        (None, Some(id)) => lien_planning(frontend, id),
        (None, None) => frontend.to_owned(),
    }
}
