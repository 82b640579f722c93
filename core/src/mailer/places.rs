//! A limit on the open connections of all workers together: each connection holds a row of the table `places`.
//!
//! A worker holds a place until it gives the place back, or has sent no heartbeat for so long that its jobs are rescued.
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::{PgExecutor, PgPool};
use tokio::sync::{Notify, mpsc};
use tokio::time::{interval, sleep, timeout};

use crate::{Error, Result};

const NAME: &str = "smtp";
/// The time between two tries to get a place while all are taken; only one waiter of a process tries at a time.
const LOOK: Duration = Duration::from_millis(200);
/// The time between two comparisons of the places that this process holds with those that the database says it holds.
const COMPARE: Duration = Duration::from_secs(5);
/// The time limit for an answer of the database.
const LIMIT: Duration = Duration::from_secs(4);

/// The places of all workers, as this process sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: PgPool,
    worker: String,
    limit: i32,
    rescue_after: Duration,
    /// The places of this process, by number, each with its turn, which tells one holder of a place from the next.
    held: Mutex<HashMap<i32, u64>>,
    taken: AtomicU64,
    given_back: mpsc::UnboundedSender<(i32, u64)>,
    looking: tokio::sync::Mutex<()>,
}

/// The right to one open connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    number: i32,
    turn: u64,
    shared: Arc<Shared>,
}

impl Places {
    /// `limit` places, shared with all workers that have the same limit. A place is free again when its worker has been silent
    /// for `rescue_after`.
    #[must_use]
    pub fn new(pool: PgPool, worker: String, limit: u32, rescue_after: Duration) -> Self {
        let (given_back, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            pool,
            worker,
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
            rescue_after,
            held: Mutex::default(),
            taken: AtomicU64::default(),
            given_back,
            looking: tokio::sync::Mutex::default(),
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "what it loses in a crash is found by its worker's silence"
        )]
        tokio::spawn(give_back(Arc::downgrade(&shared), waiting));
        Self(shared)
    }

    /// Waits for a place, or until `other` is notified, since the caller may then need none (`None`). The future may be dropped.
    pub(super) async fn take(&self, other: &Notify) -> Result<Option<Place>> {
        let _first = tokio::select! {
            first = self.0.looking.lock() => first,
            () = other.notified() => return Ok(None),
        };
        loop {
            // The place of an answer that comes later is a stray, which `compare` gives back.
            let taken = timeout(LIMIT, self.0.take()).await.map_err(|_| {
                Error::unavailable("base de données", anyhow::anyhow!("no answer within {LIMIT:?}"))
            })?;
            if let Some(number) = taken? {
                let turn = self.0.taken.fetch_add(1, Relaxed);
                self.0.held().insert(number, turn);
                return Ok(Some(Place { number, turn, shared: self.0.clone() }));
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = other.notified() => return Ok(None),
            }
        }
    }
}

/// How many of the first `limit` places are held by workers that were heard of within `rescue_after`.
pub async fn held(db: impl PgExecutor<'_>, limit: u32, rescue_after: Duration) -> Result<i64> {
    let held = sqlx::query_scalar!(
        r#"
            select count(*) as "it!" from places p
            where nom = $1 and numero <= $2 and exists (
                select from queue.processes w
                where w.id = tenue_par and w.last_seen > clock_timestamp() - make_interval(secs => $3))
        "#,
        NAME,
        i32::try_from(limit).unwrap_or(i32::MAX),
        rescue_after.as_secs_f64(),
    );
    Ok(held.fetch_one(db).await?)
}

impl Place {
    /// Whether this process still holds it: others take the places of a process that was silent for too long.
    pub(super) fn is_ours(&self) -> bool {
        self.shared.held().get(&self.number) == Some(&self.turn)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.shared.given_back.send((self.number, self.turn));
    }
}

impl Shared {
    async fn take(&self) -> Result<Option<i32>> {
        let number = sqlx::query_scalar!(
            r#"
                with made as (
                    insert into places (nom, numero)
                    select $1, n from generate_series(1, $3) n
                    where (select count(*) from places where nom = $1) < $3
                    on conflict do nothing
                ),
                free as (
                    select numero from places p
                    where nom = $1 and numero <= $3
                      and (tenue_par is null or not exists (
                        select from queue.processes w
                        where w.id = tenue_par and w.last_seen > clock_timestamp() - make_interval(secs => $4)))
                    order by numero
                    limit 1
                    for update skip locked
                )
                update places p set tenue_par = $2, depuis = clock_timestamp()
                from free where p.nom = $1 and p.numero = free.numero
                returning p.numero
            "#,
            NAME,
            self.worker,
            self.limit,
            self.rescue_after.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(number)
    }

    async fn release(&self, numbers: &[i32]) -> Result<()> {
        sqlx::query!(
            "update places set tenue_par = null, depuis = null where nom = $1 and numero = any($2) and tenue_par = $3",
            NAME,
            numbers,
            self.worker,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Compares the places that this process holds with those that the database says it holds. Gives back those whose answer
    /// never came, or came when no task waited for it, and forgets those that other workers have taken.
    async fn compare(&self, unknown_before: &mut HashSet<i32>) -> Result<()> {
        let before = self.held().clone();
        let ours: HashSet<_> = sqlx::query_scalar!(
            "select numero from places where nom = $1 and tenue_par = $2 limit 10000",
            NAME,
            self.worker
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .collect();
        let unknown = {
            let mut held = self.held();
            held.retain(|number, turn| ours.contains(number) || before.get(number) != Some(turn));
            ours.iter().filter(|&number| !held.contains_key(number)).copied().collect()
        };
        // Only what was unknown twice: the first time, the answer may still be on its way.
        let lost: Vec<_> = unknown_before.intersection(&unknown).copied().collect();
        *unknown_before = unknown;
        if lost.is_empty() { Ok(()) } else { self.release(&lost).await }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<i32, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back dropped places, and compares all of them at times, until the last `Places` and `Place` are dropped.
async fn give_back(shared: Weak<Shared>, mut waiting: mpsc::UnboundedReceiver<(i32, u64)>) {
    let mut compare = interval(COMPARE);
    let (mut dropped, mut unknown_before) = (Vec::new(), HashSet::new());
    loop {
        tokio::select! {
            received = waiting.recv_many(&mut dropped, 100) => if received == 0 { return },
            _ = compare.tick() => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        let mut numbers = Vec::new();
        // Forgotten before the database frees it: if that fails, the place is a stray, which `compare` gives back.
        for (number, turn) in dropped.drain(..) {
            let mut held = shared.held();
            if held.get(&number) == Some(&turn) {
                held.remove(&number);
                numbers.push(number);
            }
        }
        let step = async {
            if numbers.is_empty() {
                return shared.compare(&mut unknown_before).await;
            }
            shared.release(&numbers).await
        };
        match timeout(LIMIT, step).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "places of connections not given back yet"),
            Err(_) => tracing::warn!(
                "places of connections not given back yet: the database does not answer"
            ),
        }
    }
}
