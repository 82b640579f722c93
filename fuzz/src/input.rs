//! Fields of requests, and tokens.
use std::sync::LazyLock;

use chrono::{DateTime, Datelike as _, Utc};
use erp_core::{
    Config, Error,
    audit::{AuditFilter, AuditList},
    auth,
    clients::{ClientFields, ClientFilter, ClientPatch},
    config::Env,
    equipements::{EquipementFields, EquipementFilter, EquipementPatch},
    input::{Field as _, Fields, Id, Input, Source, Whole},
    interventions::{
        Affectation, InterventionCreate, InterventionFilter, InterventionUpdate, StatutChange,
    },
    keys::Keys,
    notifications::{NewNotification, NotificationFilter, OwnFilter, outgoing_mails::EnvoiFilter},
    operate::{JobBulk, JobFilter, JobList},
    page::{Page, contains_pattern},
    planning::{NouvelleDate, PlanningCreate, PlanningFilter, PlanningPatch},
    preferences::PreferencesPatch,
    schedules::{NamedPatch, SchedulePatch},
    techniciens::{CompetenceCreate, TechnicienCreate, TechnicienUpdate},
};
use serde_json::{Map, Value};
use sqlx::{Execute as _, Postgres, QueryBuilder};

use super::{byte, number};

/// Reads a `T`: the result must be a value, or an error with at least one fault, each with its field.
fn read<T: Input>(fields: Fields) {
    match fields.parse::<T>() {
        Err(Error::Invalid(faults)) => {
            assert!(faults.iter().all(|f| f.loc.len() >= 2) && !faults.is_empty());
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => {}
    }
}

macro_rules! readers {
    ($($input:ty),+ $(,)?) => { &[$(read::<$input>),+] };
}

/// Types that requests are read into; not those of users, since estimating a password is slow.
const READERS: &[fn(Fields)] = readers![
    InterventionFilter,
    PlanningFilter,
    EquipementFilter,
    ClientFilter,
    EnvoiFilter,
    NotificationFilter,
    OwnFilter,
    AuditFilter,
    AuditList,
    JobFilter,
    JobList,
    JobBulk,
    InterventionCreate,
    InterventionUpdate,
    StatutChange,
    Affectation,
    PlanningCreate,
    PlanningPatch,
    NouvelleDate,
    ClientFields,
    ClientPatch,
    EquipementFields,
    EquipementPatch,
    SchedulePatch,
    NamedPatch,
    NewNotification,
    PreferencesPatch,
    TechnicienCreate,
    TechnicienUpdate,
    CompetenceCreate,
];

/// Any fields are either read, or refused with faults; a page stays within its bounds, and its order is one of ours.
pub fn champs(mut data: &[u8]) {
    let reader = READERS[usize::from(byte(&mut data)) % READERS.len()];
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs = || {
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
    };
    if let Ok(members) = serde_json::from_str::<Map<String, Value>>(text) {
        reader(Fields::json(members.clone()));
        page(&mut Fields::json(members.clone()));
        members.values().for_each(scalars);
    } else {
        reader(Fields::pairs(Source::Query, pairs()));
        page(&mut Fields::pairs(Source::Query, pairs()));
        pairs().for_each(|(_, value)| scalars(&Value::String(value)));
    }
}

fn page(fields: &mut Fields) {
    const NOM: &str = r#"nom collate "fr-x-icu""#;
    const SORTABLE: &[&str] = &["id", "nom"];
    let Some(page) = Page::read(fields, SORTABLE) else { return };
    assert!((1..=1000).contains(&page.limit) && page.offset >= 0);
    let mut query = QueryBuilder::<Postgres>::new("");
    page.push(&mut query, ("equipements", "id"), |field| {
        SORTABLE.iter().copied().find(|known| *known == field)
    });
    let sql = query.build().sql();
    let known =
        ["id".into(), "id desc".into(), format!("{NOM}, id"), format!("{NOM} desc, id desc")];
    let (after, order) = sql.as_str().split_once(" order by ").unwrap_or_default();
    let (order, _) = order.split_once(" limit $").unwrap_or_default();
    assert!(known.iter().any(|known| order == known), "{}", sql.as_str());
    // What a cursor holds is bound, and never a part of the statement.
    let columns = ["id", "nom"]
        .map(|column| format!("(select (jsonb_populate_record(null::equipements, $_)).{column})"));
    let mut bare = after.replace("$1", "$_").replace("$2", "$_").replace(NOM, "");
    for word in columns.iter().map(String::as_str).chain([" and (", " is not null or ", " or "]) {
        bare = bare.replace(word, "");
    }
    let left = |c: char| "idan nullso(),<>".contains(c);
    assert!(page.after.is_some() != after.is_empty() && bare.chars().all(left), "{}", sql.as_str());
}

/// A date that is written and read again is the same date, a number is the one that was sent, a search is taken literally.
fn scalars(value: &Value) {
    if let Ok(date) = DateTime::<Utc>::read(value) {
        assert!((1900..3000).contains(&date.year()));
        assert_eq!(DateTime::<Utc>::read(&Value::String(date.to_rfc3339())), Ok(date), "{value}");
    }
    if let Ok(Whole(id)) = Id::read(value) {
        assert!(id >= 1 && value.as_i64().is_none_or(|sent| sent == id), "{value}: {id}");
    }
    if let Some(text) = value.as_str() {
        let pattern = contains_pattern(text);
        let inside = pattern.strip_prefix('%').and_then(|p| p.strip_suffix('%')).unwrap();
        let mut plain = String::new();
        let mut letters = inside.chars();
        while let Some(letter) = letters.next() {
            assert!(letter != '%' && letter != '_', "{pattern}");
            plain.push(if letter == '\\' {
                letters.next().expect("something escaped")
            } else {
                letter
            });
        }
        assert_eq!(plain, text.trim());
    }
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pairs = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
    ];
    Keys::new(&Config::read(Env::from_pairs(&pairs)).unwrap().auth).unwrap()
});

/// No text but one that we made, to the last letter, is accepted as a token.
pub fn jetons(mut data: &[u8]) {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let link = auth::unsubscribe_token(&KEYS, 7, now).unwrap();
    assert_eq!(auth::unsubscribed_user(&KEYS, &link, now).unwrap(), 7);
    let mut bent = link.clone().into_bytes();
    if byte(&mut data).is_multiple_of(2) {
        bent = data.to_vec();
    } else {
        while !data.is_empty() {
            let at = usize::try_from(number(&mut data) % 4096).unwrap() % (bent.len() + 1);
            match byte(&mut data) {
                0 => bent.truncate(at),
                letter if at < bent.len() => bent[at] = letter,
                letter => bent.push(letter),
            }
        }
    }
    let Ok(bent) = String::from_utf8(bent) else { return };
    assert!(bent == link || auth::unsubscribed_user(&KEYS, &bent, now).is_err(), "{bent}");
    assert!(KEYS.verify(&bent, now).is_err(), "{bent}");
}
