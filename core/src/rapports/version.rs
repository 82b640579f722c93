//! Whether the data of a list have changed.
use super::TypeRapport;
use crate::{Result, Tx};

/// The tables whose rows a list shows.
fn tables(type_: TypeRapport) -> &'static [&'static str] {
    match type_ {
        TypeRapport::Interventions => {
            &["interventions", "equipements", "clients", "techniciens", "users"]
        }
        TypeRapport::Equipements => &["equipements"],
        TypeRapport::Techniciens => {
            &["techniciens", "technicien_competences", "competences", "users"]
        }
        TypeRapport::Clients => &["clients"],
        TypeRapport::Plannings => &["plannings"],
        TypeRapport::Documents => &["documents"],
        TypeRapport::Notifications => &["notifications"],
        TypeRapport::Historique => &["historique"],
        TypeRapport::Audit => &["audit"],
    }
}

/// A text that differs once the data of `type_` have: by the newest rows at once, and by what Postgres counts of its tables, which
/// tells of an edit within ten seconds.
pub(super) async fn of(tx: &mut Tx<'_>, type_: TypeRapport) -> Result<String> {
    let tables: Vec<_> = tables(type_).iter().map(|table| (*table).to_owned()).collect();
    let version = sqlx::query_scalar!(
        r#"
            select concat_ws('.',
                (select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables
                 where schemaname = current_schema() and relname = any($2)),
                case $1
                    when 'interventions' then (select max(id) from interventions)
                    when 'equipements' then (select max(id) from equipements)
                    when 'techniciens' then (select max(id) from techniciens)
                    when 'clients' then (select max(id) from clients)
                    when 'plannings' then (select max(id) from plannings)
                    when 'documents' then (select max(id) from documents)
                    when 'notifications' then (select max(id) from notifications)
                    when 'audit' then (select max(id) from audit)
                end,
                -- Each step of an intervention writes a line.
                case when $1 in ('interventions', 'historique') then (select max(id) from historique) end) as "version!"
        "#,
        type_.as_str(),
        &tables,
    );
    Ok(version.fetch_one(&mut **tx).await?)
}
