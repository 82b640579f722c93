//! The database of `cargo dev`: that of `DATABASE_URL`, else one on a cluster of our own.

use std::path::PathBuf;

use anyhow::Context as _;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::postgres::{Config, Postgres};

const NAME: &str = "erp";

/// An up-to-date database. The private cluster stays up as long as this is kept.
#[derive(Debug)]
pub(super) struct Database {
    pub url: String,
    _cluster: Option<Postgres>,
}

/// The database with every migration applied.
pub(super) async fn open(cluster_dir: PathBuf) -> anyhow::Result<Database> {
    let given = std::env::var_os("DATABASE_URL").filter(|url| !url.is_empty());
    let database = match given {
        Some(url) => {
            let url = url.into_string().ok().context("DATABASE_URL is not text")?;
            Database { url, _cluster: None }
        }
        None => private(cluster_dir).await?,
    };
    let pool = PgPoolOptions::new().max_connections(2).connect(&database.url).await;
    let pool =
        pool.with_context(|| format!("cannot connect to {}", hide_password(&database.url)))?;
    erp_core::migrate(&pool).await.context("the migrations fail")?;
    pool.close().await;
    Ok(database)
}

async fn private(dir: PathBuf) -> anyhow::Result<Database> {
    let config = Config::durable(dir);
    let cluster = tokio::task::spawn_blocking(move || Postgres::start(&config)).await??;
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await?;
    let found = connection.fetch_optional("select from pg_database where datname = 'erp'").await?;
    if found.is_none() {
        connection.execute("create database erp").await?;
    }
    connection.close().await?;
    Ok(Database { url: cluster.url(NAME), _cluster: Some(cluster) })
}

fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_show_the_password() {
        assert_eq!(hide_password("postgres://erp:s3:cr@t@db/erp"), "postgres://erp@db/erp");
        assert_eq!(hide_password("postgres://localhost/erp"), "postgres://localhost/erp");
    }
}
