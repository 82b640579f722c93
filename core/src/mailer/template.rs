//! The mails there are, and the sources of their templates.

/// The mails there are; each is a `.html.hbs` and a `.txt.hbs` of `templates/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// An intervention was assigned to the reader.
    NotificationAffectation,
    /// An intervention is finished.
    NotificationCloture,
    /// A maintenance, or the deadline of an intervention, is near.
    NotificationRappel,
    /// A deadline has passed.
    NotificationRetard,
    /// Something needs a decision.
    NotificationAlerte,
    /// Anything else.
    NotificationInformation,
    /// Several notifications that came together.
    NotificationGroupee,
    /// The state of the day, for those in charge.
    DigestQuotidien,
    /// The account of the reader has a new password.
    CompteMotDePasse,
    /// Somebody signed in to the account of the reader from a new device.
    CompteAppareil,
    /// The reader, or somebody else, asked for a new password.
    CompteOubli,
    /// The reader is invited to choose a first password.
    CompteInvitation,
    /// A code is asked for when the reader signs in.
    CompteSecondFacteur,
    /// None is any more.
    CompteSecondFacteurRetire,
    /// The reader has a new API key.
    CompteCleApi,
    /// The file of the reader's data is ready.
    CompteDonnees,
}

macro_rules! sources {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_str!(concat!("../../../templates/", $name, ".html.hbs")),
            include_str!(concat!("../../../templates/", $name, ".txt.hbs")),
        )),+]
    };
}

/// Name, HTML, text: the mails and the partials they share.
pub(super) const SOURCES: [(&str, &str, &str); 21] = sources![
    "layout",
    "fait",
    "faits",
    "section",
    "compte",
    "notification_affectation",
    "notification_cloture",
    "notification_rappel",
    "notification_retard",
    "notification_alerte",
    "notification_information",
    "notification_groupee",
    "digest_quotidien",
    "compte_mot_de_passe",
    "compte_appareil",
    "compte_oubli",
    "compte_invitation",
    "compte_second_facteur",
    "compte_second_facteur_retire",
    "compte_cle_api",
    "compte_donnees",
];

impl Template {
    /// Every template there is.
    pub const ALL: [Self; 16] = [
        Self::NotificationAffectation,
        Self::NotificationCloture,
        Self::NotificationRappel,
        Self::NotificationRetard,
        Self::NotificationAlerte,
        Self::NotificationInformation,
        Self::NotificationGroupee,
        Self::DigestQuotidien,
        Self::CompteMotDePasse,
        Self::CompteAppareil,
        Self::CompteOubli,
        Self::CompteInvitation,
        Self::CompteSecondFacteur,
        Self::CompteSecondFacteurRetire,
        Self::CompteCleApi,
        Self::CompteDonnees,
    ];

    /// The template of a type of notification; an unknown type is an `information`.
    #[must_use]
    pub fn notification(type_: &str) -> Self {
        match type_ {
            "affectation" => Self::NotificationAffectation,
            "cloture" => Self::NotificationCloture,
            "rappel" => Self::NotificationRappel,
            "retard" => Self::NotificationRetard,
            "alerte" => Self::NotificationAlerte,
            _ => Self::NotificationInformation,
        }
    }

    /// The name of its files in `templates/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotificationAffectation => "notification_affectation",
            Self::NotificationCloture => "notification_cloture",
            Self::NotificationRappel => "notification_rappel",
            Self::NotificationRetard => "notification_retard",
            Self::NotificationAlerte => "notification_alerte",
            Self::NotificationInformation => "notification_information",
            Self::NotificationGroupee => "notification_groupee",
            Self::DigestQuotidien => "digest_quotidien",
            Self::CompteMotDePasse => "compte_mot_de_passe",
            Self::CompteAppareil => "compte_appareil",
            Self::CompteOubli => "compte_oubli",
            Self::CompteInvitation => "compte_invitation",
            Self::CompteSecondFacteur => "compte_second_facteur",
            Self::CompteSecondFacteurRetire => "compte_second_facteur_retire",
            Self::CompteCleApi => "compte_cle_api",
            Self::CompteDonnees => "compte_donnees",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// French wants a no-break space there, and English no space at all; an editor that "cleans"
    /// it away is caught here.
    #[test]
    fn templates_never_break_a_line_before_punctuation() {
        for (name, html, text) in SOURCES {
            for source in [html, text] {
                for pair in [" :", " ;", " ?", " »", "« ", " !", "n° "] {
                    assert!(!source.contains(pair), "{name}: {pair:?} needs a no-break space");
                }
            }
        }
    }
}
