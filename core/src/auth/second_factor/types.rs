//! What second factors are on the wire.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::input::{Field, Wrong};

/// A code as somebody typed it, of the application or a recovery code. Never shown.
#[derive(Clone)]
pub struct GivenCode(String);

impl GivenCode {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for GivenCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenCode(***)")
    }
}

impl Field for GivenCode {
    fn read(value: &Value) -> Result<Self, Wrong> {
        String::read(value).map(Self)
    }

    fn schema() -> Value {
        String::schema()
    }
}

/// What the application on the phone must know. Shown once.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct Enrolment {
    /// In Base32, for who cannot scan the picture.
    pub secret: String,
    /// `otpauth://totp/…`, which the picture shows.
    pub uri: String,
    /// The picture for the camera of the phone: an SVG, which needs nothing from elsewhere.
    pub qr: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment(***)")
    }
}

/// Ten codes for who has lost the phone, each good once. Shown once.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    pub codes_secours: Vec<String>,
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodes(***)")
    }
}

/// A device that is not asked for a code, as its owner sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TrustedDevice {
    pub id: Uuid,
    pub cree_le: DateTime<Utc>,
    /// When a code is asked for again.
    pub expire_le: DateTime<Utc>,
    /// The address that it was made from.
    pub adresse_ip: Option<String>,
    /// The program that it was made with, as that calls itself.
    pub user_agent: Option<String>,
}

/// The second factor of the caller.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SecondFactorState {
    /// Since when a code is asked for; null if none is.
    pub actif_depuis: Option<DateTime<Utc>>,
    /// Whether the role of the caller requires one.
    pub exige: bool,
    /// Recovery codes that were not used.
    pub codes_restants: i64,
    pub appareils: Vec<TrustedDevice>,
}
