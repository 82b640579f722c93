//! The simulated plant: its people, machines and plannings, and what its people do.
use std::cell::RefCell;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use erp_core::{
    Clock, Config, Ctx, Tx,
    config::Env,
    equipements::{self, EquipementFields},
    input::{Field as _, Fields},
    interventions::{self, Actor, InterventionCreate, StatutIntervention},
    local,
    planning::{self, PlanningCreate},
    techniciens::{self, TechnicienCreate},
    users::{self, Password, UserCreate},
};
use erp_dev::{MailSink, TestDb};
use erp_worker::ByHand;
use serde_json::{Value, json};

use crate::reckoning::Counts;

pub const PLANNINGS: usize = 200;
pub const INTERVENTIONS: usize = 50;
/// One visit in so many is done only when it is three days late.
pub const ONE_IN: usize = 5;

/// When a planning is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Never,
    Always,
    /// Suspended until then.
    Until(DateTime<Utc>),
}

/// A planning of the script.
#[derive(Debug, Clone)]
pub struct Planned {
    pub index: usize,
    frequence: &'static str,
    pub months: u32,
    pub days: u32,
    /// A tenth of the period, in days.
    pub tolerance: u64,
    pub first: NaiveDate,
    /// The local hour; the minute is 30.
    pub hour: u32,
    pub rest: Rest,
}

pub struct Script {
    pub plannings: Vec<Planned>,
    /// The response target of each, and when it is assigned to a technicien.
    pub interventions: Vec<(Option<TimeDelta>, Option<DateTime<Utc>>)>,
}

/// What a person will do.
enum Act {
    Close(i64),
    Assign(i64),
    Resume(i64),
}

pub struct Plant {
    pub ctx: Ctx,
    pub script: Script,
    jobs: ByHand,
    sink: MailSink,
    boss: Actor,
    technicien_id: i64,
    agenda: RefCell<Vec<(DateTime<Utc>, Act)>>,
    planning_ids: Vec<i64>,
    seen_visit: RefCell<i64>,
    _folders: [tempfile::TempDir; 2],
    _db: TestDb,
}

fn script(from: DateTime<Utc>) -> Script {
    const KINDS: [(&str, u32, u32, u64, usize); 6] = [
        ("journalier", 0, 1, 0, 5),
        ("hebdomadaire", 0, 7, 1, 20),
        ("mensuel", 1, 0, 3, 70),
        ("trimestriel", 3, 0, 9, 60),
        ("semestriel", 6, 0, 18, 25),
        ("annuel", 12, 0, 36, 20),
    ];
    let day = local::day_of(from);
    let mut plannings = Vec::new();
    for (frequence, months, days, tolerance, count) in KINDS {
        for n in 0..count {
            let index = plannings.len();
            // Spread over two months, so that every day of the month occurs, the 31st too.
            let first = day + Days::new(2 + (index as u64 * 7) % 60);
            let rest = match index % 25 {
                6 => Rest::Always,
                18 => Rest::Until(from + TimeDelta::days(33) + TimeDelta::minutes(20)),
                _ => Rest::Never,
            };
            let hour = 9 + u32::try_from(n % 7).unwrap();
            plannings.push(Planned {
                index,
                frequence,
                months,
                days,
                tolerance,
                first,
                hour,
                rest,
            });
        }
    }
    assert_eq!(plannings.len(), PLANNINGS);
    let targets = [Some(2), Some(24), Some(72), Some(168), None];
    let interventions = (0..INTERVENTIONS)
        .map(|n| {
            let target = targets[n % 5].map(TimeDelta::hours);
            // Some in time, some between the alert levels, some never.
            let assigned = match (n / 5) % 4 {
                0 => target.map(|target| from + target / 2),
                1 => target.map(|target| from + target * 3 / 2),
                2 => target.map(|target| from + target * 3),
                _ => None,
            };
            (target, assigned)
        })
        .collect();
    Script { plannings, interventions }
}

fn input<T: erp_core::input::Input>(value: Value) -> T {
    let Value::Object(members) = value else { panic!("not an object") };
    T::read(&mut Fields::json(members)).unwrap()
}

impl Plant {
    pub async fn new(from: DateTime<Utc>) -> Self {
        let (db, files, mails) =
            (TestDb::new().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sink = MailSink::start(([127, 0, 0, 1], 0), mails.path()).unwrap();
        let (url, port) = (db.url(), sink.smtp_port().to_string());
        let pairs = [
            ("DATABASE_URL", url.as_str()),
            ("SECRET_KEY", "the key of tests, long enough to sign"),
            ("UPLOAD_DIRECTORY", files.path().to_str().unwrap()),
            ("SMTP_HOST", "127.0.0.1"),
            ("SMTP_PORT", &port),
        ];
        let mut ctx =
            Ctx::with_pool(Config::read(Env::from_pairs(&pairs)).unwrap(), db.pool.clone())
                .unwrap();
        ctx.clock = Clock::stopped_at(from);
        let script = script(from);
        let mut tx = ctx.begin().await.unwrap();
        let people = people(&mut tx, from).await;
        let mut planning_ids = Vec::new();
        for planned in &script.plannings {
            planning_ids.push(plan(&mut tx, planned, from).await);
        }
        let mut agenda = Vec::new();
        for (planned, &id) in script.plannings.iter().zip(&planning_ids) {
            if let Rest::Until(end) = planned.rest {
                agenda.push((end, Act::Resume(id)));
            }
        }
        let boss = Actor { user_id: people.0, technicien_id: None };
        let priorites = ["urgente", "haute", "normale", "basse", "programmee"];
        for (n, (_, assigned)) in script.interventions.iter().enumerate() {
            let machine = machine(&mut tx, &format!("Convoyeur {n}")).await;
            let new: InterventionCreate = input(json!({
                "titre": format!("Panne {n}"), "type": "corrective", "equipement_id": machine, "priorite": priorites[n % 5],
            }));
            let id = interventions::create(&mut tx, &new, boss, from).await.unwrap().id;
            agenda.extend(assigned.map(|assigned| (assigned, Act::Assign(id))));
        }
        tx.commit().await.unwrap();
        let jobs = ByHand::new(&ctx);
        let (agenda, seen_visit) = (RefCell::new(agenda), RefCell::new(0));
        Self {
            ctx,
            script,
            jobs,
            sink,
            boss,
            technicien_id: people.1,
            agenda,
            planning_ids,
            seen_visit,
            _folders: [files, mails],
            _db: db,
        }
    }

    /// Does what people do before `tick`.
    pub async fn people_act_until(&self, tick: DateTime<Utc>) {
        let (now, later): (Vec<_>, Vec<_>) =
            self.agenda.take().into_iter().partition(|(at, _)| *at < tick);
        self.agenda.replace(later);
        for (at, act) in now {
            self.ctx.clock.set(at);
            let mut tx = self.ctx.begin().await.unwrap();
            match act {
                Act::Close(id) => {
                    let statut = StatutIntervention::Cloturee;
                    interventions::change_statut(&mut tx, id, statut, None, self.boss, at)
                        .await
                        .unwrap();
                }
                Act::Assign(id) => {
                    interventions::assign(&mut tx, id, Some(self.technicien_id), self.boss, at)
                        .await
                        .unwrap();
                }
                Act::Resume(id) => {
                    planning::update(&mut tx, id, input(json!({"statut": "actif"}))).await.unwrap();
                }
            }
            tx.commit().await.unwrap();
        }
    }

    /// Runs a schedule, and sends the mails that wait (not after the two alert schedules). People plan what they will do
    /// about new visits.
    pub async fn run(&self, name: &str, tick: DateTime<Utc>) {
        let payload = serde_json::to_vec(&json!({ "tick": tick })).unwrap();
        self.jobs.perform(name, &payload).await.unwrap();
        if name == "planning.generate" {
            self.look_at_visits(tick).await;
        }
        if !matches!(name, "interventions.sla" | "interventions.retard") {
            self.send_mails().await;
        }
    }

    async fn look_at_visits(&self, tick: DateTime<Utc>) {
        let last = *self.seen_visit.borrow();
        let visits = sqlx::query!(
            r#"
                select i.id, i.planning_id as "planning_id!", i.date_limite as "date_limite!",
                       (select count(*) from interventions o where o.planning_id = i.planning_id and o.id < i.id) as "index!"
                from interventions i where i.id > $1 and i.planning_id is not null order by i.id
            "#,
            last,
        );
        for visit in visits.fetch_all(&self.ctx.pool).await.unwrap() {
            let planning =
                self.planning_ids.iter().position(|id| *id == visit.planning_id).unwrap();
            let index = planning + usize::try_from(visit.index).unwrap();
            let done = if index.is_multiple_of(ONE_IN) {
                visit.date_limite + TimeDelta::days(3)
            } else {
                tick + TimeDelta::minutes(50)
            };
            self.agenda.borrow_mut().push((done, Act::Close(visit.id)));
            self.seen_visit.replace(visit.id);
        }
    }

    async fn send_mails(&self) {
        loop {
            let waiting =
                sqlx::query!("select id, queue, payload from queue.jobs order by id limit 500");
            let waiting = waiting.fetch_all(&self.ctx.pool).await.unwrap();
            if waiting.is_empty() {
                return;
            }
            for job in waiting {
                self.jobs.perform(&job.queue, &job.payload).await.unwrap();
                sqlx::query!("delete from queue.jobs where id = $1", job.id)
                    .execute(&self.ctx.pool)
                    .await
                    .unwrap();
            }
        }
    }

    pub async fn counts(&self) -> Counts {
        self.send_mails().await;
        let count = async |sql_type: &str, role: &str, about: &str| -> usize {
            let rows = sqlx::query_scalar!(
                r#"
                    select count(*) as "count!" from notifications n join users u on u.id = n.user_id
                    where n.type = $1 and u.role = $2 and (n.planning_id is not null) = ($3 = 'planning')
                      and ($3 not like 'Niveau %' or n.contenu like '%. ' || $3 || ' sur 3.')
                "#,
                sql_type,
                role,
                about,
            );
            usize::try_from(rows.fetch_one(&self.ctx.pool).await.unwrap()).unwrap()
        };
        let visits = sqlx::query_scalar!(
            r#"select count(*) as "count!" from interventions where planning_id is not null"#
        );
        let mut unassigned = [[0; 3]; 2];
        for (role, levels) in ["responsable", "admin"].into_iter().zip(&mut unassigned) {
            for (level, told) in levels.iter_mut().enumerate() {
                *told = count("alerte", role, &format!("Niveau {}", level + 1)).await;
            }
        }
        Counts {
            visits: usize::try_from(visits.fetch_one(&self.ctx.pool).await.unwrap()).unwrap(),
            reminders_of_visits: count("rappel", "responsable", "planning").await,
            reminders_of_deadlines: count("rappel", "responsable", "intervention").await,
            late: count("retard", "responsable", "intervention").await,
            unassigned: unassigned[0],
            unassigned_admin: unassigned[1],
            digests: self.mails(true).await,
        }
    }

    /// How many mails of notifications were sent.
    pub async fn group_mails(&self) -> usize {
        self.mails(false).await
    }

    /// How many digests, or mails of notifications, were sent. Asserts that each of them has arrived, and that no mail
    /// arrived twice.
    async fn mails(&self, digests: bool) -> usize {
        let messages = self.sink.messages().unwrap().into_iter();
        let mut arrived: Vec<_> = messages
            .filter_map(|mail| Some(mail.message_id?.trim_matches(['<', '>']).to_owned()))
            .collect();
        let all = arrived.len();
        arrived.sort();
        arrived.dedup();
        assert_eq!(arrived.len(), all, "a mail came twice");
        let sent = sqlx::query_scalar!(
            r#"
                select message_id as "message_id!" from envois
                where (jour is not null) = $1 and statut = 'envoyee'
            "#,
            digests,
        );
        let sent = sent.fetch_all(&self.ctx.pool).await.unwrap();
        for id in &sent {
            assert!(arrived.binary_search(&id.trim_matches(['<', '>']).to_owned()).is_ok(), "{id}");
        }
        sent.len()
    }
}

/// Creates an admin, two responsables and a technicien. Returns the user id of the first responsable, and the technicien's
/// id as such.
async fn people(tx: &mut Tx<'_>, now: DateTime<Utc>) -> (i64, i64) {
    let mut ids = Vec::new();
    // Who has no password yet is told nothing but what is assigned to them.
    let password = Password::read(&"atlas pompe quai 4".into()).unwrap();
    let hash = users::hash_password(password).await.unwrap();
    for (n, role) in ["responsable", "responsable", "admin", "technicien"].into_iter().enumerate() {
        let new: UserCreate = input(json!({
            "username": format!("{role}{n}"), "full_name": format!("Salma {role} {n}"),
            "email": format!("{role}{n}@mif.example"), "role": role, "password": "atlas pompe quai 4",
        }));
        ids.push(users::create(tx, &new, &hash, now).await.unwrap().id);
    }
    let new: TechnicienCreate = input(json!({"user_id": ids[3]}));
    (ids[0], techniciens::create(tx, &new).await.unwrap().id)
}

async fn machine(tx: &mut Tx<'_>, nom: &str) -> i64 {
    let new: EquipementFields = input(json!({"nom": nom, "type": "Pompe", "localisation": "Safi"}));
    equipements::create(tx, &new).await.unwrap().id
}

async fn plan(tx: &mut Tx<'_>, planned: &Planned, now: DateTime<Utc>) -> i64 {
    let machine = machine(tx, &format!("Pompe {}", planned.index)).await;
    let time = planned.first.and_hms_opt(planned.hour, 30, 0).unwrap();
    let first = local::instant(time);
    let new: PlanningCreate = input(json!({
        "frequence": planned.frequence, "equipement_id": machine, "prochaine_date": first,
    }));
    let id = planning::create(tx, &new, now).await.unwrap().id;
    if planned.rest != Rest::Never {
        planning::update(tx, id, input(json!({"statut": "suspendu"}))).await.unwrap();
    }
    id
}
