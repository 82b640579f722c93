//! The system: what the doctor says, versions, settings, and the room that tables and files take.
use axum::{Extension, extract::State, response::Response};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx, migrate,
    operate::{
        self, FileSizes, TableSize,
        programs::{self, ProgramOut},
    },
};
use maud::{Markup, html};

use super::{
    checks::{self, Checks},
    page::Page,
    viewer::Viewer,
    words::{ago, count, mebibytes, time},
};
use crate::ApiError;

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    Extension(checks): Extension<Checks>,
    viewer: Viewer,
) -> Result<Response, ApiError> {
    let seen = checks.look(&ctx).await;
    let now = ctx.clock.now();
    let postgres = operate::postgres(&ctx.pool).await?;
    let migrations = migrate::migrations(&ctx.pool).await?;
    let last = migrations.iter().rev().find(|one| one.state == migrate::MigrationState::Applied);
    let pending =
        migrations.iter().filter(|one| one.state == migrate::MigrationState::Pending).count();
    let tables = operate::tables(&ctx.pool).await?;
    let files = operate::files(&ctx.pool).await?;
    let programs = programs::programs(&ctx.pool).await?;
    let content = html! {
        (checks::show(&viewer, &seen, now))
        dl.faits {
            dt { (viewer.say("API", "API")) } dd { (env!("CARGO_PKG_VERSION")) }
            dt { "PostgreSQL" } dd { (postgres) }
            dt { (viewer.say("Schéma", "Schema")) }
            dd {
                @if let Some(last) = last { code { (last.version) } " " (last.description) }
                @if pending > 0 { " " span.etat.alerte { (pending) (viewer.say(" à appliquer\u{a0}: erp-api migrate", " to apply: erp-api migrate")) } }
            }
            dt { (viewer.say("Connexions de cette API", "Connections of this API")) }
            dd { (ctx.pool.size()) " / " (ctx.config.database.max_connections) }
        }
        h2 { (viewer.say("Programmes", "Programs")) }
        (replicas(&viewer, &programs, now))
        h2 { (viewer.say("Tables", "Tables")) }
        (sizes(&viewer, &tables))
        h2 { (viewer.say("Fichiers", "Files")) }
        (file_sizes(&viewer, &files))
        @if viewer.acts {
            h2 { (viewer.say("Réglages", "Settings")) }
            p { (viewer.say("De cette API\u{a0}; les secrets restent masqués.", "Of this API; secrets stay hidden.")) }
            pre tabindex="0" { (ctx.config.sources) }
        }
    };
    let titre = viewer.say("Système", "System");
    Ok(Page { viewer: &viewer, at: "/console/systeme", titre, is_live: true }.show(&content))
}

/// The replicas of the API and of the worker.
fn replicas(viewer: &Viewer, programs: &[ProgramOut], now: DateTime<Utc>) -> Markup {
    html! {
        div.large tabindex="0" role="region" aria-label=(viewer.say("Programmes", "Programs")) {
            table {
                thead { tr {
                    @for (fr, en) in [("Programme", "Program"), ("Instance", "Instance"), ("Version", "Version"), ("Démarré", "Started"), ("Vu", "Seen")] {
                        th scope="col" { (viewer.say(fr, en)) }
                    }
                    th.nombre scope="col" { (viewer.say("Mémoire", "Memory")) }
                } }
                tbody { @for program in programs { tr {
                    th scope="row" { code { (program.programme) } }
                    td { code { (program.instance) } }
                    td { (program.version) }
                    td { (time(Some(program.demarre_le))) }
                    td {
                        @if now - program.vu_le > programs::SILENT { span.etat.cancelled { (viewer.say("arrêté, ", "stopped, ")) (ago(viewer.langue, program.vu_le, now)) } }
                        @else { (ago(viewer.langue, program.vu_le, now)) }
                    }
                    td.nombre { (program.memoire_octets.map_or_else(|| "–".to_owned(), |bytes| mebibytes(viewer.langue, bytes))) }
                } } }
            }
        }
    }
}

fn sizes(viewer: &Viewer, tables: &[TableSize]) -> Markup {
    html! {
        div.large tabindex="0" role="region" aria-label=(viewer.say("Tables", "Tables")) {
            table {
                thead { tr {
                    th scope="col" { (viewer.say("Table", "Table")) }
                    th.nombre scope="col" { (viewer.say("Lignes, environ", "Rows, about")) }
                    th.nombre scope="col" { (viewer.say("Taille", "Size")) }
                } }
                tbody { @for table in tables { tr {
                    th scope="row" { code { (table.name) } }
                    td.nombre { (count(table.rows)) }
                    td.nombre { (mebibytes(viewer.langue, table.bytes)) }
                } } }
            }
        }
    }
}

fn file_sizes(viewer: &Viewer, files: &FileSizes) -> Markup {
    html! {
        dl.faits {
            dt { (viewer.say("Documents", "Documents")) }
            dd { (count(files.documents)) ", " (mebibytes(viewer.langue, files.bytes)) }
            dt { (viewer.say("Avec aperçu et vignette", "With a preview and a thumbnail")) }
            dd { (count(files.with_previews)) (viewer.say(", dont la base ne sait pas la taille", ", whose size the database does not know")) }
        }
        @if files.is_estimate {
            p.note { (viewer.say("Estimé sur un centième des documents.", "Estimated from a hundredth of the documents.")) }
        }
    }
}
