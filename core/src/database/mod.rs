//! Connections to Postgres on which every wait ends, also when the database has vanished.
//!
//! sqlx puts no limit on a statement, nor on the ping of a connection that goes back to its pool: on a host that has vanished,
//! each blocks a connection permanently. So the limits are where no statement can bypass them: in the `relay`, which carries
//! the bytes of every connection.
#[cfg(target_os = "linux")]
mod relay;

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Result, config::DatabaseConfig};
pub use apalis_hot::{Reserved, begin, begin_on};

/// The longest wait for a connection, a new one or one that goes back to the pool; afterwards the response is a 503.
const ACQUIRE: Duration = Duration::from_secs(5);
/// The longest wait for the answer to a ping, which shows that an idle connection is alive.
const PING: Duration = Duration::from_secs(2);
/// A connection that was idle for less is not pinged.
const FRESH: Duration = Duration::from_secs(1);
/// How much longer than the server's own limit a statement may take before the server counts as vanished.
const GRACE: Duration = Duration::from_secs(2);

/// The pool of a process. Does not connect yet: a database that is unavailable does not delay the start.
///
/// The server ends a statement after [`DatabaseConfig::statement_limit`]. Two seconds later this side ends the connection, so
/// that every statement ends, also on a server that has vanished. A new connection resolves the name of the host again.
pub fn pool(config: &DatabaseConfig) -> Result<PgPool> {
    let limit = config.statement_limit;
    let options =
        PgConnectOptions::from_str(config.url.reveal())?.application_name("erp").options([
            // A statement that takes so long has met an unexpected lock or plan.
            ("statement_timeout", format!("{}ms", limit.as_millis())),
            // Our transactions wait for nothing but the database: a process whose transaction is idle for so long is frozen,
            // and its locks block others.
            ("idle_in_transaction_session_timeout", "15s".to_owned()),
            // Compiling a plan takes longer than any of our queries.
            ("jit", "off".to_owned()),
            // When our host vanishes, the server releases its locks within half a minute instead of two hours.
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
    // On other systems (for development), and on a Unix socket, whose server cannot vanish alone, only the ping is bounded: not a
    // begin that was given up, which keeps its connection until Postgres answers.
    let pool =
        pool.after_release(move |connection, _| Box::pin(answers(connection, limit + GRACE)));
    Ok(pool.connect_lazy_with(options))
}

fn pool_options(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| Box::pin(must_take_writes(connection)))
        // A ping before each use costs as much as most of our queries. A connection that was used a moment ago counts as alive;
        // if it is not, its request gets a 503, like those that come while Postgres is unavailable.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= FRESH { answers(connection, PING).await } else { Ok(true) }
            })
        })
}

/// Pings the connection. If it does not answer in time, the error makes the pool drop it without closing it properly.
async fn answers(connection: &mut PgConnection, limit: Duration) -> sqlx::Result<bool> {
    match tokio::time::timeout(limit, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Refuses a standby: after a failover a name may lead to one for a while. Writes on such a connection would fail as long as it
/// lives; so the pool does not take it, and tries again.
async fn must_take_writes(connection: &mut PgConnection) -> sqlx::Result<()> {
    let standby = sqlx::query_scalar!(r#"select pg_is_in_recovery() as "standby!""#);
    if standby.fetch_one(connection).await? {
        let text = "the host is a standby: its name does not lead to the primary yet";
        return Err(sqlx::Error::Io(std::io::Error::other(text)));
    }
    Ok(())
}
