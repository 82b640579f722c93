//! Fills an empty database: with an administrator, and for `cargo dev` with a believable maintenance company and its last
//! six months.

mod accounts;
mod calendar;
mod dice;
mod files;
mod machines;
mod people;
mod play;
mod scenarios;
mod story;
#[cfg(test)]
mod tests;
mod world;

use erp_core::{Ctx, Tx, users};

pub use accounts::{Account, Accounts, PASSWORD};
use files::Photos;

/// The advisory lock that is held while the database is filled ("demo" in ASCII).
const LOCK: i64 = 0x6465_6d6f;

/// Fills an empty database, once: with the administrator, and with `demo` a whole company. A database that has users is
/// left as it is. However often and by however many processes this is called, it happens once or, on an error, not at all.
/// No mail is sent about events of the story; the documents are left for the workers to process.
///
/// The data depend on the day alone.
pub async fn load(ctx: &Ctx, demo: bool) -> anyhow::Result<Accounts> {
    let mut tx = ctx.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK).execute(&mut *tx).await?;
    if is_empty(&mut tx).await? {
        fill(ctx, &mut tx, demo).await?;
    }
    let accounts = accounts::present(&mut tx).await?;
    tx.commit().await?;
    Ok(accounts)
}

async fn is_empty(tx: &mut Tx<'_>) -> anyhow::Result<bool> {
    let found = sqlx::query_scalar!(r#"select exists(select from users) as "found!""#);
    Ok(!found.fetch_one(&mut **tx).await?)
}

async fn fill(ctx: &Ctx, tx: &mut Tx<'_>, demo: bool) -> anyhow::Result<()> {
    let now = ctx.clock.now();
    // Drawn meanwhile on other threads: they take as long as all the rest.
    let photos = demo.then(Photos::draw);
    // One password, one hash: hashing is slow on purpose.
    let hash = users::hash_password(accounts::password()).await?;
    if let Some(photos) = photos {
        let story = story::tell(now.date_naive());
        let world = world::create(tx, &story, &hash, now).await?;
        play::play(ctx, tx, &story, &world, photos).await?;
        play::settle(tx, now).await?;
    } else {
        world::create_admin(tx, &hash, now).await?;
    }
    Ok(())
}
