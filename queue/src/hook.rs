//! Calls the hooks of the application in a transaction of the queue.
use std::{any::Any, panic::AssertUnwindSafe};

use apalis_core::error::BoxDynError;
use futures_util::FutureExt as _;

use crate::{
    Error, Result,
    error::chain,
    options::{Hook, HookedJob},
};

/// Why a hook failed.
pub(crate) enum Failed {
    /// The database is unavailable: a retry may succeed.
    Away(Error),
    Error(String),
    Panic(String),
}

type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// Calls `hook` with `tx`, and returns the transaction, not committed. A panic is caught, so that the recorder goes on.
pub(crate) async fn call(hook: &Hook, tx: Tx, hooked: HookedJob) -> Result<Tx, Failed> {
    let called = AssertUnwindSafe(async { hook(tx, hooked).await }).catch_unwind().await;
    match called {
        Ok(Ok(tx)) => Ok(tx),
        Ok(Err(error)) => Err(failed(error)),
        Err(panic) => Err(Failed::Panic(panic_message(&*panic).to_owned())),
    }
}

fn failed(error: BoxDynError) -> Failed {
    let text = chain(&*error);
    let error = match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<sqlx::Error>() {
            Ok(error) => Error::Database(*error),
            Err(_) => return Failed::Error(text),
        },
    };
    if error.is_away() { Failed::Away(error) } else { Failed::Error(text) }
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
