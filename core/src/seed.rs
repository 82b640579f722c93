//! A small company to try the system with, in an empty database. (`cargo dev` simulates a bigger one.)
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Code, Ctx, Error, Result, Tx, clients, equipements,
    input::{Fields, Input},
    interventions::{self, Actor},
    techniciens,
    users::{self, UserRole},
};

/// The advisory lock that a process holds while it fills the database: that of `cargo dev` ("demo" in ASCII).
const LOCK: i64 = 0x6465_6d6f;

/// Username, name, role. Their addresses end in `.example`, a domain that nobody owns.
const PEOPLE: [(&str, &str, UserRole); 4] = [
    ("admin", "Nadia Cherkaoui", UserRole::Admin),
    ("responsable", "Youssef Bennani", UserRole::Responsable),
    ("technicien", "Karim Tazi", UserRole::Technicien),
    ("client", "Leila Fassi", UserRole::Client),
];

/// Name, kind, place, number.
const MACHINES: [(&str, &str, &str, &str); 3] = [
    ("Compresseur d'air n° 1", "Compresseur", "Casablanca, atelier A", "GA37-20417"),
    ("Pompe de relevage", "Pompe", "Safi, quai 4", "NK80-11873"),
    ("Groupe électrogène", "Groupe électrogène", "Tanger, local technique", "C90-55120"),
];

/// Machine (by index), title, type, priority.
const INTERVENTIONS: [(usize, &str, &str, &str); 3] = [
    (0, "Vidange et filtres des 2000 heures", "preventive", "normale"),
    (1, "Fuite à la garniture mécanique", "corrective", "haute"),
    (2, "Essai en charge du mois", "preventive", "basse"),
];

/// The accounts that were created, with one password for all, which is shown only this once.
#[derive(Debug)]
pub struct Seeded {
    pub usernames: Vec<&'static str>,
    pub password: String,
    pub machines: usize,
    pub interventions: usize,
}

/// Fills the database, in one transaction. A database that has users is a conflict.
pub async fn seed(ctx: &Ctx) -> Result<Seeded> {
    // 122 random bits, in groups that can be copied by hand.
    let password = Uuid::new_v4().to_string();
    let hash = users::hash_password(users::Password::given(password.clone())).await?;
    let now = ctx.clock.now();
    let mut tx = ctx.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(&mut *tx).await?;
    refuse_if_used(&mut tx).await?;

    let client = json!({ "nom_entreprise": "Conserverie du Port", "ville": "Safi" });
    let client = clients::create(&mut tx, &read(client)?, now).await?;
    let mut ids = Vec::new();
    for (username, full_name, role) in PEOPLE {
        let new = json!({
            "username": username, "full_name": full_name, "email": format!("{username}@mif-maroc.example"), "role": role,
            "password": password, "client_id": (role == UserRole::Client).then_some(client.id),
        });
        ids.push(users::create(&mut tx, &read(new)?, &hash, now).await?.id);
    }
    let technicien = json!({ "user_id": ids[2], "equipe": "Mécanique" });
    techniciens::create(&mut tx, &read(technicien)?).await?;

    let mut machines = Vec::new();
    for (nom, type_, localisation, numero) in MACHINES {
        let new = json!({
            "nom": nom, "type": type_, "localisation": localisation, "numero_serie": numero, "client_id": client.id,
        });
        machines.push(equipements::create(&mut tx, &read(new)?).await?.id);
    }
    // Not assigned to anybody yet: so no mail is sent for them.
    let boss = Actor { user_id: ids[1], technicien_id: None };
    for (machine, titre, type_, priorite) in INTERVENTIONS {
        let new = json!({
            "titre": titre, "type": type_, "priorite": priorite, "equipement_id": machines[machine],
            "date_limite": now + TimeDelta::days(14),
        });
        interventions::create(&mut tx, &read(new)?, boss, now).await?;
    }
    tx.commit().await?;
    Ok(Seeded {
        usernames: PEOPLE.map(|(username, ..)| username).to_vec(),
        password,
        machines: MACHINES.len(),
        interventions: INTERVENTIONS.len(),
    })
}

async fn refuse_if_used(tx: &mut Tx<'_>) -> Result<()> {
    let found = sqlx::query_scalar!(r#"select exists(select from users) as "found!""#);
    if found.fetch_one(&mut **tx).await? {
        return Err(Error::conflict(
            Code::BaseNonVide,
            "La base a déjà des utilisateurs : les données d'essai ne vont que dans une base vide.",
            "The database has users already: sample data only go into an empty one.",
        ));
    }
    Ok(())
}

/// Reads `value` as the API does, so that the rules of input hold here too.
fn read<T: Input>(value: Value) -> Result<T> {
    match value {
        Value::Object(members) => Fields::json(members).parse(),
        _ => Err(anyhow::anyhow!("not an object").into()),
    }
}
