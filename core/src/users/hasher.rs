//! Argon2id with limits on processors, memory and waiting time
//! (parameters of the [OWASP cheat sheet](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html):
//! 19 MiB, 2 passes, 1 lane).
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use argon2::{
    Algorithm, Argon2, Block, Params, PasswordVerifier as _, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{Error, Result};

/// How long a request waits for its turn before it fails with `Unavailable`.
const PATIENCE: Duration = Duration::from_secs(10);

static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// Permits for hashes that run at once: as many as there are cores. More would only take memory (19 MiB each) and make
/// everyone wait longer; the async threads never hash.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// The memory of finished hashes, for the next ones. If it were freed, the allocator would keep it for the thread that had
/// it, and many sign-ins at once would leave hundreds of megabytes behind.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// The PHC string of `password` with a salt of its own.
pub(super) async fn hash(password: String) -> Result<String> {
    on_a_turn(move || phc(password.as_bytes()))
        .await?
        .map_err(|error: anyhow::Error| Error::Internal(error.context("hashing a password")))
}

fn phc(password: &[u8]) -> anyhow::Result<String> {
    let salt = Salt::generate();
    let output = output(password, &salt)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(ARGON2.params())?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// The result of [`verify`].
pub(super) enum Looked {
    Wrong,
    /// With a new PHC string where `stored` has other parameters than ours.
    Right(Option<String>),
}

/// Whether `password` is the one of the PHC string `stored`; without one, no password is right. `others` are the parameters
/// other than ours that stored hashes have: the beginnings of PHC strings.
///
/// **Every call computes one hash with our parameters and one with each of the others, whatever is stored.** Otherwise the time
/// of an answer would show which parameters an account has, or that there is no account.
pub(super) async fn verify(
    password: String,
    stored: Option<String>,
    others: Vec<String>,
) -> Result<Looked> {
    on_a_turn(move || {
        let hash = stored.as_deref().and_then(|stored| PasswordHash::new(stored).ok());
        let right = hash.as_ref().is_some_and(|hash| matches(password.as_bytes(), hash));
        let is_ours = hash.as_ref().is_some_and(has_our_params);
        for owed in owed(hash.as_ref().and(stored.as_deref()), is_ours, &others) {
            burn(owed, password.as_bytes());
        }
        if !right {
            return Ok(Looked::Wrong);
        }
        let renewed = if is_ours { None } else { Some(phc(password.as_bytes())?) };
        Ok(Looked::Right(renewed))
    })
    .await?
    .map_err(|error: anyhow::Error| Error::Internal(error.context("hashing a password")))
}

/// The parameters of the hashes that are still to be computed, for their time alone, after `stored` was verified: ours (`None`)
/// and all `others`, without those of `stored`.
fn owed<'a>(stored: Option<&str>, is_ours: bool, others: &'a [String]) -> Vec<Option<&'a str>> {
    let is = |params: &str| {
        let rest = stored.and_then(|stored| stored.strip_prefix(params));
        rest.is_some_and(|rest| rest.starts_with('$'))
    };
    let others = others.iter().map(String::as_str).filter(|params| !is(params)).map(Some);
    (!is_ours).then_some(None).into_iter().chain(others).collect()
}

/// Takes the time of a hash with the parameters `params`, or with ours.
fn burn(params: Option<&str>, password: &[u8]) {
    static SALT: LazyLock<Salt> = LazyLock::new(Salt::generate);
    let Some(params) = params else {
        std::hint::black_box(output(password, &SALT).ok());
        return;
    };
    // A salt and a hash that belong to no account.
    let phc = format!("{params}$AAAAAAAAAAAAAAAAAAAAAA${}", "A".repeat(43));
    let Ok(nobody) = PasswordHash::new(&phc) else { return };
    std::hint::black_box(ARGON2.verify_password(password, &nobody).is_ok());
}

fn has_our_params(hash: &PasswordHash) -> bool {
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && ParamsString::try_from(ARGON2.params()).is_ok_and(|params| params == hash.params)
}

fn matches(password: &[u8], hash: &PasswordHash) -> bool {
    match (&hash.salt, &hash.hash) {
        // `Output` compares in constant time.
        (Some(salt), Some(expected)) if has_our_params(hash) => {
            output(password, salt).is_ok_and(|found| found == *expected)
        }
        // With the parameters that the hash names, which are older ones.
        _ => ARGON2.verify_password(password, hash).is_ok(),
    }
}

fn output(password: &[u8], salt: &Salt) -> anyhow::Result<Output> {
    let memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut memory = memory.unwrap_or_else(|| vec![Block::new(); ARGON2.params().block_count()]);
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let hashed = ARGON2.hash_password_into_with_memory(password, salt, &mut out, &mut memory);
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    hashed.map_err(|error| anyhow!("argon2: {error}"))?;
    Ok(Output::new(&out)?)
}

/// Runs work that takes processor time for a password, hashing or scoring, off the async threads and when its turn comes;
/// `Unavailable` if so many others wait that an answer would come too late.
pub async fn on_a_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let turn = timeout(PATIENCE, TURNS.acquire()).await.map_err(|_| {
        Error::unavailable("passwords", anyhow!("no turn within {PATIENCE:?}: too many sign in"))
    })?;
    let _turn = turn.map_err(anyhow::Error::from)?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is stored, the parameters that are verified and those that are owed after it are together the same.
    #[test]
    fn every_attempt_costs_what_all_others_cost() {
        const OURS: &str = "$argon2id$v=19$m=19456,t=2,p=1";
        let others =
            ["$argon2id$v=19$m=65536,t=3,p=4", "$argon2i$v=19$m=65536,t=3,p=4"].map(str::to_owned);
        let mut everything = vec![OURS.to_owned()];
        everything.extend(others.clone());
        everything.sort();
        let paid = |params: Option<&str>| {
            let stored = params.map(|params| format!("{params}$c2FsdA$aGFzaA"));
            let owed = owed(stored.as_deref(), params == Some(OURS), &others);
            let owed = owed.into_iter().map(|params| params.unwrap_or(OURS).to_owned());
            let mut paid: Vec<_> = owed.chain(params.map(str::to_owned)).collect();
            paid.sort();
            paid
        };
        for stored in [None, Some(OURS), Some(&*others[0]), Some(&*others[1])] {
            assert_eq!(paid(stored), everything, "{stored:?}");
        }
        // A prefix of the parameters does not count as the parameters.
        assert_eq!(owed(Some("$argon2id$v=19$m=65536,t=3,p=42$a$b"), false, &others).len(), 3);
    }
}
