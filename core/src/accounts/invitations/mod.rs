//! Invitations: an account without a password, and a mailed link by which its owner chooses one.
//!
//! An invitation waits until its owner has a password, whichever way, has signed in at the provider of the company, or is disabled. Who
//! has come that way has no password, and is invited no more: only an admin sends them a link to choose one.
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

pub use self::store::inviter;
pub(super) use self::store::{end, forget, set_end};
use super::{end_access, identites, store as accounts_store, store::Purpose};
use crate::{
    Code, Error, Lang, Noun, Result, Text, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    auth::{self, Motif},
    error::OnConstraint as _,
    input::{Email, Id, Input, Trimmed},
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
    page::{Columns, Listed, Page},
    users::{self, NewUser, PasswordHash, UserRole, Username, client_role},
};

/// How long the link of an invitation can be used.
pub const LIFETIME: TimeDelta = TimeDelta::hours(72);
/// Another link is mailed this long after the last one at the earliest, unless to another address: it would end the one that has
/// just arrived.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// How long the application has to exchange the link that signs in who has just chosen a password ([`super::links::sign_in`]).
const SIGN_IN: TimeDelta = TimeDelta::minutes(2);

impl Noun {
    pub const INVITATION: Self = Self::new(
        Code::InvitationIntrouvable,
        "Aucune invitation de votre ressort n'attend sous cet identifiant : la personne a déjà un mot de passe, ou le compte est \
         désactivé (un administrateur le réactive, puis l'invitation se renvoie).",
        "No invitation that you may manage waits under this id: the person has a password already, or the account is disabled \
         (an administrator enables it, then the invitation can be sent again).",
    );
}

/// Who is invited, and with which access: an account without a password.
#[derive(Debug, Clone, Input)]
#[input(check = client_role(client_id, role))]
pub struct InvitationCreate {
    pub username: Username,
    pub full_name: Trimmed<200>,
    pub email: Email,
    pub role: UserRole,
    pub client_id: Option<Id>,
    #[input(or = Lang::default())]
    pub langue: Lang,
}

/// What changes when an invitation is sent again.
#[derive(Debug, Clone, Default, Input)]
pub struct InvitationResend {
    /// The right address, if the first one was wrong.
    pub email: Option<Email>,
}

/// An invitation that waits.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct Invitation {
    /// That of the account.
    pub id: i64,
    #[columns(beside = "u.username")]
    pub username: String,
    #[columns(beside = "u.full_name")]
    pub full_name: String,
    #[columns(beside = "u.email")]
    pub email: String,
    #[columns(beside = "u.role")]
    pub role: UserRole,
    #[columns(beside = "u.client_id")]
    pub client_id: Option<i64>,
    #[columns(beside = "u.langue")]
    pub langue: Lang,
    /// The user who invites.
    pub invite_par: Option<i64>,
    #[columns(beside = "p.full_name")]
    pub invite_par_nom: Option<String>,
    pub cree_le: DateTime<Utc>,
    /// When its link ends; it can be sent again then, too.
    pub expire_le: DateTime<Utc>,
}

/// The fields that invitations can be sorted by.
pub const SORTABLE: &[&str] = &["id", "cree_le", "expire_le"];

/// Who invites, sends again or revokes.
#[derive(Debug, Clone, Copy)]
pub struct By {
    pub id: i64,
    pub role: UserRole,
}

impl By {
    /// An admin invites anybody, a responsable techniciens and users of clients.
    fn roles(self) -> &'static [UserRole] {
        match self.role {
            UserRole::Admin => {
                &[UserRole::Admin, UserRole::Responsable, UserRole::Technicien, UserRole::Client]
            }
            UserRole::Responsable => &[UserRole::Technicien, UserRole::Client],
            _ => &[],
        }
    }

    fn ensure_may_invite(self, role: UserRole) -> Result<()> {
        if self.roles().contains(&role) {
            return Ok(());
        }
        Err(Error::Forbidden {
            code: Code::ActionInterdite,
            text: Text::new(
                "Seul un administrateur invite des administrateurs et des responsables : demandez-le à l'un d'eux.",
                "Only an administrator invites administrators and responsables: ask one of them.",
            ),
        })
    }
}

/// Makes the account and mails its owner a link. `Conflict` if an account has the address or the username, or the client is
/// suspended; `Forbidden` for a role that `by` may not invite.
pub async fn invite(
    tx: &mut Tx<'_>,
    new: &InvitationCreate,
    by: By,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    by.ensure_may_invite(new.role)?;
    let user = NewUser {
        username: &new.username.0,
        full_name: &new.full_name.0,
        email: &new.email.0,
        role: new.role,
        client_id: new.client_id.map(|id| id.0),
        langue: new.langue,
    };
    let id = users::create_account(tx, &user, &PasswordHash::none(), now).await?.id;
    store::insert(tx, id, by.id, now).await?;
    send(tx, id, now).await?;
    store::find(tx, id, by.roles()).await
}

/// The invitations that wait, of those that `by` may invite.
pub async fn list(pool: &PgPool, page: &Page, by: By) -> Result<Listed<Invitation>> {
    store::list(pool, page, by.roles()).await
}

/// Mails a new link, to another address if one is given, which ends the one before it; the owner sees that `by` invites. It also
/// invites again whose invitation was revoked, once the account is enabled. `Conflict` within two minutes of the last one to the same
/// address, and as for [`invite`].
pub async fn send_again(
    tx: &mut Tx<'_>,
    id: i64,
    change: &InvitationResend,
    by: By,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    // The account first, as everything that ends a link.
    let account = users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::INVITATION))?;
    let is_invited = account.is_active && account.password_hash.is_none();
    if !is_invited || !by.roles().contains(&account.role) {
        return Err(Error::NotFound(Noun::INVITATION));
    }
    ensure_may_manage(tx, id, by).await?;
    let Email(email) = change.email.clone().unwrap_or_else(|| Email(account.email.clone()));
    if email.to_lowercase() != account.email.to_lowercase() {
        store::set_email(tx, id, &email, now)
            .await
            .on_constraint("users_email_key", users::email_taken)?;
        identites::forget(tx, id).await?;
        end_access(tx, id, Motif::Administrateur, now).await?;
    } else if let Some(end) = store::end(tx, id).await?
        && end - LIFETIME + PATIENCE > now
    {
        return Err(just_sent());
    }
    store::insert(tx, id, by.id, now).await?;
    send(tx, id, now).await?;
    store::find(tx, id, by.roles()).await
}

/// Refuses all but admins an account whose owner has come, without a password: at another address it would be somebody else's.
async fn ensure_may_manage(tx: &mut Tx<'_>, id: i64, by: By) -> Result<()> {
    let has_come =
        identites::has_one(tx, id).await? || users::find(&mut **tx, id).await?.last_login.is_some();
    if has_come && by.role != UserRole::Admin {
        return Err(Error::NotFound(Noun::INVITATION));
    }
    Ok(())
}

fn just_sent() -> Error {
    Error::conflict(
        Code::InvitationRecente,
        "Un lien vient de partir : attendez deux minutes avant d'en envoyer un autre, qui le remplacerait.",
        "A link has just left: wait two minutes before you send another one, which would replace it.",
    )
}

/// Ends the invitation, and disables the account that was made for it.
pub async fn revoke(tx: &mut Tx<'_>, id: i64, by: By, now: DateTime<Utc>) -> Result<()> {
    users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::INVITATION))?;
    store::find(tx, id, by.roles()).await?;
    ensure_may_manage(tx, id, by).await?;
    users::set_active(tx, id, false, now).await?;
    end_access(tx, id, Motif::Desactivation, now).await
}

/// Mails a link to the owner of account `id`, who is invited, and ends the links before it. The caller holds the account. `Conflict`
/// if its client is suspended: the link would open nothing.
pub(super) async fn send(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    let account = users::find_account(&mut **tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    if !account.client_actif {
        return Err(Error::conflict(
            Code::ClientInactif,
            "Ce client est suspendu : réactivez-le avant d'inviter ses utilisateurs.",
            "This client is suspended: enable it before you invite its users.",
        ));
    }
    accounts_store::end_all(tx, id, now).await?;
    store::set_end(tx, id, now + LIFETIME).await?;
    let lien = Uuid::now_v7();
    let link = accounts_store::Link { id: lien, purpose: Purpose::Invitation, end: now + LIFETIME };
    accounts_store::insert(tx, &link, &account, now).await?;
    let avis = AccountNotice {
        auteur: store::inviter(&mut **tx, id).await?,
        lien: Some(lien),
        ..AccountNotice::new(AccountEvent::Invitation, now)
    };
    outgoing_mails::open_account_notice(tx, id, &avis, now).await
}

/// Gives the owner of the invitation whose link is `id` a password, and ends the invitation. Returns the id of the link that signs
/// them in, once and soon; `None`, and changes nothing, if the link is no longer good.
pub async fn accept(
    tx: &mut Tx<'_>,
    id: Uuid,
    hash: &PasswordHash,
    auteur: Auteur,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let Some(owner) = accounts_store::taken(tx, id, Purpose::Invitation, now).await? else {
        return Ok(None);
    };
    users::set_password(tx, owner, hash, now).await?;
    forget(tx, owner).await?;
    auth::end_sessions(tx, owner, None, Motif::MotDePasse, now).await?;
    auth::forget_failures(tx, owner).await?;
    let auteur = Auteur { user_id: Some(owner), ..auteur };
    let entry = Entry::new(Acte::InvitationAcceptee, &auteur).on(Cible::Compte, &owner);
    entry.record(tx, now).await?;
    let account = users::hold(tx, owner).await?.ok_or(Error::NotFound(Noun::USER))?;
    let link = accounts_store::Link {
        id: Uuid::now_v7(),
        purpose: Purpose::Connexion,
        end: now + SIGN_IN,
    };
    accounts_store::insert(tx, &link, &account, now).await?;
    Ok(Some(link.id))
}
