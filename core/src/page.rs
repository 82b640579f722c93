//! Lists: which part of them, in which order, and how many there are in all.
pub use erp_derive::Columns;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, postgres::PgRow};

use crate::{
    Result,
    input::{Fields, Whole},
};

/// The part of a list that was asked for.
#[derive(Debug, Clone)]
pub struct Page {
    /// 1..=1000
    pub limit: i64,
    pub offset: i64,
    /// As sent: a field, `-` before it for descending. One of the fields that [`Page::read`] was given; none: the newest first.
    pub sort: Option<String>,
    /// The most rows of the whole list that are counted.
    pub most_counted: i64,
}

/// The most rows of a page, and the default of `limit`: the frontend filters in the browser.
const MOST_ROWS: i64 = 1000;
type Limit = Whole<1, MOST_ROWS>;
type Offset = Whole<0, { i64::MAX }>;

impl Page {
    /// The newest `limit` rows.
    #[must_use]
    pub const fn newest(limit: i64) -> Self {
        Self { limit, offset: 0, sort: None, most_counted: MOST_COUNTED }
    }

    /// Reads `limit`, `offset` and `sort`, one of `sortable`.
    pub fn read(fields: &mut Fields, sortable: &[&str]) -> Option<Self> {
        let limit: Option<Limit> = fields.or("limit", Whole(MOST_ROWS));
        let offset: Option<Offset> = fields.or("offset", Whole(0));
        let sort = fields.optional::<String>("sort");
        fields.limit_to(sortable.iter().flat_map(|f| [(*f).to_owned(), format!("-{f}")]));
        if let Some(Some(sort)) = &sort
            && !sortable.contains(&sort.strip_prefix('-').unwrap_or(sort))
        {
            fields.fault("sort", crate::input::not_one_of(sortable));
            return None;
        }
        Some(Self { limit: limit?.0, offset: offset?.0, sort: sort?, most_counted: MOST_COUNTED })
    }

    /// Counts fewer rows if there is a search `q`: each row that is counted is compared with its words.
    #[must_use]
    pub fn searching(self, q: Option<&String>) -> Self {
        let most_counted = if q.is_some() { MOST_FOUND } else { self.most_counted };
        Self { most_counted, ..self }
    }

    /// Appends ` order by <column>, <key> limit … offset …`. `column` maps the field of a row to its SQL, which is
    /// never text from outside: an unknown field sorts by `key`. The key makes the order total, so pages do not overlap.
    pub fn push(
        &self,
        query: &mut QueryBuilder<Postgres>,
        key: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
    ) {
        self.push_order(query, key, column);
        query.push(" limit ").push_bind(self.limit).push(" offset ").push_bind(self.offset);
    }

    /// Appends the order alone.
    fn push_order(
        &self,
        query: &mut QueryBuilder<Postgres>,
        key: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
    ) {
        let sort = self.sort.as_deref().unwrap_or("-id");
        let (field, direction) = match sort.strip_prefix('-') {
            Some(field) => (field, " desc"),
            None => (sort, ""),
        };
        query.push(" order by ");
        if let Some(column) = column(field).filter(|column| *column != key) {
            query.push(column);
            if FRENCH.contains(&field) {
                query.push(r#" collate "fr-x-icu""#);
            }
            query.push(direction).push(", ");
        }
        query.push(key).push(direction);
    }
}

/// Fields that people read and look up: they sort as French does (Écluse before Fuite), whatever the locale of the cluster.
const FRENCH: &[&str] = &[
    "titre",
    "nom",
    "nom_entreprise",
    "full_name",
    "equipe",
    "localisation",
    "marque",
    "modele",
    "ville",
    "filename",
];

/// The most words of a search; further ones are ignored.
const MOST_WORDS: usize = 10;

/// Appends the condition that every word of `q` is in `texte`, which is SQL for the result of `recherche()` on a text: in any
/// order, in any case, with or without accents, taken literally. Words of one or two letters match only where words begin.
pub(crate) fn push_search(query: &mut QueryBuilder<Postgres>, texte: &'static str, q: &str) {
    for word in q.split_whitespace().take(MOST_WORDS) {
        query.push(" and ").push(texte).push(" like motif(").push_bind(word.to_owned()).push(")");
    }
}

/// One page of a list, and the size of the whole.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Rows of the whole, as far as they were counted.
    pub total: i64,
    /// There are more than `total`: counting a million rows for each page would cost more than the page.
    pub and_more: bool,
}

/// Totals are counted up to this number.
pub const MOST_COUNTED: i64 = 10_000;
/// The same for a search: in a million rows, to count ten times as many takes 26 ms for a common word, and 160 ms for two words
/// that occur together, which Postgres expects to be rare.
const MOST_FOUND: i64 = 1000;

impl<T> Listed<T> {
    /// A page of a list that is counted whole.
    #[must_use]
    pub fn whole(rows: Vec<T>, total: i64) -> Self {
        Self { rows, total, and_more: false }
    }

    /// The same page with other rows.
    #[must_use]
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Listed<U> {
        let rows = self.rows.into_iter().map(row).collect();
        Listed { rows, total: self.total, and_more: self.and_more }
    }
}

/// The columns of a row, for statements that are put together at run time; derived ([`macro@Columns`]) from its fields.
pub trait Columns {
    /// Those of its own table: `id, nom`.
    const OWN: &'static str;
    /// Those of tables that are joined, or nothing: `e.nom as equipement_nom`.
    const BESIDE: &'static str;
}

/// A page of `table`, of the rows that `push_where` asks for.
pub(crate) async fn list<T>(
    pool: &PgPool,
    table: &'static str,
    sortable: &'static [&'static str],
    page: &Page,
    push_where: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Listed<T>>
where
    T: Columns + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    list_joined(pool, table, "", sortable, page, push_where).await
}

/// The same, with columns of other tables: `joins` joins them to the rows of `page`, at most one row to each. The page is found
/// first, in `table` alone and by its indexes, and only its rows are joined: the cost depends on the page and not on the table.
pub(crate) async fn list_joined<T>(
    pool: &PgPool,
    table: &'static str,
    joins: &'static str,
    sortable: &'static [&'static str],
    page: &Page,
    push_where: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Listed<T>>
where
    T: Columns + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    assert!(
        joins.is_empty() == T::BESIDE.is_empty(),
        "{table}: joins and columns beside come together"
    );
    let column = |field: &str| sortable.iter().copied().find(|known| *known == field);
    let mut rows = QueryBuilder::new("");
    if !joins.is_empty() {
        rows.push("select page.*, ").push(T::BESIDE).push(" from (");
    }
    push_where(rows.push("select ").push(T::OWN).push(" from ").push(table));
    page.push(&mut rows, "id", column);
    if !joins.is_empty() {
        rows.push(") page ").push(joins);
        // A join does not keep the order. A plain name means a column of the result, and so of `page`.
        page.push_order(&mut rows, "page.id", |field| column(field).filter(|name| *name != "id"));
    }
    // Planned anew each time: the best index depends on whether the values of the filter are rare or common, recent or old.
    let rows = rows.build_query_as().persistent(false).fetch_all(pool).await?;

    let mut total = QueryBuilder::new("select count(*) from (select from ");
    push_where(total.push(table));
    let most = page.most_counted;
    total.push(" limit ").push_bind(most + 1).push(") as counted");
    let counted: i64 = total.build_query_scalar().persistent(false).fetch_one(pool).await?;
    Ok(Listed { rows, total: counted.min(most), and_more: counted > most })
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
