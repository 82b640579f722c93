//! Lists: which part of them, in which order, and how many there are in all.
mod cursor;
mod listed;

pub use cursor::Cursor;
use cursor::Range;
pub use erp_derive::Columns;
use listed::MOST_FOUND;
pub use listed::{Columns, Listed, MOST_COUNTED};
pub(crate) use listed::{list, list_joined};
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
    /// Rows that are left out at the start; 0 if `after` is given.
    pub offset: i64,
    /// The place after which the page begins.
    pub after: Option<Cursor>,
    /// As sent: a field, `-` before it for descending. One of the fields that [`Page::read`] was given; none: the newest first.
    pub sort: Option<String>,
    /// The most rows of the whole list that are counted; 0: none is.
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
        Self { limit, offset: 0, after: None, sort: None, most_counted: MOST_COUNTED }
    }

    /// Reads `limit`, `offset`, `apres` and `sort`, one of `sortable`.
    pub fn read(fields: &mut Fields, sortable: &[&str]) -> Option<Self> {
        let limit: Option<Limit> = fields.or("limit", Whole(MOST_ROWS));
        let offset: Option<Offset> = fields.or("offset", Whole(0));
        let after = fields.optional::<Cursor>("apres");
        let sort = fields.optional::<String>("sort");
        fields.limit_to(sortable.iter().flat_map(|f| [(*f).to_owned(), format!("-{f}")]));
        if let Some(Some(sort)) = &sort
            && !sortable.contains(&sort.strip_prefix('-').unwrap_or(sort))
        {
            fields.fault("sort", crate::input::not_one_of(sortable));
            return None;
        }
        let page = Self {
            limit: limit?.0,
            offset: offset?.0,
            after: after?,
            sort: sort?,
            most_counted: MOST_COUNTED,
        };
        let fault = match &page.after {
            Some(after) if !after.is_of(page.sort()) => cursor::of_another_sort(),
            Some(_) if page.offset > 0 => cursor::beside_an_offset(),
            _ => return Some(page),
        };
        fields.fault("apres", fault);
        None
    }

    /// The order, as in a request: a field, `-` before it for descending.
    fn sort(&self) -> &str {
        self.sort.as_deref().unwrap_or("-id")
    }

    /// The field that the list is sorted by, and how SQL says the direction.
    fn order(&self) -> (&str, &'static str) {
        match self.sort().strip_prefix('-') {
            Some(field) => (field, " desc"),
            None => (self.sort(), ""),
        }
    }

    /// Counts fewer rows if there is a search `q`: each row that is counted is compared with its words.
    #[must_use]
    pub fn searching(self, q: Option<&String>) -> Self {
        let most_counted = if q.is_some() { MOST_FOUND } else { self.most_counted };
        Self { most_counted, ..self }
    }

    /// One more column of a statement that [`Page::push`] ends, with the same `key` and `column`: the place of each row in the order.
    #[must_use]
    pub fn place(
        &self,
        key: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
    ) -> String {
        let value = self.sorted_by(key, column).unwrap_or_else(|| key.to_owned());
        format!(", jsonb_build_array({value}, {key}) as {}", cursor::PLACE)
    }

    /// Appends ` and <after its place> order by <column>, <key> limit … offset …` to a statement that ends in its `where`. `column` maps
    /// the field of a row to its SQL, which is never text from outside: an unknown field sorts by `key`. The key makes the order
    /// total, so pages do not overlap. The fields are columns of `table`, too, which says their types.
    pub fn push(
        &self,
        query: &mut QueryBuilder<Postgres>,
        (table, key): (&'static str, &'static str),
        column: impl Fn(&str) -> Option<&'static str>,
    ) {
        let sorted_by = self.sorted_by(key, column);
        let sort = (self.order().0, sorted_by.as_deref().unwrap_or(key));
        if let Some(after) = &self.after {
            let ranges = after.ranges(sorted_by.as_ref().map(|_| true));
            for (n, range) in ranges.iter().enumerate() {
                query.push(if n == 0 { " and (" } else { " or " });
                after.push_range(query, *range, (table, key), sort);
            }
            query.push(")");
        }
        self.push_order(query, key, sorted_by);
        query.push(" limit ").push_bind(self.limit).push(" offset ").push_bind(self.offset);
    }

    /// Appends a statement for the rows of this page, by their `id`: of one range after another, if it begins at a place, so that each can
    /// begin in an index. `push_select` appends it up to its `where`.
    fn push_rows(
        &self,
        query: &mut QueryBuilder<Postgres>,
        table: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
        nullable: impl Fn(&str) -> bool,
        push_select: impl Fn(&mut QueryBuilder<Postgres>),
    ) {
        let (sorted_by, field) = (self.sorted_by("id", column), self.order().0);
        let sort = (field, sorted_by.as_deref().unwrap_or("id"));
        let push_range = |query: &mut QueryBuilder<Postgres>, range: Option<(&Cursor, Range)>| {
            push_select(query);
            if let Some((after, range)) = range {
                after.push_range(query.push(" and "), range, (table, "id"), sort);
            }
            self.push_order(query, "id", sorted_by.clone());
            query.push(" limit ").push_bind(self.limit).push(" offset ").push_bind(self.offset);
        };
        let Some(after) = &self.after else { return push_range(query, None) };
        let ranges = after.ranges(sorted_by.as_ref().map(|_| nullable(field)));
        if let [range] = ranges {
            return push_range(query, Some((after, *range)));
        }
        for (n, range) in ranges.iter().enumerate() {
            query.push(if n == 0 { "select * from ((" } else { " union all (" });
            push_range(query, Some((after, *range)));
            query.push(")");
        }
        query.push(") ranges");
        self.push_order(query, "id", sorted_by.clone());
        query.push(" limit ").push_bind(self.limit);
    }

    /// What rows are sorted by, if not by their `key` alone.
    fn sorted_by(
        &self,
        key: &'static str,
        column: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<String> {
        let field = self.order().0;
        let column = column(field).filter(|column| *column != key)?;
        let french = if FRENCH.contains(&field) { r#" collate "fr-x-icu""# } else { "" };
        Some(format!("{column}{french}"))
    }

    /// Appends the order alone.
    fn push_order(
        &self,
        query: &mut QueryBuilder<Postgres>,
        key: &'static str,
        sorted_by: Option<String>,
    ) {
        let direction = self.order().1;
        query.push(" order by ");
        if let Some(column) = sorted_by {
            query.push(column).push(direction).push(", ");
        }
        query.push(key).push(direction);
    }

    /// The rows of a statement that was made with [`Page::place`] and [`Page::push`], and where the next page begins if this one is
    /// full.
    pub async fn fetch<T>(
        &self,
        pool: &PgPool,
        query: &mut QueryBuilder<Postgres>,
    ) -> Result<(Vec<T>, Option<Cursor>)>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        // Planned anew each time: the best index depends on whether the values of the filter are rare or common, recent or old.
        let rows = query.build().persistent(false).fetch_all(pool).await;
        let rows = rows.map_err(|error| match &self.after {
            Some(_) => cursor::explained(error),
            None => error.into(),
        })?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == self.limit);
        let last = rows.last().filter(|_| is_full);
        let next = last.map(|last| Cursor::of(last, self)).transpose()?;
        Ok((rows.iter().map(T::from_row).collect::<sqlx::Result<_>>()?, next))
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
