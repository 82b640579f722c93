//! What a person wants to be told by e-mail, and when. What they do not want by e-mail is in the application all the same.
mod store;
mod types;

use chrono::{DateTime, Utc};

pub use store::find;
pub use types::{Emails, HeuresCalmes, Preferences, PreferencesPatch};

use crate::{
    Error, Result, Tx,
    input::{Fault, Wrong},
    users::UserRole,
};

/// Changes the preferences of a user; what `patch` does not name stays.
pub async fn update(
    tx: &mut Tx<'_>,
    user_id: i64,
    role: UserRole,
    patch: PreferencesPatch,
    now: DateTime<Utc>,
) -> Result<Preferences> {
    let new = patch.over(store::find_for_update(tx, user_id).await?);
    if new.digest_seulement && !matches!(role, UserRole::Admin | UserRole::Responsable) {
        let wrong = Wrong::new(
            "value_error",
            "Le point quotidien va aux responsables : désactivez plutôt les e-mails que vous ne souhaitez pas.",
            "The daily digest goes to responsables: switch off the e-mails that you do not want instead",
        );
        let loc = vec!["body".to_owned(), "digest_seulement".to_owned()];
        return Err(Error::Invalid(vec![Fault { loc, msg: wrong.msg, kind: wrong.kind }]));
    }
    store::save(tx, user_id, &new, now).await?;
    Ok(new)
}

/// No more digests for a user: what the link in each of them does.
pub async fn unsubscribe(tx: &mut Tx<'_>, user_id: i64, now: DateTime<Utc>) -> Result<()> {
    let mut new = store::find_for_update(tx, user_id).await?;
    new.emails.digest = false;
    store::save(tx, user_id, &new, now).await
}
