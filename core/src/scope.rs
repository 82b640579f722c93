//! Which rows a user may see, and which they may change.
use sqlx::{Postgres, QueryBuilder};

/// Which rows a reader sees, of those that belong to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Those of this client.
    Client(i64),
    /// None: a user with the role client who belongs to no client.
    Nothing,
}

impl Scope {
    /// The value for a statement: null for all, and for nothing an id that no row has (they begin at 1).
    #[must_use]
    pub fn client_id(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Client(id) => Some(id),
            Self::Nothing => Some(0),
        }
    }

    /// Whether the reader is not staff.
    #[must_use]
    pub fn is_outside(self) -> bool {
        self != Self::All
    }

    /// Appends ` and <condition>` for a reader who does not see all; in `condition` a `?` is the id of the client.
    pub(crate) fn push(self, query: &mut QueryBuilder<Postgres>, condition: &'static str) {
        let Some(client_id) = self.client_id() else { return };
        let (before, after) = condition.split_once('?').unwrap_or((condition, ""));
        query.push(" and ").push(before).push_bind(client_id).push(after);
    }
}

/// Which things a user may change, of those that users add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    All,
    /// Those that this user added.
    Own(i64),
}

impl Reach {
    /// Whether it covers what `owner` added; what has no owner is covered by [`Reach::All`] only.
    #[must_use]
    pub fn covers(self, owner: Option<i64>) -> bool {
        match self {
            Self::All => true,
            Self::Own(id) => owner == Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_everything() {
        let mut query = QueryBuilder::new("select true where true");
        Scope::All.push(&mut query, "client_id = ?");
        assert_eq!(query.sql(), "select true where true");
        Scope::Nothing.push(&mut query, "id in (select id from x where client_id = ?)");
        assert_eq!(
            query.sql(),
            "select true where true and id in (select id from x where client_id = $1)"
        );
        assert_eq!(Scope::Nothing.client_id(), Some(0));
    }

    #[test]
    fn what_nobody_brought_is_nobodys_own() {
        assert!(Reach::All.covers(None) && Reach::Own(7).covers(Some(7)));
        assert!(!Reach::Own(7).covers(None) && !Reach::Own(7).covers(Some(8)));
    }
}
