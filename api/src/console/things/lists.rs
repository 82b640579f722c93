//! What the pages of things list: jobs, mails, documents and interventions.
use erp_core::{
    documents::Document,
    interventions::Intervention,
    notifications::outgoing_mails::EnvoiOut,
    operate::{JobOut, about},
};
use maud::{Markup, html};

use super::words;
use crate::console::{
    jobs, mails,
    viewer::Viewer,
    words::{count, impersonal, room, short, time},
};

/// Jobs; those that ended are known for a week.
pub fn jobs(viewer: &Viewer, jobs: &[JobOut]) -> Markup {
    let nothing =
        viewer.say("Aucune tâche des sept derniers jours.", "No job of the last seven days.");
    html! {
        h2 #taches { (viewer.say("Tâches", "Jobs")) }
        @if jobs.is_empty() { p.vide { (nothing) } } @else {
            (jobs::list::shown(viewer, jobs))
            p.note { (viewer.say("Celles qui sont terminées restent sept jours dans cette liste.", "Those that have ended stay in this list for seven days.")) }
        }
    }
}

/// Mails.
pub fn mails(viewer: &Viewer, envois: &[EnvoiOut]) -> Markup {
    html! {
        h2 #emails { (viewer.say("E-mails", "Mails")) }
        @if envois.is_empty() { p.vide { (viewer.say("Aucun e-mail n’en parle.", "No mail tells of it.")) } } @else {
            (mails::shown(viewer, envois))
            (and_more(viewer, envois.len()))
        }
    }
}

/// Documents.
pub fn documents(viewer: &Viewer, documents: &[Document]) -> Markup {
    html! {
        h2 #documents { (viewer.say("Documents", "Documents")) }
        @if documents.is_empty() { p.vide { (viewer.say("Aucun document.", "No document.")) } } @else {
            div.large tabindex="0" role="region" aria-labelledby="documents" {
                table {
                    thead { tr {
                        @for (fr, en) in [("Document", "Document"), ("État", "State"), ("Déposé", "Uploaded")] { th scope="col" { (viewer.say(fr, en)) } }
                        th.nombre scope="col" { (viewer.say("Taille", "Size")) }
                        th scope="col" { (viewer.say("Erreur", "Error")) }
                    } }
                    tbody { @for document in documents { tr {
                        th scope="row" { a href={ "/console/objets/document/" (document.id) } { (document.filename) } }
                        td { (words::document(viewer.langue, document.status)) }
                        td { (time(Some(document.date_upload))) }
                        td.nombre { (room(viewer.langue, document.size_bytes)) }
                        td.libre { @if let Some(error) = &document.error { span.erreur { (short(&impersonal(viewer, error), 160)) } } }
                    } } }
                }
            }
            (and_more(viewer, documents.len()))
        }
    }
}

/// Interventions.
pub fn interventions(viewer: &Viewer, interventions: &[Intervention]) -> Markup {
    html! {
        h2 #visites { (viewer.say("Visites", "Visits")) }
        @if interventions.is_empty() { p.vide { (viewer.say("Aucune visite n’est encore ouverte.", "No visit is open yet.")) } } @else {
            div.large tabindex="0" role="region" aria-labelledby="visites" {
                table {
                    thead { tr { @for (fr, en) in [("Visite", "Visit"), ("État", "State"), ("Ouverte", "Opened"), ("Pour le", "Due")] { th scope="col" { (viewer.say(fr, en)) } } } }
                    tbody { @for one in interventions { tr {
                        th scope="row" { a href={ "/console/objets/intervention/" (one.id) } { (one.id) " " (short(&one.titre, 80)) } }
                        td { (words::intervention(viewer.langue, one.statut)) }
                        td { (time(Some(one.date_creation))) }
                        td { (time(one.date_limite)) }
                    } } }
                }
            }
            (and_more(viewer, interventions.len()))
        }
    }
}

/// That there may be more than are shown.
fn and_more(viewer: &Viewer, shown: usize) -> Markup {
    let most = i64::try_from(shown).unwrap_or(i64::MAX);
    html! {
        @if most >= about::MOST {
            p.note { (viewer.say("Les plus récents\u{a0}: ", "The latest: ")) (count(most)) }
        }
    }
}
