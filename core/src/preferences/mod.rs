//! What a user wants to be told by e-mail, and when. The other notifications are in the application only.
mod store;
mod types;

use chrono::{DateTime, Utc};

pub use store::{find, find_for_update};
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
    let about_digest = patch.is_about_digest();
    let new = patch.over(store::find_for_update(tx, user_id).await?);
    if about_digest && new.digest_seulement {
        if !matches!(role, UserRole::Admin | UserRole::Responsable) {
            return Err(refused(
                "Le point quotidien va aux responsables : désactivez plutôt les e-mails que vous ne souhaitez pas.",
                "The daily digest goes to responsables: switch off the e-mails that you do not want instead",
            ));
        }
        if !new.emails.digest {
            return Err(refused(
                "Le point quotidien seulement, et sans lui : activez-le, ou désactivez les e-mails un à un.",
                "The digest alone, and without it: switch it on, or switch the e-mails off one by one",
            ));
        }
    }
    store::save(tx, user_id, &new, now).await?;
    store::find(&mut **tx, user_id).await
}

/// Switches the digest of a user off, for the link in each digest. A user who wanted only the digest gets no mail any more.
pub async fn unsubscribe(tx: &mut Tx<'_>, user_id: i64, now: DateTime<Utc>) -> Result<()> {
    let mut new = store::find_for_update(tx, user_id).await?;
    new.emails.digest = false;
    store::save(tx, user_id, &new, now).await
}

fn refused(fr: &str, en: &str) -> Error {
    let wrong = Wrong::new("value_error", fr, en);
    let loc = vec!["body".to_owned(), "digest_seulement".to_owned()];
    Error::Invalid(vec![Fault { loc, msg: wrong.msg, kind: wrong.kind }])
}
