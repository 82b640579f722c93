//! Attempts to prove a password or a second factor, and the limits on failed ones: SQL of `login_failures`, and its rules.
//!
//! An attempt is counted as a failure **before** its password is checked, so that of many concurrent ones no more are checked
//! than may fail; one that succeeds is taken back.
//!
//! A wrong code counts with the wrong passwords of the account from that network. Codes have two more limits, over all addresses:
//! [`MOST_OF_CHALLENGE`] and [`MOST_CODES`]. A code is looked at only for who has the password, so no stranger reaches these limits
//! to lock the owner out. A right password takes back its own attempt, and leaves the wrong codes counted.
//!
//! A statement that locks several counts locks those of networks before the one over all addresses, or waits for none: two of them
//! never wait for each other.
use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{Result, Tx, limits};

/// So many failures within [`WINDOW`] of one account (or of a login that names none) from one network lock that pair for
/// [`LOCK`].
const MOST: i32 = 5;
const WINDOW: TimeDelta = TimeDelta::minutes(15);
const LOCK: TimeDelta = TimeDelta::minutes(5);

/// After so many failures of one login within [`WINDOW`], from any addresses, each further attempt waits.
const SLOW_FROM: i32 = 10;
/// What each further failure adds to the wait, and the longest wait: strangers can slow a login down, but lock nobody out.
const SLOWER: Duration = Duration::from_millis(200);
const SLOWEST: Duration = Duration::from_secs(5);

/// So many wrong codes of one account within [`CODE_WINDOW`], from any addresses, and no other is looked at in the rest of it. Of a
/// million codes three are good at a time: who has the password finds one within an hour with a chance of 1 in 33 000.
const MOST_CODES: i32 = 10;
const CODE_WINDOW: TimeDelta = TimeDelta::hours(1);
/// So many wrong codes for one challenge, from any addresses, and it is worth nothing.
const MOST_OF_CHALLENGE: i32 = 5;

/// The value of `adresse` in the row that counts over all addresses.
const EVERYWHERE: &str = "*";

/// An attempt that was counted as a failure.
pub(super) struct Attempt {
    /// What it counts against: the account, whichever of its names was typed, or the login as typed, in lower case, if it names
    /// none.
    account: String,
    /// The login that is slowed down: as typed, so that the wait does not tell whether there is such an account.
    login: String,
    adresse: String,
    /// Whether the password may be checked.
    pub judged: bool,
    /// Whether it is the last attempt that may be checked before the account is locked for that network.
    pub is_last: bool,
    /// How long to wait before the password is checked.
    pub wait: Duration,
}

impl Attempt {
    /// Counts an attempt for `login` as typed, or for the `account` that it names, from `address`.
    pub(super) async fn begin(
        pool: &PgPool,
        login: &str,
        account: Option<i64>,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let login = format!("nom:{}", login.to_lowercase().chars().take(254).collect::<String>());
        let account = account.map_or_else(|| login.clone(), |id| format!("id:{id}"));
        let adresse = limits::network(address).to_string();
        let counted = [account.as_str(), &adresse, &login];
        let (count, everywhere) = count(pool, counted, WINDOW, now).await?;
        let (judged, is_last) = (count <= MOST, count == MOST);
        Ok(Self { account, login, adresse, judged, is_last, wait: wait(everywhere) })
    }

    /// Counts an attempt to name a code of account `id` from `address`, for a `challenge` or in a session.
    pub(super) async fn begin_code(
        pool: &PgPool,
        id: i64,
        challenge: Option<Uuid>,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let (account, login) = (format!("id:{id}"), format!("code:{id}"));
        let adresse = limits::network(address).to_string();
        let of_challenge = match challenge {
            Some(challenge) => count_challenge(pool, challenge, now).await?,
            None => 0,
        };
        let counted = [account.as_str(), &adresse, &login];
        let (count, everywhere) = count(pool, counted, CODE_WINDOW, now).await?;
        let judged = count <= MOST && everywhere <= MOST_CODES && of_challenge <= MOST_OF_CHALLENGE;
        let is_last = judged && (count == MOST || everywhere == MOST_CODES);
        Ok(Self { account, login, adresse, judged, is_last, wait: Duration::ZERO })
    }

    /// The password was right: forgets the failures of the account from that network, and takes back this attempt over all
    /// addresses.
    pub(super) async fn succeeded(self, pool: &PgPool) -> Result<()> {
        sqlx::query!(
            r#"
                with forgotten as (delete from login_failures where compte = $1 and adresse = $2 returning adresse)
                update login_failures set echecs = echecs - 1, bloque_jusqu_a = null
                where (select count(*) from forgotten) >= 0 and compte = $3 and adresse = $4 and echecs > 0
            "#,
            self.account,
            self.adresse,
            self.login,
            EVERYWHERE,
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// The password could not be checked, or is not the whole proof: takes the attempt back, unless the account was locked.
    pub(super) async fn gave_up(self, pool: &PgPool) -> Result<()> {
        if !self.judged {
            return Ok(());
        }
        give_back(pool, &self.account, &self.adresse).await?;
        give_back(pool, &self.login, EVERYWHERE).await
    }
}

fn wait(failures: i32) -> Duration {
    let more = u32::try_from(failures.saturating_sub(SLOW_FROM)).unwrap_or(0);
    SLOWER.saturating_mul(more).min(SLOWEST)
}

/// Counts an attempt, in one statement; returns the number in the window against the account from that network, at most [`MOST`]
/// plus one, and that of `login` over all addresses, which an attempt that is not judged does not add to.
async fn count(
    db: impl PgExecutor<'_>,
    [account, adresse, login]: [&str; 3],
    login_window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(i32, i32)> {
    // The count starts anew after the window, and after a lock has ended; further attempts do not prolong a lock.
    let counted = sqlx::query!(
        r#"
            with one as (
                insert into login_failures as f (compte, adresse, echecs, premier_echec) values ($1, $2, 1, $3)
                on conflict (compte, adresse) do update set
                    echecs = case when coalesce(f.bloque_jusqu_a <= $3, f.premier_echec <= $4) then 1
                                  else least(f.echecs, $5) + 1 end,
                    premier_echec = case when coalesce(f.bloque_jusqu_a <= $3, f.premier_echec <= $4) then $3
                                         else f.premier_echec end,
                    bloque_jusqu_a = case when coalesce(f.bloque_jusqu_a <= $3, f.premier_echec <= $4) then null
                                          when f.echecs + 1 >= $5 then coalesce(f.bloque_jusqu_a, $6) end
                returning echecs
            ),
            everywhere as (
                insert into login_failures as f (compte, adresse, echecs, premier_echec)
                select $7, $8, (echecs <= $5)::int, $3 from one
                on conflict (compte, adresse) do update set
                    echecs = case when f.premier_echec <= $9 then 0 else f.echecs end + excluded.echecs,
                    premier_echec = case when f.premier_echec <= $9 then $3 else f.premier_echec end
                returning echecs
            )
            select one.echecs as "one!", everywhere.echecs as "everywhere!" from one, everywhere
        "#,
        account,
        adresse,
        now,
        now - WINDOW,
        MOST,
        now + LOCK,
        login,
        EVERYWHERE,
        now - login_window,
    )
    .fetch_one(db)
    .await?;
    Ok((counted.one, counted.everywhere))
}

/// Counts an attempt for a challenge, which is over before the purge forgets the count. A right code is not taken back: with it the
/// challenge has served.
async fn count_challenge(
    db: impl PgExecutor<'_>,
    challenge: Uuid,
    now: DateTime<Utc>,
) -> Result<i32> {
    let counted = sqlx::query_scalar!(
        r#"
            insert into login_failures as f (compte, adresse, echecs, premier_echec) values ($1, $2, 1, $3)
            on conflict (compte, adresse) do update set echecs = least(f.echecs, $4) + 1
            returning echecs
        "#,
        format!("defi:{challenge}"),
        EVERYWHERE,
        now,
        MOST_OF_CHALLENGE,
    );
    Ok(counted.fetch_one(db).await?)
}

async fn give_back(db: impl PgExecutor<'_>, account: &str, adresse: &str) -> Result<()> {
    sqlx::query!(
        r#"
            update login_failures
            set echecs = case when adresse = $3 then echecs else least(echecs, $4) end - 1, bloque_jusqu_a = null
            where compte = $1 and adresse = $2 and echecs > 0
        "#,
        account,
        adresse,
        EVERYWHERE,
        MOST,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the failures of account `id` and of its two names, from every network: no lock and no wait is left.
pub async fn forget_failures(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    sqlx::query!(
        r#"
            with failures as (
                select f.compte, f.adresse
                from users u join login_failures f
                    on f.compte in ('id:' || u.id, 'nom:' || lower(u.username), 'nom:' || lower(u.email))
                where u.id = $1
                order by f.adresse = $2, f.compte, f.adresse
                for update of f
            )
            delete from login_failures where (compte, adresse) in (select compte, adresse from failures)
        "#,
        id,
        EVERYWHERE,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Removes up to `limit` counts that began more than a day ago: no window and no lock lasts so long.
pub(super) async fn purge(db: impl PgExecutor<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from login_failures
            where (compte, adresse) in (
                select compte, adresse from login_failures where premier_echec < $1 order by premier_echec limit $2
                for update skip locked)
        "#,
        now - TimeDelta::days(1),
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_slower_and_never_slower_than_five_seconds() {
        assert_eq!(wait(0), Duration::ZERO);
        assert_eq!(wait(10), Duration::ZERO);
        assert_eq!(wait(11), Duration::from_millis(200));
        assert_eq!(wait(1_000_000), Duration::from_secs(5));
    }
}
