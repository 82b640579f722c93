//! What the mails are told: plain business values. Labels and dates become French text
//! when a context is serialised, so that the templates only place them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};

use super::date;

/// What any of the `notification_*` templates needs.
#[derive(Debug, Clone, Serialize)]
pub struct NotificationMail {
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// Shown beside the title when there is an intervention (a planned maintenance may have none yet).
    pub intervention_id: Option<i64>,
    /// Title of the intervention or of the maintenance.
    pub titre: String,
    /// Name of the machine.
    pub equipement: Option<String>,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// Code of the priority (`urgente`, ...); the mail shows its French label.
    #[serde(serialize_with = "priorite_label")]
    pub priorite: Option<String>,
    /// Deadline, or planned date; shown in local time.
    #[serde(serialize_with = "date_label")]
    pub date_limite: Option<DateTime<Utc>>,
    /// Full name of the assigned technician.
    pub technicien: Option<String>,
    /// A message somebody wrote; its lines are kept, and it shows as a quotation.
    pub contenu: Option<String>,
    /// Where the button leads, see [`super::lien_intervention`].
    pub lien: String,
}

/// What the `digest_quotidien` template needs.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "DigestVue")]
pub struct DigestMail {
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// The local day the digest is about.
    pub jour: NaiveDate,
    /// How many interventions are not finished.
    pub ouvertes: i64,
    /// Past their deadline.
    pub en_retard: DigestSection,
    /// Deadline today.
    pub echeance_du_jour: DigestSection,
    /// Without a technician.
    pub non_affectees: DigestSection,
    /// Where the button leads: the list of interventions.
    pub lien: String,
}

/// One list of the digest: the first few, and how many there are in all.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(into = "SectionVue")]
pub struct DigestSection {
    /// How many there are, shown or not.
    pub total: i64,
    /// Those shown; ten or so make a mail that one reads.
    pub lignes: Vec<DigestLigne>,
}

/// One intervention in a list of the digest.
#[derive(Debug, Clone, Serialize)]
pub struct DigestLigne {
    /// Title of the intervention.
    pub titre: String,
    /// Name of the machine.
    pub equipement: String,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// Code of the priority; the mail shows its French label.
    #[serde(serialize_with = "priorite_minuscule")]
    pub priorite: String,
    /// Deadline; shown in local time.
    #[serde(serialize_with = "date_label")]
    pub date_limite: Option<DateTime<Utc>>,
    /// Full name of the assigned technician.
    pub technicien: Option<String>,
    /// The intervention's page, see [`super::lien_intervention`].
    pub lien: String,
}

#[derive(Serialize)]
struct DigestVue {
    destinataire_nom: String,
    jour: String,
    resume: String,
    rien_a_traiter: bool,
    ouvertes: i64,
    en_retard: DigestSection,
    echeance_du_jour: DigestSection,
    non_affectees: DigestSection,
    lien: String,
}

#[derive(Serialize)]
struct SectionVue {
    total: i64,
    autres: i64,
    lignes: Vec<DigestLigne>,
}

impl From<DigestMail> for DigestVue {
    fn from(mail: DigestMail) -> Self {
        let parts: Vec<String> = [
            (mail.en_retard.total, "en retard"),
            (mail.echeance_du_jour.total, "pour aujourd’hui"),
            (mail.non_affectees.total, "à affecter"),
        ]
        .iter()
        .filter(|(total, _)| *total > 0)
        .map(|(total, what)| format!("{total} {what}"))
        .collect();
        Self {
            destinataire_nom: mail.destinataire_nom,
            jour: date::date_fr(mail.jour),
            resume: if parts.is_empty() { "rien d’urgent".to_owned() } else { parts.join(", ") },
            rien_a_traiter: parts.is_empty(),
            ouvertes: mail.ouvertes,
            en_retard: mail.en_retard,
            echeance_du_jour: mail.echeance_du_jour,
            non_affectees: mail.non_affectees,
            lien: mail.lien,
        }
    }
}

impl From<DigestSection> for SectionVue {
    fn from(section: DigestSection) -> Self {
        let shown = i64::try_from(section.lignes.len()).unwrap_or(i64::MAX);
        Self {
            total: section.total,
            autres: (section.total - shown).max(0),
            lignes: section.lignes,
        }
    }
}

fn label(code: &str) -> &str {
    match code {
        "urgente" => "Urgente",
        "haute" => "Haute",
        "normale" => "Normale",
        "basse" => "Basse",
        "programmee" => "Programmée",
        other => other,
    }
}

#[expect(clippy::ref_option, reason = "the signature that serialize_with asks for")]
fn priorite_label<S: Serializer>(code: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
    code.as_deref().map(label).serialize(s)
}

fn priorite_minuscule<S: Serializer>(code: &str, s: S) -> Result<S::Ok, S::Error> {
    label(code).to_lowercase().serialize(s)
}

#[expect(clippy::ref_option, reason = "the signature that serialize_with asks for")]
fn date_label<S: Serializer>(instant: &Option<DateTime<Utc>>, s: S) -> Result<S::Ok, S::Error> {
    instant.map(date::date_heure_fr).serialize(s)
}
