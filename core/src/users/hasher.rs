//! Argon2id with bounded processors, memory and patience
//! (parameters of the [OWASP cheat sheet](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html): 19 MiB, 2 passes, 1 lane).
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

/// How long a request waits for its turn before it is told to come back later.
const PATIENCE: Duration = Duration::from_secs(10);

static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// Hashes that run at once: as many as there are cores. More would only take memory (19 MiB each) and make
/// everyone wait longer; the async threads never hash.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// The memory of hashes that are done, for the next ones. Given back to the allocator it would stay with whichever
/// thread had it, and a storm of sign-ins leave hundreds of megabytes behind.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// The PHC string of `password` with a salt of its own.
pub(super) async fn hash(password: String) -> Result<String> {
    on_a_turn(move || {
        let salt = Salt::generate();
        let output = output(password.as_bytes(), &salt)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(ARGON2.params())?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    })
    .await?
    .map_err(|error: anyhow::Error| Error::Internal(error.context("hashing a password")))
}

/// Whether `password` is the one behind the PHC string `stored`. `None` takes the same time and is false.
pub(super) async fn verify(password: String, stored: Option<String>) -> Result<bool> {
    /// A hash with our parameters whose password nobody knows.
    static NOBODY: LazyLock<Option<PasswordHash>> = LazyLock::new(|| {
        let salt = Salt::generate();
        let hash = output(uuid::Uuid::new_v4().as_bytes(), &salt).ok();
        let params = ParamsString::try_from(ARGON2.params()).ok()?;
        let (algorithm, version) = (Algorithm::Argon2id.ident(), Some(Version::V0x13.into()));
        Some(PasswordHash { algorithm, version, params, salt: Some(salt), hash })
    });
    on_a_turn(move || {
        if let Some(stored) = stored {
            let hash = PasswordHash::new(&stored);
            return hash.is_ok_and(|hash| matches(password.as_bytes(), &hash));
        }
        if let Some(nobody) = NOBODY.as_ref() {
            matches(password.as_bytes(), nobody);
        }
        false
    })
    .await
}

fn matches(password: &[u8], hash: &PasswordHash) -> bool {
    let ours = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && ParamsString::try_from(ARGON2.params()).is_ok_and(|params| params == hash.params);
    match (&hash.salt, &hash.hash) {
        // `Output` compares in constant time.
        (Some(salt), Some(expected)) if ours => {
            output(password, salt).is_ok_and(|found| found == *expected)
        }
        // With the parameters that the hash names: those of another time.
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

async fn on_a_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let turn = timeout(PATIENCE, TURNS.acquire()).await.map_err(|_| {
        Error::unavailable("passwords", anyhow!("no turn within {PATIENCE:?}: too many sign in"))
    })?;
    let _turn = turn.map_err(anyhow::Error::from)?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)?)
}
