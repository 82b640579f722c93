//! Preferences on the wire and in the program.
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    input::{Field, Input, Patch, Wrong},
    local, versioned,
};

/// Which mails somebody wants: one switch for each type of notification, and one for the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "switches, as the frontend shows them")]
pub struct Emails {
    pub affectation: bool,
    pub cloture: bool,
    pub rappel: bool,
    pub retard: bool,
    pub alerte: bool,
    pub information: bool,
    pub digest: bool,
}

/// The part of the day in which no mail is sent, local time of Morocco; it may go over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HeuresCalmes {
    /// `HH:MM`
    #[serde(serialize_with = "minutes")]
    #[schema(value_type = String, pattern = r"^([01]\d|2[0-3]):[0-5]\d$")]
    pub debut: NaiveTime,
    /// `HH:MM`
    #[serde(serialize_with = "minutes")]
    #[schema(value_type = String, pattern = r"^([01]\d|2[0-3]):[0-5]\d$")]
    pub fin: NaiveTime,
}

/// What somebody wants to be told by e-mail, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Preferences {
    pub emails: Emails,
    /// No mail but the daily digest.
    pub digest_seulement: bool,
    /// Mails that come up meanwhile are one mail afterwards.
    pub heures_calmes: Option<HeuresCalmes>,
    /// What an edit names in `If-Match`: raised whenever something changes; 0 before the first edit.
    pub version: i64,
}

versioned!(Preferences);

impl Default for Preferences {
    /// Every mail, at any hour.
    fn default() -> Self {
        Self { emails: Emails::ALL, digest_seulement: false, heures_calmes: None, version: 0 }
    }
}

impl Emails {
    const ALL: Self = Self {
        affectation: true,
        cloture: true,
        rappel: true,
        retard: true,
        alerte: true,
        information: true,
        digest: true,
    };

    /// Each switch with its name.
    fn switches(&mut self) -> [(&'static str, &mut bool); 7] {
        [
            ("affectation", &mut self.affectation),
            ("cloture", &mut self.cloture),
            ("rappel", &mut self.rappel),
            ("retard", &mut self.retard),
            ("alerte", &mut self.alerte),
            ("information", &mut self.information),
            ("digest", &mut self.digest),
        ]
    }

    /// All switches on, except those named in `refused`.
    pub(super) fn without(refused: &[String]) -> Self {
        let mut emails = Self::ALL;
        for (name, on) in emails.switches() {
            *on = !refused.iter().any(|r| r == name);
        }
        emails
    }

    /// The names of the switches that are off.
    pub(super) fn refused(mut self) -> Vec<String> {
        let off = self.switches().into_iter().filter(|(_, on)| !**on);
        off.map(|(name, _)| name.to_owned()).collect()
    }
}

impl Preferences {
    /// The end of the quiet hours that `now` is in; `None` if a mail may leave now.
    #[must_use]
    pub fn quiet_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.heures_calmes.and_then(|quiet| local::end_of_span(quiet.debut, quiet.fin, now))
    }

    /// How long the quiet hours that `now` is in still last; `None` if a mail may leave now.
    #[must_use]
    pub fn quiet_for(&self, now: DateTime<Utc>) -> Option<Duration> {
        self.quiet_until(now).map(|end| (end - now).to_std().unwrap_or_default())
    }

    /// Whether the daily digest is wanted.
    #[must_use]
    pub fn wants_digest(&self) -> bool {
        self.emails.digest
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serialize_with asks for")]
fn minutes<S: serde::Serializer>(time: &NaiveTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.format("%H:%M"))
}

/// What an edit of the switches changes.
#[derive(Debug, Clone, Default)]
pub struct EmailsPatch(Vec<(&'static str, bool)>);

impl Field for EmailsPatch {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let wrong = || {
            let mut all = Emails::ALL;
            let names = all.switches().map(|(name, _)| name).join(", ");
            Wrong::new(
                "value_error",
                format!("Vrai ou faux est attendu pour chacun de ces types : {names}."),
                format!("true or false is expected for each of these types: {names}"),
            )
        };
        let given = value.as_object().ok_or_else(wrong)?;
        let mut all = Emails::ALL;
        let known = all.switches().map(|(name, _)| name);
        // Names that this version does not know are ignored, like unknown fields.
        let given = known.into_iter().filter_map(|name| Some((name, given.get(name)?)));
        given
            .map(|(name, on)| Ok((name, on.as_bool().ok_or_else(wrong)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn schema() -> Value {
        let mut all = Emails::ALL;
        let names = all.switches().map(|(name, _)| (name.to_owned(), json!({ "type": "boolean" })));
        let properties: serde_json::Map<_, _> = names.into_iter().collect();
        json!({ "type": "object", "properties": properties })
    }
}

impl Field for HeuresCalmes {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let time = |name: &str| {
            let text = value.get(name)?.as_str()?.trim();
            let minutes = NaiveTime::parse_from_str(text, "%H:%M");
            minutes.or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S")).ok()
        };
        match (time("debut"), time("fin")) {
            (Some(debut), Some(fin)) if debut != fin => Ok(Self { debut, fin }),
            _ => Err(Wrong::new(
                "value_error",
                "Un début et une fin différents sont attendus, par exemple {\"debut\": \"20:00\", \"fin\": \"07:00\"}.",
                "Two different times are expected, for instance {\"debut\": \"20:00\", \"fin\": \"07:00\"}",
            )),
        }
    }

    fn schema() -> Value {
        let time = json!({ "type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$" });
        json!({
            "type": "object", "required": ["debut", "fin"], "properties": { "debut": time, "fin": time },
            "examples": [{ "debut": "20:00", "fin": "07:00" }],
        })
    }
}

/// What an edit changes; null ends the quiet hours.
#[derive(Debug, Clone, Input)]
pub struct PreferencesPatch {
    emails: Option<EmailsPatch>,
    digest_seulement: Option<bool>,
    heures_calmes: Patch<HeuresCalmes>,
}

impl PreferencesPatch {
    /// Whether it names a field about the digest (`emails.digest`, `digest_seulement`).
    pub(super) fn is_about_digest(&self) -> bool {
        let Self { emails, digest_seulement, .. } = self;
        let switched =
            matches!(emails, Some(EmailsPatch(all)) if all.iter().any(|(n, _)| *n == "digest"));
        switched || digest_seulement.is_some()
    }

    /// `old` with these changes.
    pub(super) fn over(self, old: Preferences) -> Preferences {
        let mut emails = old.emails;
        if let Some(EmailsPatch(changes)) = self.emails {
            for (name, on) in emails.switches() {
                *on = changes.iter().find(|(n, _)| *n == name).map_or(*on, |(_, new)| *new);
            }
        }
        Preferences {
            emails,
            digest_seulement: self.digest_seulement.unwrap_or(old.digest_seulement),
            heures_calmes: self.heures_calmes.over(old.heures_calmes),
            version: old.version,
        }
    }
}
