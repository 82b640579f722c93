//! Sends the mails of notifications: each its own, or those that come together as one.
use std::{sync::LazyLock, time::Duration};

use anyhow::anyhow;
use chrono::TimeDelta;
use erp_core::{
    Ctx, Error, Result,
    mailer::{
        GroupeLigne, GroupeMail, NotificationMail, OutgoingMail, Rendered, Renderer, Template,
        lien_intervention, lien_planning, message_id,
    },
    notifications::{
        self, CanalNotification, Delivery, Facts, StatutNotification, TypeNotification, envois,
        jobs::{SendEmail, SendGroup},
    },
};

static RENDERER: LazyLock<Result<Renderer>> = LazyLock::new(Renderer::new);

/// Notifications that one mail shows; it says how many there are.
const SHOWN: usize = 50;

pub(crate) fn renderer() -> Result<&'static Renderer> {
    RENDERER.as_ref().map_err(|error| anyhow!("{error}").into())
}

/// Adds the mail of a notification to the one that gathers for its reader, or sends it at once when mails do not gather.
pub(crate) async fn send(ctx: Ctx, job: SendEmail) -> Result<()> {
    let facts = notifications::facts(&ctx.pool, &[job.notification_id]).await?;
    let [one] = facts.as_slice() else {
        // Deleted meanwhile: nobody is to be told any more.
        return Ok(());
    };
    if one.statut == StatutNotification::Envoyee || one.canal == CanalNotification::Log {
        return Ok(());
    }
    let group = ctx.config.mail.group;
    if group == TimeDelta::zero() {
        return deliver(&ctx, &facts, &[one.id]).await;
    }
    if envois::is_admitted(&ctx.pool, one.id).await? {
        return Ok(());
    }
    let mut tx = ctx.begin().await?;
    envois::admit(&mut tx, one.id, one.user_id, group, ctx.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Sends a mail that has gathered; what comes from now on is for the next one.
pub(crate) async fn send_group(ctx: Ctx, job: SendGroup) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let ids = envois::close(&mut tx, job.envoi_id, ctx.clock.now()).await?;
    tx.commit().await?;
    let shown = &ids[..ids.len().min(SHOWN)];
    let facts = notifications::facts(&ctx.pool, shown).await?;
    if facts.is_empty() { Ok(()) } else { deliver(&ctx, &facts, &ids).await }
}

/// Sends one mail of `facts` (at least one), and records it for the notifications `ids`. A worker that dies between the
/// two sends it again, under the same Message-ID, by which the receiver knows it for the same.
async fn deliver(ctx: &Ctx, facts: &[Facts], ids: &[i64]) -> Result<()> {
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
        message_id: message_id(reader.id, ctx.mailer.domain()),
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
            date_limite: one.date_limite.or(one.prochaine_date),
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
        date_limite: one.date_limite.or(one.prochaine_date),
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
