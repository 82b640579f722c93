//! Sentences that a person reads, in the two languages of the system.
//! French is the default; English is for `Accept-Language: en`.

use crate::{enumeration, enumeration_field};

enumeration! {
    /// The language of a reader.
    #[derive(Default)]
    Lang {
        #[default]
        Fr = "fr",
        En = "en",
    }
}
enumeration_field!(Lang);

impl Lang {
    /// The one of the two values that is in this language.
    pub fn choose<T>(self, fr: T, en: T) -> T {
        match self {
            Self::Fr => fr,
            Self::En => en,
        }
    }
}

/// One sentence in both languages, written side by side in the code, so that neither can be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub fr: String,
    pub en: String,
}

impl Text {
    #[must_use]
    pub fn new(fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self { fr: fr.into(), en: en.into() }
    }

    #[must_use]
    pub fn in_lang(&self, lang: Lang) -> &str {
        lang.choose(&self.fr, &self.en)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fr)
    }
}
