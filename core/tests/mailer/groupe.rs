//! Several notifications in one mail.

use erp_core::Lang;
use erp_core::mailer::{Template, samples};

use super::render::{plain, render};

#[test]
fn several_notifications_make_one_mail() {
    let mail = render(Template::NotificationGroupee, &samples::groupe(Lang::Fr));
    assert_eq!(
        plain(&mail.subject),
        "6 notifications : 2 affectations, 1 retard, 1 rappel, 2 autres"
    );
    assert_eq!(
        plain(&mail.text),
        "Bonjour Karim El Alaoui,\n\n\
         Voici ce qui est arrivé en quelques minutes, réuni en un seul message.\n\n\
         Affectations (2)\n\
         - Fuite d’huile sur le compresseur de l’atelier 2 (n° 1042)\n\
         \u{20} Compresseur Atlas Copco GA 37, Casablanca, atelier 2\n\
         \u{20} Pour le mardi 24 novembre 2026 à 08 h 30\n\
         \u{20} https://erp.mif-maroc.example/interventions/1042\n\
         - Remplacement des filtres (n° 1043)\n\
         \u{20} Compresseur Atlas Copco GA 37, Casablanca, atelier 2\n\
         \u{20} Pour le mardi 24 novembre 2026 à 08 h 30\n\
         \u{20} > Prévoir le kit de joints. Le badge est à l’accueil.\n\
         \u{20} https://erp.mif-maroc.example/interventions/1043\n\n\
         Retards (1)\n\
         - Roulement bruyant du convoyeur (n° 998)\n\
         \u{20} Compresseur Atlas Copco GA 37, Casablanca, atelier 2\n\
         \u{20} Pour le mardi 24 novembre 2026 à 08 h 30\n\
         \u{20} https://erp.mif-maroc.example/interventions/998\n\n\
         Rappels (1)\n\
         - Maintenance mensuelle\n\
         \u{20} Compresseur Atlas Copco GA 37, Usine de Casablanca, atelier 2, travée C\n\
         \u{20} Prévue le mardi 24 novembre 2026 à 08 h 30\n\
         \u{20} https://erp.mif-maroc.example/planning/3\n\n\
         Et 2 de plus dans l’application.\n\n\
         Voir les notifications :\nhttps://erp.mif-maroc.example/notifications\n\n\
         --\nMIF Maroc · Maintenance\n\
         Vous recevez ce message parce que vous prenez part à ces interventions, \
         ou que vous les suivez.\n\
         Ce message est envoyé automatiquement : les réponses ne sont pas lues.\n"
    );
}

#[test]
fn one_of_each_is_singular_in_both_languages() {
    let subjects = [Lang::Fr, Lang::En].map(|langue| {
        let mut mail = samples::groupe(langue);
        mail.lignes.truncate(2);
        mail.total = 3;
        plain(&render(Template::NotificationGroupee, &mail).subject)
    });
    assert_eq!(
        subjects,
        [
            "3 notifications : 1 affectation, 1 retard, 1 autre",
            "3 notifications: 1 assignment, 1 overdue, 1 other"
        ]
    );
}

/// Mail programs cut what is over some hundred kilobytes.
#[test]
fn fifty_lines_are_still_a_mail_that_is_shown_whole() {
    let mut mail = samples::groupe(Lang::Fr);
    mail.lignes = mail.lignes.into_iter().cycle().take(50).collect();
    mail.total = 50;
    let mail = render(Template::NotificationGroupee, &mail);
    assert!(mail.html.len() < 100_000, "{}", mail.html.len());
    assert!(!mail.text.contains("de plus"), "{}", mail.text);
}
