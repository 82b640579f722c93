//! Lists: which part of them, in which order, and how many there are in all.
use sqlx::{Postgres, QueryBuilder};

use crate::input::{Fields, Input, Whole};

/// The part of a list that was asked for.
#[derive(Debug, Clone)]
pub struct Page {
    /// 1..=200
    pub limit: i64,
    pub offset: i64,
    /// As sent: a field, `-` before it for descending. One of the fields that [`Page::read`] was given.
    pub sort: Option<String>,
}

type Limit = Whole<1, 200>;
type Offset = Whole<0, { i64::MAX }>;

impl Page {
    /// Reads `limit`, `offset` and `sort`, one of `sortable`.
    pub fn read(fields: &mut Fields, sortable: &[&str]) -> Option<Self> {
        let limit: Option<Limit> = fields.or("limit", Whole(50));
        let offset: Option<Offset> = fields.or("offset", Whole(0));
        let sort = fields.optional::<String>("sort");
        fields.limit_to(sortable.iter().flat_map(|f| [(*f).to_owned(), format!("-{f}")]));
        if let Some(Some(sort)) = &sort
            && !sortable.contains(&sort.strip_prefix('-').unwrap_or(sort))
        {
            fields.fault("sort", crate::input::not_one_of(sortable));
            return None;
        }
        Some(Self { limit: limit?.0, offset: offset?.0, sort: sort? })
    }

    /// Appends ` order by <column>, <key> limit … offset …`. `column` maps the field of a row to its SQL, which is
    /// never text from outside: an unknown field sorts by `key`. The key makes the order total, so pages do not overlap.
    pub fn push(
        &self,
        query: &mut QueryBuilder<Postgres>,
        key: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
    ) {
        let sort = self.sort.as_deref().unwrap_or("id");
        let (field, direction) = match sort.strip_prefix('-') {
            Some(field) => (field, " desc"),
            None => (sort, ""),
        };
        query.push(" order by ");
        if let Some(column) = column(field).filter(|column| *column != key) {
            query.push(column).push(direction).push(", ");
        }
        query.push(key).push(direction);
        query.push(" limit ").push_bind(self.limit).push(" offset ").push_bind(self.offset);
    }
}

/// One page of a list, and the size of the whole.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    pub total: i64,
}

/// A list without filters of its own.
#[derive(Debug, Clone)]
pub struct Plain(pub Page);

impl Input for Plain {
    fn read(fields: &mut Fields) -> Option<Self> {
        Page::read(fields, &["id"]).map(Self)
    }
}

/// The `ilike` pattern of texts that contain `q`, taken literally.
#[must_use]
pub fn contains_pattern(q: &str) -> String {
    let escaped = q.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_its_text_literally() {
        assert_eq!(contains_pattern(" 50%_a\\b "), "%50\\%\\_a\\\\b%");
    }
}
