//! What the database holds before anyone works with it: an administrator, and demo data.

use anyhow::anyhow;
use erp_core::{Config, Ctx, config::Env};
use sqlx::postgres::PgPoolOptions;

use super::Environment;
use crate::demo;
pub use crate::demo::{Account, Accounts};

/// Fills an empty database; leaves one that was filled before as it is.
///
/// The programs will run with `environment` over the variables of this process, so a configuration made from both finds the
/// same database, files and secret.
pub(super) async fn seed(
    database_url: &str,
    environment: &Environment,
    no_demo: bool,
) -> anyhow::Result<Accounts> {
    let ours: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let ours = ours.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<(&str, &str)> =
        ours.chain(environment.iter().map(|(name, value)| (*name, value.as_str()))).collect();
    let config = Config::read(Env::from_pairs(&pairs)).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!("{}", faults.join("\n"))
    })?;
    let pool = PgPoolOptions::new().max_connections(1).connect(database_url).await?;
    let ctx = Ctx::with_pool(config, pool)?;
    let accounts = demo::load(&ctx, !no_demo).await;
    ctx.pool.close().await;
    accounts
}
