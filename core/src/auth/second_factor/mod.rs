//! The second factor: codes of an application on the phone (TOTP, RFC 6238), and recovery codes for who has lost it.
//!
//! A right password gives a [`Challenge`] instead of a session; [`verify`] takes it with a code. **A code is good once**, on however
//! many replicas it comes at the same time: the statement that uses it up is the one that tells whether it was good.
//!
//! The secret is stored sealed ([`crate::keys::Sealing`]), recovery codes and trusted devices as hashes: who has a copy of the
//! database makes no code.
mod challenge;
mod codes;
pub mod devices;
mod enrolment;
mod proof;
mod store;
mod types;

pub use challenge::Challenge;
pub use enrolment::{Owner, confirm, enrol, remove, renew_codes, reset, state};
pub use proof::{prove, verify};
pub use store::{count_unreadable, seal_again};
pub use types::{Enrolment, GivenCode, RecoveryCodes, SecondFactorState, TrustedDevice};

use crate::{Code, Error, Text};

/// The 403 of who must enrol a second factor before anything else.
#[must_use]
pub fn must_enrol() -> Error {
    Error::Forbidden {
        code: Code::SecondFacteurAActiver,
        text: Text::new(
            "Votre rôle demande un second facteur : activez-le d'abord (POST /auth/second-factor/enrol), le reste s'ouvre aussitôt.",
            "Your role requires a second factor: enrol one first (POST /auth/second-factor/enrol), the rest opens at once.",
        ),
    }
}

/// The 401 that asks for a code, beside its challenge.
#[must_use]
pub fn code_wanted() -> (Code, Text) {
    let text = Text::new(
        "Il manque le second facteur : donnez le code de votre application, ou un code de secours.",
        "The second factor is missing: give the code of your application, or a recovery code.",
    );
    (Code::SecondFacteurRequis, text)
}
