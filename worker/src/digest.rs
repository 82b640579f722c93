//! The daily digest: the state of the day, by mail.
use chrono::{DateTime, NaiveDate, Utc};
use erp_core::{
    Result, Tx,
    auth::unsubscribe_token,
    digest::{
        self, Ligne, Section, Visite,
        jobs::{Point, SendDigest},
    },
    local,
    mailer::{
        DigestLigne, DigestMail, DigestSection, OutgoingMail, PlanningLigne, PlanningSection,
        Template, lien_intervention, lien_planning, list_unsubscribe, message_id,
    },
    preferences, users,
};

use crate::{emails::renderer, work::Work};

/// Opens one mail for each person in charge who wants the digest; none when there is nothing to report, or the morning is
/// over.
pub(crate) async fn send_all(work: Work, job: Point) -> Result<()> {
    let now = work.clock.now();
    if !digest::is_fresh(job.tick, now) {
        return Ok(());
    }
    let mut tx = work.begin().await?;
    if digest::point(&mut tx, now).await?.is_empty() {
        return Ok(());
    }
    let readers = digest::send_all(&mut tx, now).await?;
    tx.commit().await?;
    tracing::info!(readers, "digests opened");
    Ok(())
}

/// A job type of the release before.
pub(crate) async fn send(work: Work, job: SendDigest) -> Result<()> {
    let now = work.clock.now();
    let mut tx = work.begin().await?;
    digest::open(&mut tx, job.user_id, job.jour, now).await?;
    tx.commit().await
}

/// The digest of the day `jour` for one person, as things stand at `now`. `None` when it is another day, when there is
/// nothing to report, or when that person is disabled or does not want it any more.
pub(crate) async fn mail(
    work: &Work,
    tx: &mut Tx<'_>,
    user_id: i64,
    jour: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Option<OutgoingMail>> {
    let reader = users::find(&mut **tx, user_id).await?;
    let wants = preferences::find(&mut **tx, user_id).await?;
    let wanted = reader.is_active && wants.wants_digest() && jour == local::day_of(now);
    let point = digest::point(tx, now).await?;
    if !wanted || point.is_empty() {
        return Ok(None);
    }
    let frontend = &work.config.mail.frontend_url;
    let token = unsubscribe_token(&work.keys, user_id, now)?;
    let desabonnement =
        format!("{}/api/v1/desabonnement?jeton={token}", work.config.http.public_url);
    let mail = DigestMail {
        langue: reader.langue,
        destinataire_nom: reader.full_name.clone(),
        jour,
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
    Ok(Some(OutgoingMail {
        to_name: reader.full_name,
        to_email: reader.email,
        message_id: message_id(work.mailer.domain()),
        rendered: renderer()?.render(Template::DigestQuotidien, &mail)?,
        headers: list_unsubscribe(&desabonnement),
    }))
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
