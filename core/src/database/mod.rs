//! Connections to Postgres that end when the database does, whatever it was that they waited for.
//!
//! sqlx puts no limit on a statement, nor on the ping of a connection that goes back to its pool: on a host that has vanished
//! each takes a connection away for good. So limits stand where no statement can go around them: in the `relay` that
//! carries the bytes of every connection.
#[cfg(target_os = "linux")]
mod relay;

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Result, config::DatabaseConfig};
pub use apalis_hot::Reserved;

/// For a connection, a new one or one that another gives back; afterwards the answer is 503.
const ACQUIRE: Duration = Duration::from_secs(5);
/// For a connection that has been idle to show that it lives.
const PING: Duration = Duration::from_secs(2);
/// A connection that was used a moment ago is not asked.
const FRESH: Duration = Duration::from_secs(1);
/// What the answer to a statement may take longer than the server's own limit, before the server counts as gone.
const GRACE: Duration = Duration::from_secs(2);

/// The pool of a process. Connects to nothing yet: a database that is away delays no start-up.
///
/// The server ends a statement after [`DatabaseConfig::statement_limit`]. Two seconds later this side ends the connection, so
/// that every statement ends, on a server that has vanished too; a new connection asks for the address of the host anew.
pub fn pool(config: &DatabaseConfig) -> Result<PgPool> {
    let limit = config.statement_limit;
    let options =
        PgConnectOptions::from_str(config.url.reveal())?.application_name("erp").options([
            // One that takes so long has met a lock or a plan that nobody meant.
            ("statement_timeout", format!("{}ms", limit.as_millis())),
            // Nothing of ours waits for anything else inside a transaction: a process that does was frozen, and its locks hold
            // up those who work.
            ("idle_in_transaction_session_timeout", "15s".to_owned()),
            // Compiling a plan takes longer than any of our queries.
            ("jit", "off".to_owned()),
            // When our host vanishes, the server gives its locks free within half a minute, not two hours.
            ("tcp_keepalives_idle", "10".to_owned()),
            ("tcp_keepalives_interval", "5".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
        ]);
    let pool = pool_options(config.max_connections);
    #[cfg(target_os = "linux")]
    if relay::can_carry(&options) {
        let pool = relay::connect_lazily(pool, options, limit + GRACE);
        return Ok(pool.map_err(anyhow::Error::from)?);
    }
    // Elsewhere, for development, and on a Unix socket, whose server cannot vanish alone: a ping at least is bounded.
    let pool =
        pool.after_release(move |connection, _| Box::pin(answers(connection, limit + GRACE)));
    Ok(pool.connect_lazy_with(options))
}

fn pool_options(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| Box::pin(must_take_writes(connection)))
        // A ping before each use costs as much as most of our queries. One that was used a moment ago is alive; should
        // it not be, its request is answered 503, as those that come while Postgres is away.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= FRESH { answers(connection, PING).await } else { Ok(true) }
            })
        })
}

/// An error when it does not answer in time: it is dropped then, not closed politely.
async fn answers(connection: &mut PgConnection, limit: Duration) -> sqlx::Result<bool> {
    match tokio::time::timeout(limit, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// After a failover a name may lead to a standby for a while. A pool that kept such a connection would fail writes for as long
/// as it lives; so it is not taken, and the pool tries again.
async fn must_take_writes(connection: &mut PgConnection) -> sqlx::Result<()> {
    let standby = sqlx::query_scalar!(r#"select pg_is_in_recovery() as "standby!""#);
    if standby.fetch_one(connection).await? {
        let text = "the host is a standby: its name does not lead to the primary yet";
        return Err(sqlx::Error::Io(std::io::Error::other(text)));
    }
    Ok(())
}
