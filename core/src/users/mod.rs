//! People with an account: who they are, their role, and the rules of their passwords.
mod hasher;
mod password;
mod store;
mod types;

use chrono::{DateTime, Utc};

pub use hasher::on_a_turn as off_the_async_threads;
pub use password::{
    GivenPassword, Password, PasswordHash, Verified, hash_password, verify_password,
};
pub(crate) use store::{columns_for_others, set_active, set_password};
pub use store::{
    find, find_account, find_by_email, find_by_login, find_for_update, hold, list, other_hashes,
    renew_hash, set_last_login,
};
pub(crate) use types::client_role;
pub use types::{
    Account, Fonction, NewUser, NomEtFonction, Personne, SORTABLE, UserApercu, UserCreate,
    UserListe, UserOut, UserRole, UserUpdate, Username,
};

use crate::{
    Code, Error, Lang, Noun, Result, Tx,
    error::OnConstraint as _,
    input::{Fault, Wrong},
};

impl Noun {
    pub const USER: Self =
        Self::new(Code::UtilisateurIntrouvable, "Utilisateur introuvable.", "User not found.");
}

/// Creates an account; `hash` is that of `new.password`, made before the transaction since it takes its time.
pub async fn create(
    tx: &mut Tx<'_>,
    new: &UserCreate,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> Result<UserOut> {
    create_account(tx, &new.into(), hash, now).await
}

/// The same for `user`, whose password is that of `hash`, or none.
pub async fn create_account(
    tx: &mut Tx<'_>,
    user: &NewUser<'_>,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> Result<UserOut> {
    let id = store::insert(tx, user, hash, now)
        .await
        .on_constraint("users_email_key", email_taken)
        .on_constraint("users_username_key", username_taken)
        .on_constraint("users_client_id_fkey", || Error::NotFound(Noun::CLIENT))?;
    store::find(&mut **tx, id).await
}

/// Changes the caller's own name or language.
pub async fn update(
    tx: &mut Tx<'_>,
    id: i64,
    full_name: Option<&str>,
    langue: Option<Lang>,
    now: DateTime<Utc>,
) -> Result<UserOut> {
    if let Some(full_name) = full_name {
        store::set_full_name(tx, id, full_name, now).await?;
    }
    if let Some(langue) = langue {
        store::set_langue(tx, id, langue, now).await?;
    }
    store::find(&mut **tx, id).await
}

/// Enables the account `id` again.
pub async fn activate(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<UserOut> {
    store::set_active(tx, id, true, now).await?;
    store::find(&mut **tx, id).await
}

/// The 409 of an address that another account has.
pub(crate) fn email_taken() -> Error {
    Error::conflict(
        Code::EmailDejaUtilise,
        "Cette adresse e-mail est déjà utilisée par un autre compte.",
        "This e-mail address is already used by another account.",
    )
}

fn username_taken() -> Error {
    Error::conflict(
        Code::NomUtilisateurDejaUtilise,
        "Ce nom d'utilisateur est déjà pris : choisissez-en un autre.",
        "This username is already taken: choose another one.",
    )
}

/// The 422 of a client for a user who has another role.
pub(crate) fn not_of_a_client() -> Error {
    body_fault("client_id", types::not_of_a_client())
}

/// The 422 of field `name` of the body: a password with a valid form that is not accepted from this user.
fn body_fault(name: &str, wrong: Wrong) -> Error {
    let loc = vec!["body".to_owned(), name.to_owned()];
    Error::Invalid(vec![Fault { loc, msg: wrong.msg, kind: wrong.kind }])
}

/// Checks a new password of an existing account against what is known of its owner.
pub async fn check_new_password(
    password: &Password,
    owner: &UserOut,
    field: &'static str,
) -> Result<()> {
    let (password, owner) = (password.clone(), owner.clone());
    hasher::on_a_turn(move || {
        let known = [owner.username.as_str(), owner.full_name.as_str(), owner.email.as_str()];
        password.check_guessable(&known).map_err(|wrong| body_fault(field, wrong))
    })
    .await?
}

/// The 422 of a wrong current password.
#[must_use]
pub fn wrong_current_password() -> Error {
    body_fault(
        "current_password",
        Wrong::new(
            "mot_de_passe_actuel_incorrect",
            "Le mot de passe actuel est incorrect. Après cinq essais manqués, attendez cinq minutes.",
            "The current password is wrong. After five failed attempts wait for five minutes",
        ),
    )
}
