//! A place in a list, after which a page begins. Unlike an offset, it stays behind the same row when rows are added or removed before
//! it, and where an index has the order of the list, a page far from the start costs no more than the first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::Page;
use crate::{
    Error,
    input::{Fault, Field, Wrong},
};

/// The place of one row in the order of a list, as `Link` gives it to a client: base64 of the sort, of what the row has there, and of
/// its id. It says nothing that the row did not, so it is neither secret nor signed: one that was made up is a place like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    sort: String,
    value: Value,
    id: Value,
}

/// The column with the place of a row.
pub(super) const PLACE: &str = "place";
/// The most characters of a cursor: a text of 200 characters has at most 1 200 bytes as JSON.
const MOST_CHARACTERS: usize = 2_000;

impl Cursor {
    /// The place of `row`, the last of `page`, by the column that [`Page::place`] has selected.
    pub(super) fn of(row: &PgRow, page: &Page) -> sqlx::Result<Self> {
        let Json((value, id)) = row.try_get(PLACE)?;
        Ok(Self { sort: page.sort().to_owned(), value, id })
    }

    /// The parameter `apres` of the next page; `None` where it would be too long.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text = URL_SAFE_NO_PAD.encode(json!([self.sort, self.value, self.id]).to_string());
        (text.len() <= MOST_CHARACTERS).then_some(text)
    }

    /// Whether it is a place in a list that is sorted so.
    pub(super) fn is_of(&self, sort: &str) -> bool {
        self.sort == sort
    }

    /// The ranges of rows after this place, in their order: an index can begin at each of them, but not at two at once. A null is last,
    /// or first when the order descends. `nullable`: whether what the list is sorted by may be null; `None` if by the key alone.
    pub(super) fn ranges(&self, nullable: Option<bool>) -> &'static [Range] {
        let descends = self.sort.starts_with('-');
        match nullable {
            None => &[Range::Keys],
            Some(_) if self.value.is_null() && descends => &[Range::NullsBeyond, Range::NotNull],
            Some(_) if self.value.is_null() => &[Range::NullsBeyond],
            Some(true) if !descends => &[Range::Beyond, Range::Nulls],
            Some(_) => &[Range::Beyond],
        }
    }

    /// Appends the condition that a row of `table` is in `range` of this place. `sorted_by`: the field, and what SQL sorts by for it, if
    /// not by the `key` alone.
    pub(super) fn push_range(
        &self,
        query: &mut QueryBuilder<Postgres>,
        range: Range,
        (table, key): (&'static str, &'static str),
        (field, column): (&str, &str),
    ) {
        let beyond = if self.sort.starts_with('-') { " < " } else { " > " };
        // Postgres gives the values the types of the columns. Each is a statement of its own, which runs once and not for each row.
        let push_value = |query: &mut QueryBuilder<Postgres>, field: &str, value: &Value| {
            let record: Map<_, _> = [(field.to_owned(), value.clone())].into_iter().collect();
            query.push("(select (jsonb_populate_record(null::").push(table).push(", ");
            query.push_bind(Json(record)).push(")).").push(field).push(")");
        };
        match range {
            Range::Keys => push_value(query.push(key).push(beyond), "id", &self.id),
            Range::Beyond => {
                query.push("(").push(column).push(", ").push(key).push(")").push(beyond).push("(");
                push_value(query, field, &self.value);
                push_value(query.push(", "), "id", &self.id);
                query.push(")");
            }
            Range::Nulls => {
                query.push(column).push(" is null");
            }
            Range::NotNull => {
                query.push(column).push(" is not null");
            }
            Range::NullsBeyond => {
                query.push(column).push(" is null and ");
                push_value(query.push(key).push(beyond), "id", &self.id);
            }
        }
    }
}

/// A part of the rows after a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// Those with a key beyond its own, of a list that is sorted by that alone.
    Keys,
    /// Those with a value beyond its own, or the same one and a key beyond its own.
    Beyond,
    /// Those without a value, with a key beyond its own.
    NullsBeyond,
    /// All without a value.
    Nulls,
    /// All with a value.
    NotNull,
}

impl Field for Cursor {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let text = String::read(value)?;
        let bytes = Some(text).filter(|text| text.len() <= MOST_CHARACTERS);
        let bytes = bytes.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        match bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            Some((sort, value, id)) => Ok(Self { sort, value, id }),
            None => Err(unreadable()),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS, "pattern": "^[A-Za-z0-9_-]+$" })
    }
}

/// What is wrong with a cursor that no page gave.
fn unreadable() -> Wrong {
    Wrong::new(
        "curseur",
        "Ce curseur n'est pas lisible : reprenez la liste à sa première page.",
        "This cursor cannot be read: start again at the first page of the list.",
    )
}

/// What is wrong with a cursor of the same list in another order.
pub(super) fn of_another_sort() -> Wrong {
    Wrong::new(
        "curseur",
        "Ce curseur est d'un autre tri : reprenez la liste à sa première page.",
        "This cursor is of another sort: start again at the first page of the list.",
    )
}

/// What is wrong with two places to begin at.
pub(super) fn beside_an_offset() -> Wrong {
    Wrong::new(
        "curseur",
        "« apres » et « offset » ne vont pas ensemble : gardez l'un des deux.",
        "\"apres\" and \"offset\" exclude each other: keep one of them.",
    )
}

/// The error of the statement of a page that begins at a cursor: a value that is none of the column's type was made up.
pub(super) fn explained(error: sqlx::Error) -> Error {
    // Class 22 of Postgres: data exceptions.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code.starts_with("22")) {
        let Wrong { kind, msg } = unreadable();
        return Error::Invalid(vec![Fault {
            loc: vec!["query".into(), "apres".into()],
            msg,
            kind,
        }]);
    }
    error.into()
}
