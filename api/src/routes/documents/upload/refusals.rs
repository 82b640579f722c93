//! The errors of an upload that is refused.
use erp_core::{Code, Error, Text, documents::kind::Refusal, input::Fault};

use crate::{ApiError, multipart::Broken};

/// The error for a file whose name or content is not accepted.
pub(super) fn refused(refusal: &Refusal) -> Error {
    let text = Text::new(refusal.french(), refusal.english());
    match refusal {
        Refusal::Missing | Refusal::Empty => file_fault("value_error", text.fr, text.en),
        Refusal::Extension | Refusal::Content { .. } => {
            Error::Unsupported { code: Code::TypeDeFichierRefuse, text }
        }
    }
}

/// The error for a file of more than `max` bytes.
pub(super) fn too_large(max: u64) -> Error {
    Error::TooLarge {
        code: Code::FichierTropGrand,
        text: Text::new(
            format!(
                "Le fichier dépasse {} : réduisez-le ou envoyez-le en plusieurs fois.",
                size(max, "Mio", "octets")
            ),
            format!(
                "The file is larger than {}: reduce it or send it in parts.",
                size(max, "MiB", "bytes")
            ),
        ),
    }
}

fn size(bytes: u64, mebibytes: &str, plain: &str) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes.is_multiple_of(MIB) {
        format!("{} {mebibytes}", bytes / MIB)
    } else {
        format!("{bytes} {plain}")
    }
}

/// The error for a body that cannot be read to its end; a file may have `max` bytes.
pub(super) fn broken(why: Broken, max: u64) -> ApiError {
    let fault = match why {
        Broken::TooLarge => too_large(max),
        Broken::Head => file_fault(
            "multipart_invalid",
            "L'en-tête d'une partie de l'envoi dépasse 8 Kio.",
            "The head of a part of the upload is larger than 8 KiB",
        ),
        Broken::Malformed => file_fault(
            "multipart_invalid",
            "L'envoi est mal formé ou interrompu.",
            "The upload is malformed or broken off",
        ),
    };
    fault.into()
}

/// A fault of the part `file`: `kind` is for programs, the texts are for people.
pub(super) fn file_fault(
    kind: &'static str,
    fr: impl Into<String>,
    en: impl Into<String>,
) -> Error {
    let loc = vec!["body".to_owned(), "file".to_owned()];
    Error::Invalid(vec![Fault { loc, msg: Text::new(fr, en), kind }])
}
