//! The daily summary: what it counts, lists, and leaves out.

use erp_core::Lang;
use erp_core::mailer::{DigestMail, DigestSection, PlanningSection, Template, samples};

use super::render::{plain, render};

#[test]
fn the_digest_counts_and_lists() {
    let mail = render(Template::DigestQuotidien, &samples::digest(Lang::Fr));
    assert_eq!(
        plain(&mail.subject),
        "Point du mardi 24 novembre 2026 : 12 en retard, 1 pour aujourd’hui, 3 à affecter, \
         4 visites à venir"
    );
    let text = plain(&mail.text);
    for expected in [
        "Ouvertes : 128\n",
        "En retard (12)\n- Fuite d’huile",
        "  Pour le lundi 23 novembre 2026 à 16 h 00\n  Technicien : Salma Bennani\n",
        "  et 10 de plus dans l’application\n",
        "\nÀ affecter (3)\n",
        "\nVisites des sept prochains jours (4)\n- Maintenance mensuelle\n\
         \u{20} Compresseur Atlas Copco GA 37, Casablanca, atelier 2\n\
         \u{20} Prévue le jeudi 26 novembre 2026 à 08 h 00\n",
        "\nNe plus recevoir ce point :\nhttps://",
    ] {
        assert!(text.contains(expected), "{expected:?} in:\n{text}");
    }
}

#[test]
fn the_digest_speaks_english() {
    let mail = render(Template::DigestQuotidien, &samples::digest(Lang::En));
    assert_eq!(
        mail.subject,
        "Summary of Tuesday 24 November 2026: 12 overdue, 1 due today, 3 unassigned, 4 visits ahead"
    );
    let text = plain(&mail.text);
    for expected in [
        "Overdue (12)\n- Fuite d’huile",
        "GA 37, Casablanca, atelier 2\n  Priority: urgent\n  Due Monday 23 November 2026 at 16:00\n",
        "  and 10 more in the application\n",
        "- Monthly maintenance\n",
        "\nUnsubscribe:\nhttps://",
    ] {
        assert!(text.contains(expected), "{expected:?} in:\n{text}");
    }
}

#[test]
fn the_way_out_is_a_link_that_is_never_cut() {
    let context = samples::digest(Lang::Fr);
    let mail = render(Template::DigestQuotidien, &context);
    assert!(mail.text.contains(&format!("\n{}\n", context.desabonnement)), "{}", mail.text);
    let escaped = context.desabonnement.replace('=', "&#x3D;");
    assert!(mail.html.contains(&format!("href=\"{escaped}\"")), "{}", mail.html);
}

#[test]
fn a_quiet_day_is_said_to_be_quiet() {
    let full = samples::digest(Lang::Fr);
    let calm = DigestMail {
        en_retard: DigestSection::default(),
        echeance_du_jour: DigestSection::default(),
        non_affectees: DigestSection::default(),
        ..full
    };
    let mail = render(Template::DigestQuotidien, &calm);
    assert!(
        plain(&mail.subject).ends_with(" : rien d’urgent, 4 visites à venir"),
        "{}",
        mail.subject
    );
    assert!(!mail.text.contains("À affecter ("), "{}", mail.text);
    let empty = DigestMail { plannings: PlanningSection::default(), ..calm };
    let mail = render(Template::DigestQuotidien, &empty);
    assert!(plain(&mail.subject).ends_with(" : rien d’urgent"), "{}", mail.subject);
}
