//! The state of the day, by mail.
use erp_core::{
    Ctx, Result,
    auth::unsubscribe_token,
    digest::{
        self, Ligne, Section, Visite,
        jobs::{Point, SendDigest},
    },
    jobs::Verdict,
    local,
    mailer::{
        DigestLigne, DigestMail, DigestSection, OutgoingMail, PlanningLigne, PlanningSection,
        Template, digest_id, lien_intervention, lien_planning, list_unsubscribe,
    },
    preferences, users,
};

use crate::emails::{patiently, renderer};

/// One mail for each person in charge, each a job of its own; none when there is nothing to say, or it is no morning any more.
pub(crate) async fn send_all(ctx: Ctx, job: Point) -> Result<()> {
    let now = ctx.clock.now();
    if !digest::is_fresh(job.tick, now) || digest::point(&ctx.pool, now).await?.is_empty() {
        return Ok(());
    }
    let mut tx = ctx.begin().await?;
    let readers = digest::send_all(&mut tx, now).await?;
    tx.commit().await?;
    tracing::info!(readers, "digests enqueued");
    Ok(())
}

/// Sends the digest of one person, as things stand now. Who does not want it any more, or the next day, gets none.
pub(crate) async fn send(ctx: Ctx, job: SendDigest) -> Result<Verdict> {
    let now = ctx.clock.now();
    let reader = users::find(&ctx.pool, job.user_id).await?;
    let wants = preferences::find(&ctx.pool, job.user_id).await?;
    if let Some(pause) = wants.quiet_for(now) {
        return Ok(Verdict::Snooze(pause));
    }
    let is_today = job.jour == local::day_of(now);
    let wanted = reader.is_active && wants.wants_digest() && is_today;
    let point = digest::point(&ctx.pool, now).await?;
    if !wanted || point.is_empty() || digest::is_sent(&ctx.pool, &job).await? {
        return Ok(Verdict::Done);
    }
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
    patiently(|| digest::record_sent(&ctx.pool, &job, now)).await?;
    Ok(Verdict::Done)
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
