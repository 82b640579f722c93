//! Mails: what waits, what left when, what is in doubt; and each as it left.
use axum::{
    extract::State,
    http::header,
    response::{Html, IntoResponse as _, Response},
};
use erp_core::{
    Ctx, Error, Noun,
    notifications::outgoing_mails::{self, EnvoiFilter, EnvoiOut, Looked, StatutEnvoi},
    operate::about,
};
use mailparse::{MailHeaderMap as _, ParsedMail};
use maud::{Markup, html};

use super::{
    back_to,
    form::{Filled, Pairs},
    page::{Page, button},
    table, things,
    viewer::Viewer,
    words::{impersonal, short, time, without_secrets},
};
use crate::{
    ApiError,
    extract::{Auteur, RowId},
    routes::admin::emails::resent,
};

const HERE: &str = "/console/emails";

/// A mail in a frame is a document without an origin: it runs no script and loads nothing, not even its own style from elsewhere.
const FRAMED: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// The list.
pub async fn list(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Filled { fields: filter, pairs }: Filled<EnvoiFilter>,
) -> Result<Response, ApiError> {
    let mails = outgoing_mails::list(&ctx.pool, &filter).await?;
    let content = html! {
        (done(&viewer, &pairs))
        @if mails.rows.is_empty() {
            (table::nothing(&viewer, "Aucun e-mail ne correspond à ce filtre.", "No mail matches this filter."))
        } @else {
            (shown(&viewer, &mails.rows))
        }
        (table::foot(&viewer, HERE, &pairs, &filter.page, &mails))
    };
    let titre = viewer.say("E-mails", "Mails");
    let page = Page { viewer: &viewer, at: HERE, titre, is_live: true };
    Ok(page.show_with(&filter_form(&viewer, &filter), &content))
}

/// Mails, one a row.
pub fn shown(viewer: &Viewer, mails: &[EnvoiOut]) -> Markup {
    html! {
        div.large tabindex="0" role="region" aria-label=(viewer.say("E-mails", "Mails")) {
            table {
                thead { tr {
                    @for (fr, en) in [("E-mail", "Mail"), ("État", "State"), ("Destinataire", "Recipient"), ("Part le", "Due"), ("Parti le", "Left"), ("Transmissions", "Transmissions"), ("Erreur", "Error")] {
                        th scope="col" { (viewer.say(fr, en)) }
                    }
                } }
                tbody { @for mail in mails { (row(viewer, mail)) } }
            }
        }
    }
}

fn done(viewer: &Viewer, pairs: &Pairs) -> Markup {
    html! {
        @if pairs.get("fait") == Some("renvoyer") {
            p.fait role="status" { (viewer.say("L’e-mail est de nouveau en file.", "The mail waits again.")) }
        }
    }
}

fn filter_form(viewer: &Viewer, filter: &EnvoiFilter) -> Markup {
    html! {
        form.filtre method="get" action=(HERE) role="search" {
            label { (viewer.say("État", "State"))
                select name="statut" {
                    option value="" { (viewer.say("tous", "any")) }
                    @for one in StatutEnvoi::TEXTS.iter().filter_map(|text| StatutEnvoi::from_text(text)) {
                        option value=(one.as_str()) selected[filter.statut == Some(one)] { (state_name(viewer, one)) }
                    }
                }
            }
            label { (viewer.say("Lecteur (numéro)", "Recipient (number)"))
                input name="user_id" inputmode="numeric" value=(filter.user_id.map(|id| id.to_string()).unwrap_or_default());
            }
            button { (viewer.say("Filtrer", "Filter")) }
            a href=(HERE) { (viewer.say("Tout", "All")) }
        }
    }
}

fn state_name(viewer: &Viewer, statut: StatutEnvoi) -> &'static str {
    match statut {
        StatutEnvoi::EnFile => viewer.say("en file", "waits"),
        StatutEnvoi::EnTransmission => viewer.say("en transmission", "under way"),
        StatutEnvoi::Envoyee => viewer.say("envoyé", "sent"),
        StatutEnvoi::Echouee => viewer.say("échoué", "failed"),
        StatutEnvoi::Incertaine => viewer.say("incertain", "in doubt"),
        StatutEnvoi::Annulee => viewer.say("annulé", "cancelled"),
    }
}

fn state(viewer: &Viewer, statut: StatutEnvoi) -> Markup {
    let colour = match statut {
        StatutEnvoi::Envoyee => "done",
        StatutEnvoi::Echouee | StatutEnvoi::Incertaine => "dead",
        StatutEnvoi::EnTransmission => "running",
        StatutEnvoi::EnFile => "ready",
        StatutEnvoi::Annulee => "cancelled",
    };
    html! { span class={ "etat " (colour) } { (state_name(viewer, statut)) } }
}

fn row(viewer: &Viewer, mail: &EnvoiOut) -> Markup {
    html! {
        tr {
            th scope="row" { @if viewer.acts { a href={ (HERE) "/" (mail.id) } { (mail.id) } } @else { (mail.id) } }
            td { (state(viewer, mail.statut)) }
            td {
                a href={ (HERE) "?user_id=" (mail.user_id) } { (viewer.say("utilisateur ", "user ")) (mail.user_id) }
                @if let Some(address) = mail.destinataire.as_ref().filter(|_| viewer.acts) { div.note { (address) } }
            }
            td { (time(Some(mail.part_le))) }
            td { (time(mail.parti_le)) }
            td.nombre { (mail.transmissions) }
            td.libre { @if let Some(error) = &mail.derniere_erreur { code.erreur { (short(&impersonal(viewer, error), 160)) } } }
        }
    }
}

/// One mail, as it left.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let Looked { envoi, bytes, is_personal } = outgoing_mails::look(&ctx.pool, id).await?;
    let about = about::of_mail(&ctx.pool, id).await?;
    let jobs = about::jobs(&ctx.pool, &[], &[id]).await?;
    let parsed = bytes.as_deref().and_then(|bytes| mailparse::parse_mail(bytes).ok());
    let resendable = matches!(envoi.statut, StatutEnvoi::Incertaine | StatutEnvoi::Echouee);
    let content = html! {
        p { (state(&viewer, envoi.statut)) }
        @if resendable {
            @if envoi.statut == StatutEnvoi::Incertaine {
                p { (viewer.say(
                    "Le serveur a peut-être accepté cet e-mail. Cherchez le Message-ID dans son journal\u{a0}: renvoyé, il porte le même, et la plupart des messageries écartent le double.",
                    "The mail server may have accepted this mail. Look for the Message-ID in its log: sent again it has the same, and most mail programs drop the double.",
                )) }
            }
            (button(&viewer, &format!("{HERE}/{id}/renvoyer"), viewer.say("Renvoyer", "Send again"), ""))
        }
        dl.faits {
            dt { (viewer.say("Destinataire", "Recipient")) } dd { (envoi.destinataire.as_deref().unwrap_or("–")) }
            dt { "Message-ID" } dd { code { (envoi.message_id.as_deref().unwrap_or("–")) } }
            dt { (viewer.say("Part le", "Due")) } dd { (time(Some(envoi.part_le))) }
            dt { (viewer.say("Transmis le", "Transmitted")) } dd { (time(envoi.transmis_le)) " (" (envoi.transmissions) ")" }
            dt { (viewer.say("Parti le", "Left")) } dd { (time(envoi.parti_le)) }
            @if !about.is_empty() { dt { (viewer.say("Concerne", "About")) } dd { (things::links(&viewer, &about)) } }
            @if let Some(error) = &envoi.derniere_erreur { dt { (viewer.say("Erreur", "Error")) } dd { code.erreur { (impersonal(&viewer, error)) } } }
        }
        @if is_personal {
            p.vide { (viewer.say(
                "Cet e-mail concerne le compte de son lecteur\u{a0}: il peut contenir un lien qui ouvre ce compte, et ne se lit pas ici.",
                "This mail is about the account of its reader: it may have a link that opens the account, and is not read here.",
            )) }
        } @else if let Some(mail) = &parsed { (preview(&viewer, id, mail)) } @else {
            p.vide { (viewer.say(
                "Son contenu se fige quand il part, et s’efface après sa durée de conservation.",
                "Its content is fixed when it leaves, and removed after its retention time.",
            )) }
        }
        (things::lists::jobs(&viewer, &jobs))
    };
    let titre = viewer.say(format!("E-mail {id}"), format!("Mail {id}"));
    Ok(Page { viewer: &viewer, at: HERE, titre: &titre, is_live: false }.show(&content))
}

fn preview(viewer: &Viewer, id: i64, mail: &ParsedMail<'_>) -> Markup {
    let subject = mail.headers.get_first_value("Subject").unwrap_or_default();
    html! {
        h2 { (subject) }
        iframe.mail title=(viewer.say("L’e-mail tel qu’il est parti", "The mail as it left")) sandbox src={ (HERE) "/" (id) "/html" } {}
        details { summary { (viewer.say("Texte", "Text")) } pre { (without_secrets(&part(mail, "text/plain").unwrap_or_default())) } }
        details {
            summary { (viewer.say("En-têtes", "Headers")) }
            pre { @for header in &mail.headers { (header.get_key()) ": " (without_secrets(&header.get_value())) "\n" } }
        }
    }
}

/// The first part of `mail` of this type.
fn part(mail: &ParsedMail<'_>, kind: &str) -> Option<String> {
    mail.parts().find(|part| part.ctype.mimetype == kind).and_then(|part| part.get_body().ok())
}

/// The HTML of a mail, for the frame.
pub async fn framed(
    State(ctx): State<Ctx>,
    _: Viewer,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let bytes = outgoing_mails::look(&ctx.pool, id).await?.bytes;
    let bytes = bytes.ok_or(Error::NotFound(Noun::ENVOI))?;
    let mail = mailparse::parse_mail(&bytes).map_err(|_| Error::NotFound(Noun::ENVOI))?;
    let html = part(&mail, "text/html").ok_or(Error::NotFound(Noun::ENVOI))?;
    let headers =
        [(header::CONTENT_SECURITY_POLICY, FRAMED), (header::REFERRER_POLICY, "no-referrer")];
    Ok((headers, Html(without_secrets(&html))).into_response())
}

/// Sends a mail again.
pub async fn resend(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    resent(&ctx, &mut tx, &auteur, id).await?;
    tx.commit().await?;
    Ok(back_to(&format!("{HERE}?fait=renvoyer")))
}
