//! The state of the day, by mail.
use erp_core::{
    Ctx, Result,
    auth::unsubscribe_token,
    digest::{
        self, Ligne, Section, Visite,
        jobs::{Point, SendDigest},
    },
    mailer::{
        DigestLigne, DigestMail, DigestSection, OutgoingMail, PlanningLigne, PlanningSection,
        Template, digest_id, lien_intervention, lien_planning, list_unsubscribe,
    },
    users,
};

use crate::emails::{patiently, renderer};

/// One mail for each person in charge, each a job of its own.
pub(crate) async fn send_all(ctx: Ctx, _job: Point) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let readers = digest::send_all(&mut tx, &ctx.pool, ctx.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(readers, "digests enqueued");
    Ok(())
}

/// Sends the digest of one person, as things stand now.
pub(crate) async fn send(ctx: Ctx, job: SendDigest) -> Result<()> {
    let reader = users::find(&ctx.pool, job.user_id).await?;
    if !reader.is_active || digest::is_sent(&ctx.pool, &job).await? {
        return Ok(());
    }
    let now = ctx.clock.now();
    let point = digest::point(&ctx.pool, now).await?;
    let frontend = &ctx.config.mail.frontend_url;
    let token = unsubscribe_token(&ctx.keys, job.user_id, now)?;
    let desabonnement =
        format!("{}/api/v1/desabonnement?jeton={token}", ctx.config.http.public_url);
    let mail = DigestMail {
        langue: reader.langue,
        destinataire_nom: reader.full_name.clone(),
        jour: job.jour,
        ouvertes: point.ouvertes,
        en_retard: section(point.en_retard, frontend),
        echeance_du_jour: section(point.echeance_du_jour, frontend),
        non_affectees: section(point.non_affectees, frontend),
        plannings: PlanningSection {
            total: point.visites.total,
            lignes: point
                .visites
                .lignes
                .into_iter()
                .map(|visite: Visite| PlanningLigne {
                    titre: visite.frequence.maintenance(reader.langue).to_owned(),
                    equipement: visite.equipement,
                    localisation: Some(visite.localisation),
                    date: visite.date,
                    lien: lien_planning(frontend, visite.planning_id),
                })
                .collect(),
        },
        lien: format!("{frontend}/interventions"),
        desabonnement: desabonnement.clone(),
    };
    let mail = OutgoingMail {
        to_name: reader.full_name,
        to_email: reader.email,
        message_id: digest_id(job.user_id, job.jour, ctx.mailer.domain()),
        rendered: renderer()?.render(Template::DigestQuotidien, &mail)?,
        headers: list_unsubscribe(&desabonnement),
    };
    ctx.mailer.send(&mail).await?;
    patiently(|| digest::record_sent(&ctx.pool, &job, now)).await
}

fn section(section: Section<Ligne>, frontend: &str) -> DigestSection {
    let lignes = section.lignes.into_iter().map(|ligne| DigestLigne {
        titre: ligne.titre,
        equipement: ligne.equipement,
        localisation: Some(ligne.localisation),
        priorite: ligne.priorite.to_string(),
        date_limite: ligne.date_limite,
        technicien: ligne.technicien,
        lien: lien_intervention(frontend, ligne.id),
    });
    DigestSection { total: section.total, lignes: lignes.collect() }
}
