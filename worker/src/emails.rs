//! Sends the mails of notifications: each its own, or those that come together as one.
use std::{sync::LazyLock, time::Duration};

use anyhow::anyhow;
use chrono::TimeDelta;
use erp_core::{
    Ctx, Error, Result,
    jobs::Verdict,
    mailer::{
        GroupeLigne, GroupeMail, NotificationMail, OutgoingMail, Rendered, Renderer, Template,
        lien_intervention, lien_planning, message_id,
    },
    notifications::{
        self, CanalNotification, Delivery, Facts, StatutNotification, TypeNotification,
        envois::{self, Contents},
        jobs::{SendEmail, SendGroup},
    },
    preferences,
};

static RENDERER: LazyLock<Result<Renderer>> = LazyLock::new(Renderer::new);

/// Notifications that one mail shows; it says how many there are.
const SHOWN: usize = 50;

pub(crate) fn renderer() -> Result<&'static Renderer> {
    RENDERER.as_ref().map_err(|error| anyhow!("{error}").into())
}

/// Adds the mail of a notification to the one that gathers for its reader, or sends it at once when mails do not gather.
pub(crate) async fn send(ctx: Ctx, job: SendEmail) -> Result<Verdict> {
    let facts = notifications::facts(&ctx.pool, &[job.notification_id]).await?;
    let [one] = facts.as_slice() else {
        // Deleted meanwhile: nobody is to be told any more.
        return Ok(Verdict::Done);
    };
    if one.statut == StatutNotification::Envoyee || one.canal == CanalNotification::Log {
        return Ok(Verdict::Done);
    }
    let group = ctx.config.mail.group;
    if group == TimeDelta::zero() {
        if let Some(pause) = quiet(&ctx, one.user_id).await? {
            return Ok(Verdict::Snooze(pause));
        }
        deliver(&ctx, &facts, &[one.id], one.id).await?;
    } else if !envois::is_admitted(&ctx.pool, one.id).await? {
        let mut tx = ctx.begin().await?;
        envois::admit(&mut tx, one.id, one.user_id, group, ctx.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(Verdict::Done)
}

/// Sends a mail that has gathered; what comes from now on is for the next one. One that cannot be sent gathers on.
pub(crate) async fn send_group(ctx: Ctx, job: SendGroup) -> Result<Verdict> {
    let Some(user_id) = envois::reader(&ctx.pool, job.envoi_id).await? else {
        return Ok(Verdict::Done);
    };
    // The server may have been away until now.
    if let Some(pause) = quiet(&ctx, user_id).await? {
        return Ok(Verdict::Snooze(pause));
    }
    let mut tx = ctx.begin().await?;
    let contents = envois::close(&mut tx, job.envoi_id, ctx.clock.now()).await?;
    tx.commit().await?;
    let Some(Contents { waiting, first }) = contents else { return Ok(Verdict::Done) };
    let facts = notifications::facts(&ctx.pool, &waiting[..waiting.len().min(SHOWN)]).await?;
    if facts.is_empty() {
        return Ok(Verdict::Done);
    }
    let sent = deliver(&ctx, &facts, &waiting, first).await;
    match &sent {
        Ok(()) => {
            let now = ctx.clock.now();
            patiently(|| envois::record_departure(&ctx.pool, job.envoi_id, now)).await?;
        }
        Err(error) if error.is_unavailable() => {
            let mut tx = ctx.begin().await?;
            envois::reopen(&mut tx, job.envoi_id).await?;
            tx.commit().await?;
        }
        Err(_) => {}
    }
    sent.map(|()| Verdict::Done)
}

/// How long the quiet hours of a person go on.
async fn quiet(ctx: &Ctx, user_id: i64) -> Result<Option<Duration>> {
    Ok(preferences::find(&ctx.pool, user_id).await?.quiet_for(ctx.clock.now()))
}

/// Sends one mail of `facts` (at least one), named after the notification `first`, and records it for all of `ids`. A worker that dies between the
/// two sends it again, under the same Message-ID, by which the receiver knows it for the same.
async fn deliver(ctx: &Ctx, facts: &[Facts], ids: &[i64], first: i64) -> Result<()> {
    let reader = &facts[0];
    if !reader.is_active {
        let text = "Le compte du destinataire est désactivé.";
        return Err(Error::refused(
            "destinataire_desactive",
            text,
            "The recipient's account is disabled.",
        ));
    }
    let mail = OutgoingMail {
        to_name: reader.full_name.clone(),
        to_email: reader.email.clone(),
        message_id: message_id(first, ctx.mailer.domain()),
        rendered: render(ctx, facts, ids.len())?,
        headers: Vec::new(),
    };
    let sent = ctx.mailer.send(&mail).await;
    let delivery = sent.as_ref().err().map_or(Delivery::Sent, |e| Delivery::Failed(e.to_string()));
    let now = ctx.clock.now();
    patiently(|| notifications::record_delivery(&ctx.pool, ids, &delivery, now)).await?;
    sent
}

/// What has been sent is recorded, however long the database is away: a second attempt would send it again.
pub(crate) async fn patiently<F: Future<Output = Result<()>>>(
    record: impl Fn() -> F,
) -> Result<()> {
    loop {
        match record().await {
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%error, "a delivery is not recorded yet");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            recorded => return recorded,
        }
    }
}

fn render(ctx: &Ctx, facts: &[Facts], total: usize) -> Result<Rendered> {
    let frontend = &ctx.config.mail.frontend_url;
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

/// What somebody wrote; of a closed intervention its report. What the system wrote of a visit the mail says better.
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
