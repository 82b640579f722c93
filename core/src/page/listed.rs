//! Reads one page of a table, and counts the whole.
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, postgres::PgRow};

use super::{Page, cursor, cursor::Cursor};
use crate::Result;

/// One page of a list, and the size of the whole.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Rows of the whole, as far as they were counted.
    pub total: i64,
    /// Where the next page begins, if this one is full.
    pub next: Option<Cursor>,
    /// There are more than `total`: counting a million rows for each page would cost more than the page.
    pub and_more: bool,
}

/// Totals are counted up to this number.
pub const MOST_COUNTED: i64 = 10_000;
/// The same for a search: in a million rows, to count ten times as many takes 26 ms for a common word, and 160 ms for two words
/// that occur together, which Postgres expects to be rare.
pub(super) const MOST_FOUND: i64 = 1000;

impl<T> Listed<T> {
    /// A page of a list that is counted whole.
    #[must_use]
    pub fn whole(rows: Vec<T>, next: Option<Cursor>, total: i64) -> Self {
        Self { rows, total, next, and_more: false }
    }

    /// The same page with other rows.
    #[must_use]
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Listed<U> {
        let rows = self.rows.into_iter().map(row).collect();
        Listed { rows, total: self.total, next: self.next, and_more: self.and_more }
    }
}

/// The columns of a row, for statements that are put together at run time; derived ([`macro@super::Columns`]) from its fields.
pub trait Columns {
    /// Those of its own table: `id, nom`.
    const OWN: &'static str;
    /// Those of [`Self::OWN`] that may be null.
    const NULLABLE: &'static [&'static str];
    /// Those of tables that are joined, or nothing: `e.nom as equipement_nom`.
    const BESIDE: &'static str;
}

/// A page of `table`, of the rows that `push_where` asks for: it always appends a `where`.
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
    let field = column(page.order().0).unwrap_or("id");
    let mut rows = QueryBuilder::new("select page.*");
    // Of the rows of the page alone, and not of all that are sorted for it.
    rows.push(format!(", jsonb_build_array(page.{field}, page.id) as {}", cursor::PLACE));
    if !joins.is_empty() {
        rows.push(", ").push(T::BESIDE);
    }
    rows.push(" from (");
    let nullable = |field: &str| T::NULLABLE.contains(&field);
    page.push_rows(&mut rows, table, column, nullable, |query| {
        push_where(query.push("select ").push(T::OWN).push(" from ").push(table));
    });
    rows.push(") page ").push(joins);
    // A join does not keep the order. A plain name means a column of the result, and so of `page`.
    page.push_order(&mut rows, "page.id", page.sorted_by("id", column));
    let (rows, next) = page.fetch(pool, &mut rows).await?;

    let most = page.most_counted;
    if most == 0 {
        return Ok(Listed { rows, total: 0, next, and_more: true });
    }
    let mut total = QueryBuilder::new("select count(*) from (select from ");
    push_where(total.push(table));
    total.push(" limit ").push_bind(most + 1).push(") as counted");
    let counted: i64 = total.build_query_scalar().persistent(false).fetch_one(pool).await?;
    Ok(Listed { rows, total: counted.min(most), next, and_more: counted > most })
}
