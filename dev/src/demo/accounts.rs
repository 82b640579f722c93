//! Who may log in after a start.

use erp_core::{Tx, users::Password};

use super::people::{ADMIN, CLIENTS, Person, RESPONSABLES, TECHNICIENS};

/// The password of everyone until they change it.
pub const PASSWORD: &str = "atlas-mif-2026";

pub(super) fn password() -> Password {
    Password::given(PASSWORD.to_owned())
}

/// Someone who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What they are, as the terminal shows it.
    pub role: String,
    /// Their login.
    pub username: String,
    /// Their password, in clear: it is a demo's.
    pub password: String,
    /// Where their mails go.
    pub email: String,
}

/// Who may log in after a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// The one who may do everything.
    pub admin: Account,
    /// One of each other role, when there are demo data.
    pub others: Vec<Account>,
}

/// The accounts of the demo that the database has. A password changed since is not known here.
pub(super) async fn present(tx: &mut Tx<'_>) -> anyhow::Result<Accounts> {
    let others = [
        ("responsable", &RESPONSABLES[0]),
        ("technicien", &TECHNICIENS[0].person),
        ("client", &CLIENTS[0].contact),
    ];
    let names = others.map(|(_, person)| person.username.to_owned());
    let present =
        sqlx::query_scalar!("select username from users where username = any($1)", &names);
    let present = present.fetch_all(&mut **tx).await?;
    let others = others.iter().filter(|(_, person)| present.iter().any(|n| n == person.username));
    Ok(Accounts {
        admin: account("admin", &ADMIN),
        others: others.map(|(role, person)| account(role, person)).collect(),
    })
}

fn account(role: &str, person: &Person) -> Account {
    Account {
        role: role.to_owned(),
        username: person.username.to_owned(),
        password: PASSWORD.to_owned(),
        email: person.email.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::everyone;

    #[test]
    fn the_password_would_be_accepted_from_everyone_who_has_it() {
        for person in everyone() {
            let known = [person.username, person.full_name, person.email];
            assert!(password().check_guessable(&known).is_ok(), "{person:?}");
        }
        assert!((8..=128).contains(&PASSWORD.len()));
    }
}
