//! Writes the people and things that exist before anything happens.

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use erp_core::{
    Tx,
    equipements::{self, EquipementFields},
    input::{Email, Trimmed, Whole},
    interventions::Actor,
    techniciens::{self, CompetenceCreate, TechnicienCreate},
    users::{self, PasswordHash, UserCreate, UserRole, Username},
};

use super::{
    accounts,
    machines::MACHINES,
    people::{ADMIN, CLIENTS, Client, Person, RESPONSABLES, SKILLS, TECHNICIENS},
    story::{Story, Who},
};

/// The ids of all that a story refers to by index.
#[derive(Debug, Default)]
pub(super) struct World {
    pub responsables: Vec<Actor>,
    pub techniciens: Vec<Actor>,
    pub machines: Vec<i64>,
    pub plannings: Vec<i64>,
}

impl World {
    pub fn actor(&self, who: Who) -> Actor {
        match who {
            Who::Responsable(index) => self.responsables[index],
            Who::Technicien(index) => self.techniciens[index],
        }
    }

    pub fn technicien(&self, index: usize) -> Option<i64> {
        self.techniciens[index].technicien_id
    }
}

pub(super) async fn create(
    tx: &mut Tx<'_>,
    story: &Story,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> anyhow::Result<World> {
    // Before the story begins.
    let begun = now - TimeDelta::days(230);
    let mut world = World::default();
    create_admin(tx, hash, begun).await?;
    for person in &RESPONSABLES {
        let user_id = create_user(tx, person, UserRole::Responsable, None, hash, begun).await?;
        world.responsables.push(Actor { user_id, technicien_id: None });
    }
    create_techniciens(tx, &mut world, hash, begun).await?;
    let mut clients = Vec::new();
    for client in &CLIENTS {
        let id = create_client(tx, client, begun).await?;
        create_user(tx, &client.contact, UserRole::Client, Some(id), hash, begun).await?;
        clients.push(id);
    }
    for (index, machine) in MACHINES.iter().enumerate() {
        let (year, month) = machine.acquired;
        let acquired = NaiveDate::from_ymd_opt(year, month, 15).context("a day of the calendar")?;
        let fields = EquipementFields {
            nom: machine.nom.to_owned(),
            type_: machine.kind.nom.to_owned(),
            localisation: machine.localisation.to_owned(),
            frequence_entretien: Some(machine.every.days().to_owned()),
            numero_serie: Some(machine.serie.to_owned()),
            marque: Some(machine.marque.to_owned()),
            modele: Some(machine.modele.to_owned()),
            statut: story.statut_of(index),
            criticite: machine.criticite,
            description: None,
            date_acquisition: Some(super::calendar::at(acquired, 0)),
            client_id: Some(clients[machine.client]),
        };
        world.machines.push(equipements::create(tx, &fields).await?.id);
    }
    create_plannings(tx, &mut world, story, begun).await?;
    Ok(world)
}

pub(super) async fn create_admin(
    tx: &mut Tx<'_>,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    create_user(tx, &ADMIN, UserRole::Admin, None, hash, now).await.map(drop)
}

async fn create_user(
    tx: &mut Tx<'_>,
    person: &Person,
    role: UserRole,
    client_id: Option<i64>,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let new = UserCreate {
        username: Username(person.username.to_owned()),
        full_name: Trimmed(person.full_name.to_owned()),
        email: Email(person.email.to_owned()),
        role,
        password: accounts::password(),
        client_id: client_id.map(Whole),
        langue: erp_core::Lang::Fr,
    };
    Ok(users::create(tx, &new, hash, now).await?.id)
}

async fn create_techniciens(
    tx: &mut Tx<'_>,
    world: &mut World,
    hash: &PasswordHash,
    begun: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut skills = Vec::new();
    for nom in SKILLS {
        let new = CompetenceCreate { nom: nom.to_owned() };
        skills.push(techniciens::create_competence(tx, &new).await?.id);
    }
    for technicien in &TECHNICIENS {
        let person = &technicien.person;
        let user_id = create_user(tx, person, UserRole::Technicien, None, hash, begun).await?;
        let new = TechnicienCreate {
            user_id,
            equipe: Some(technicien.team.name().to_owned()),
            disponibilite: technicien.disponibilite,
            competences_ids: technicien.skills.iter().map(|index| skills[*index]).collect(),
        };
        let id = techniciens::create(tx, &new).await?.id;
        world.techniciens.push(Actor { user_id, technicien_id: Some(id) });
    }
    Ok(())
}

async fn create_client(
    tx: &mut Tx<'_>,
    client: &Client,
    begun: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let id = sqlx::query_scalar!(
        r#"
            insert into clients (nom_entreprise, ice, email, telephone, adresse, ville, niveau_service, date_creation)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            returning id
        "#,
        client.nom,
        client.ice,
        client.email,
        client.telephone,
        client.adresse,
        client.ville,
        client.niveau,
        begun,
    );
    Ok(id.fetch_one(&mut **tx).await?)
}

async fn create_plannings(
    tx: &mut Tx<'_>,
    world: &mut World,
    story: &Story,
    begun: DateTime<Utc>,
) -> anyhow::Result<()> {
    for planning in &story.plannings {
        let id = sqlx::query_scalar!(
            r#"
                insert into plannings (equipement_id, frequence, prochaine_date, derniere_date, statut, commentaire, date_creation)
                values ($1, $2, $3, $4, $5, $6, $7)
                returning id
            "#,
            world.machines[planning.machine],
            MACHINES[planning.machine].every.frequence(),
            planning.next,
            planning.last,
            planning.statut,
            planning.commentaire,
            begun,
        );
        world.plannings.push(id.fetch_one(&mut **tx).await?);
    }
    Ok(())
}
