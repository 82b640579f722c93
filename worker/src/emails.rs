//! Sends the mails of notifications.
use std::{sync::LazyLock, time::Duration};

use anyhow::anyhow;
use erp_core::{
    Ctx, Error, Lang, Noun, Result,
    mailer::{
        NotificationMail, OutgoingMail, Rendered, Renderer, Template, lien_intervention, message_id,
    },
    notifications::{self, Delivery, Facts, StatutNotification, TypeNotification, jobs::SendEmail},
};

static RENDERER: LazyLock<Result<Renderer>> = LazyLock::new(Renderer::new);

/// Sends the mail of a notification and records it. A worker that dies between the two sends it again, under the same
/// Message-ID, by which the receiver knows it for the same.
pub(crate) async fn send(ctx: Ctx, job: SendEmail) -> Result<()> {
    let facts = match notifications::facts(&ctx.pool, job.notification_id).await {
        // Deleted meanwhile: nobody is to be told any more.
        Err(Error::NotFound(Noun::Notification)) => return Ok(()),
        facts => facts?,
    };
    if facts.statut == StatutNotification::Envoyee {
        return Ok(());
    }
    if !facts.is_active {
        let text = "Le compte du destinataire est désactivé.";
        return Err(Error::refused(
            "destinataire_desactive",
            text,
            "The recipient's account is disabled.",
        ));
    }
    let mail = OutgoingMail {
        to_name: facts.full_name.clone(),
        to_email: facts.email.clone(),
        message_id: message_id(facts.id, ctx.mailer.domain()),
        rendered: render(&ctx, &facts)?,
        headers: Vec::new(),
    };
    let sent = ctx.mailer.send(&mail).await;
    let delivery = sent.as_ref().err().map_or(Delivery::Sent, |e| Delivery::Failed(e.to_string()));
    record(&ctx, facts.id, &delivery).await?;
    sent
}

/// What has been sent is recorded, however long the database is away: a second attempt would send it again.
async fn record(ctx: &Ctx, id: i64, delivery: &Delivery) -> Result<()> {
    loop {
        match notifications::record_delivery(&ctx.pool, id, delivery, ctx.clock.now()).await {
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%error, notification = id, "the delivery is not recorded yet");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            recorded => return recorded,
        }
    }
}

fn render(ctx: &Ctx, facts: &Facts) -> Result<Rendered> {
    let renderer = RENDERER.as_ref().map_err(|e| anyhow!("{e}"))?;
    let frontend = &ctx.config.mail.frontend_url;
    let mail = NotificationMail {
        langue: Lang::default(),
        destinataire_nom: facts.full_name.clone(),
        intervention_id: facts.intervention_id,
        titre: facts.titre.clone().unwrap_or_else(|| "Maintenance".to_owned()),
        equipement: facts.equipement.clone(),
        localisation: facts.localisation.clone(),
        priorite: facts.priorite.map(|p| p.to_string()),
        date_limite: facts.date_limite,
        technicien: facts.technicien.clone(),
        contenu: facts.contenu.clone().or_else(|| match facts.type_ {
            TypeNotification::Cloture => facts.rapport.clone(),
            _ => None,
        }),
        lien: facts
            .intervention_id
            .map_or_else(|| frontend.clone(), |id| lien_intervention(frontend, id)),
    };
    renderer.render(Template::notification(facts.type_.as_str()), &mail)
}
