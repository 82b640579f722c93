//! What an admin changes of an account.
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{end_access, ensure_spared, identites, invitations, pseudonyms, store};
use crate::{
    Code, Error, Lang, Noun, Result, Tx,
    auth::Motif,
    error::OnConstraint as _,
    input::{Email, Id, Input, Patch, Trimmed},
    techniciens,
    users::{self, UserOut, UserRole},
};

/// An edit of an account; what is not named stays.
#[derive(Debug, Clone, Input)]
pub struct UserPatch {
    pub full_name: Option<Trimmed<200>>,
    pub email: Option<Email>,
    pub role: Option<UserRole>,
    /// Of a user with the role client; another role has none.
    #[input(as = Id)]
    pub client_id: Patch<i64>,
    pub langue: Option<Lang>,
    pub is_active: Option<bool>,
}

/// What an edit may change of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub full_name: String,
    pub email: String,
    pub role: UserRole,
    pub client_id: Option<i64>,
    pub langue: Lang,
    pub is_active: bool,
}

impl Fields {
    fn of(user: &UserOut, client_id: Option<i64>) -> Self {
        Self {
            full_name: user.full_name.clone(),
            email: user.email.clone(),
            role: user.role,
            client_id,
            langue: user.langue,
            is_active: user.is_active,
        }
    }

    /// Whether `new` has another role, client or address, or disables the account.
    fn gives_other_access(&self, new: &Self) -> bool {
        (self.role, self.client_id) != (new.role, new.client_id)
            || self.has_other_address(new)
            || self.is_disabled_by(new)
    }

    /// Nobody else has an address that differs by its case alone.
    fn has_other_address(&self, new: &Self) -> bool {
        self.email.to_lowercase() != new.email.to_lowercase()
    }

    fn is_disabled_by(&self, new: &Self) -> bool {
        self.is_active && !new.is_active
    }

    fn is_working_admin(&self) -> bool {
        self.role == UserRole::Admin && self.is_active
    }

    fn shown(&self) -> Value {
        let Self { full_name, email, role, client_id, langue, is_active } = self;
        json!({
            "full_name": full_name, "email": email, "role": role, "client_id": client_id, "langue": langue,
            "is_active": is_active,
        })
    }
}

/// An account before and after an edit, and what changed, for the audit.
#[derive(Debug)]
pub struct Edited {
    pub old: UserOut,
    pub new: UserOut,
    pub avant: Value,
    pub apres: Value,
}

/// Changes the account `id`. Another role, client or address, and disabling, end its sessions, the addresses of its calendars and
/// its links: they give the access that it had before. Who is invited gets another link. With another address it may be another
/// person's: who its owner is at the provider of the company is forgotten, and found out by the address at the next sign-in.
///
/// `Conflict` if `by` (an admin) disables their own account, if no active admin would be left, if another account has the
/// address, if a technicien would get another role, or if the person was taken out of the system. `Invalid` if a client is named for a role that has none.
pub async fn edit(
    tx: &mut Tx<'_>,
    id: i64,
    patch: UserPatch,
    by: i64,
    now: DateTime<Utc>,
) -> Result<Edited> {
    store::take_turn(tx).await?;
    let user = users::find_for_update(tx, id).await?;
    pseudonyms::ensure_named(tx, id).await?;
    let account = users::find_account(&mut **tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    let old = Fields::of(&user, account.client_id);
    let new = over(patch, old.clone())?;
    if new == old {
        return Ok(Edited { old: user.clone(), new: user, avant: json!({}), apres: json!({}) });
    }
    let disables = old.is_disabled_by(&new);
    let removes_an_admin = old.is_working_admin() && !new.is_working_admin();
    ensure_spared(tx, id, by, disables, removes_an_admin).await?;
    let is_no_technicien = old.role == UserRole::Technicien && new.role != UserRole::Technicien;
    if is_no_technicien && techniciens::find_by_user(&mut **tx, id).await?.is_some() {
        return Err(is_technicien());
    }
    let ends = old.gives_other_access(&new);
    store::save(tx, id, &new, ends, now)
        .await
        .on_constraint("users_email_key", users::email_taken)
        .on_constraint("users_client_id_fkey", || Error::NotFound(Noun::CLIENT))?;
    if old.has_other_address(&new) {
        identites::forget(tx, id).await?;
    }
    if ends {
        let motif = if disables { Motif::Desactivation } else { Motif::Administrateur };
        end_access(tx, id, motif, now).await?;
        if invitations::end(tx, id).await?.is_some() {
            let account = users::find_account(&mut **tx, id).await?;
            if account.is_some_and(|account| account.client_actif) {
                invitations::send(tx, id, now).await?;
            } else {
                // The link would open nothing as long as the client is suspended.
                invitations::set_end(tx, id, now).await?;
            }
        }
    }
    let (mut avant, mut apres) = (old.shown(), new.shown());
    if let (Some(avant), Some(apres)) = (avant.as_object_mut(), apres.as_object_mut()) {
        let before = avant.clone();
        avant.retain(|name, value| apres[name] != *value);
        apres.retain(|name, value| before[name] != *value);
    }
    Ok(Edited { new: users::find(&mut **tx, id).await?, old: user, avant, apres })
}

fn over(patch: UserPatch, old: Fields) -> Result<Fields> {
    let role = patch.role.unwrap_or(old.role);
    let client_id = match patch.client_id {
        Patch::Set(_) if role != UserRole::Client => return Err(users::not_of_a_client()),
        _ if role != UserRole::Client => None,
        client_id => client_id.over(old.client_id),
    };
    Ok(Fields {
        full_name: patch.full_name.map_or(old.full_name, |name| name.0),
        email: patch.email.map_or(old.email, |email| email.0),
        role,
        client_id,
        langue: patch.langue.unwrap_or(old.langue),
        is_active: patch.is_active.unwrap_or(old.is_active),
    })
}

fn is_technicien() -> Error {
    Error::conflict(
        Code::CompteDeTechnicien,
        "Ce compte a une fiche de technicien : retirez-la avant de changer son rôle.",
        "This account has a technicien record: remove it before you change the role.",
    )
}
