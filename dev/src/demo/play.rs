//! Makes a story happen, through the operations that the API itself uses, so that their rules hold.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Ctx, Tx,
    input::Fields,
    interventions::{self, InterventionCreate, PrioriteIntervention},
    notifications::{self, NotificationFields},
};
use serde_json::{Value, json};

use super::{
    files::{self, Photos, Subject},
    story::{Act, Dossier, Event, Report, Story},
    world::World,
};

/// Plays every event at its time.
pub(super) async fn play(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    story: &Story,
    world: &World,
    photos: Photos,
) -> anyhow::Result<()> {
    let mut photos = photos;
    let mut ids = vec![0; story.dossiers.len()];
    for event in &story.events {
        let Some(index) = event.dossier else {
            tell(tx, world, event, None).await?;
            continue;
        };
        let (dossier, id) = (&story.dossiers[index], ids[index]);
        let responsable = world.responsables[dossier.responsable];
        match event.act {
            Act::Open { technicien } => {
                let technicien = technicien.and_then(|index| world.technicien(index));
                ids[index] = open(tx, world, dossier, technicien, event.at).await?;
            }
            Act::Assign(technicien) => {
                let technicien = technicien.and_then(|index| world.technicien(index));
                interventions::assign(tx, id, technicien, responsable, event.at).await?;
            }
            Act::Move { to, remarque, by } => {
                let by = world.actor(by);
                interventions::change_statut(tx, id, to, Some(remarque), by, event.at).await?;
            }
            Act::Report(report) => {
                let edit = edit(dossier, report)?.parse()?;
                interventions::update(tx, id, edit, responsable, event.at).await?;
            }
            Act::Attach { file, by } => {
                let subject = Subject { id, dossier, by: world.actor(by).user_id, at: event.at };
                files::attach(ctx, tx, file, &subject, &mut photos).await?;
            }
            Act::Tell { .. } => tell(tx, world, event, Some(id)).await?,
        }
    }
    Ok(())
}

async fn open(
    tx: &mut Tx<'_>,
    world: &World,
    dossier: &Dossier,
    technicien_id: Option<i64>,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let scenario = dossier.scenario;
    let new = InterventionCreate {
        titre: dossier.titre.clone(),
        type_: scenario.type_,
        equipement_id: world.machines[dossier.machine],
        description: Some(scenario.description.to_owned()),
        statut: None,
        priorite: scenario.priorite,
        urgence: scenario.priorite == PrioriteIntervention::Urgente,
        date_limite: Some(dossier.limite),
        technicien_id,
        duree_estimee: Some(i32::try_from(scenario.minutes)?),
        cout_estime: None,
    };
    let by = world.responsables[dossier.responsable];
    let id = interventions::create(tx, &new, by, now).await?.id;
    if let Some(planning) = dossier.planning {
        // The system, which is no user, opened it when its planning came due.
        sqlx::query!(
            r#"
                with created as (update historique set user_id = null where intervention_id = $1)
                update interventions set planning_id = $2, createur_id = null where id = $1
            "#,
            id,
            world.plannings[planning],
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(id)
}

/// The fields that a responsable sends to record the report.
fn edit(dossier: &Dossier, report: Report) -> anyhow::Result<Fields> {
    let fields = json!({
        "rapport_intervention": dossier.scenario.rapport,
        "duree_reelle": report.minutes,
        "cout_pieces": report.pieces,
        "cout_main_oeuvre": report.main_oeuvre,
    });
    let Value::Object(fields) = fields else { anyhow::bail!("it is an object") };
    Ok(Fields::json(fields))
}

async fn tell(
    tx: &mut Tx<'_>,
    world: &World,
    event: &Event,
    intervention_id: Option<i64>,
) -> anyhow::Result<()> {
    let Act::Tell { type_, canal, contenu, to } = &event.act else {
        return None.context("what happens, happens to an intervention");
    };
    let user_id = world.actor(*to).user_id;
    let contenu = Some(contenu.clone());
    let new = NotificationFields {
        type_: *type_,
        canal: *canal,
        contenu,
        intervention_id,
        planning_id: None,
        user_id,
    };
    notifications::create(tx, &new, event.at).await?;
    Ok(())
}

/// Closes the past: marks all notifications as sent and most of them as read, and discards their mails.
///
/// The database had no users before, so all notifications in it come from the story.
pub(super) async fn settle(tx: &mut Tx<'_>, now: DateTime<Utc>) -> anyhow::Result<()> {
    sqlx::query!(
        r#"
            update notifications
            set statut = 'envoyee',
                date_envoi = coalesce(date_envoi, date_creation + interval '20 seconds'),
                tentatives = case canal when 'email' then 1 else 0 end,
                read = date_creation < $1 or id % 4 = 0
        "#,
        now - TimeDelta::days(12),
    )
    .execute(&mut **tx)
    .await?;
    tx.discard_mails();
    Ok(())
}
