//! Schedules on the wire.
use apalis_hot::schedules;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    input::{Field, Input, Trimmed, Wrong, texts},
    local::{self, Cron},
    versioned,
};

/// What comes due by the clock.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Schedule {
    pub name: String,
    /// Minute, hour, day of month, month, day of week; seconds before them when there are six fields.
    pub cron: String,
    /// IANA name.
    pub timezone: String,
    pub enabled: bool,
    /// The tick that was enqueued last.
    pub last_run_at: Option<DateTime<Utc>>,
    /// Null while disabled, and when no date fits.
    pub next_run_at: Option<DateTime<Utc>>,
    /// What an edit names in `If-Match`: raised whenever somebody changes it.
    pub version: i64,
}

versioned!(Schedule);

impl From<schedules::Schedule> for Schedule {
    fn from(row: schedules::Schedule) -> Self {
        let schedules::Schedule {
            name,
            cron,
            timezone,
            enabled,
            last_run_at,
            next_run_at,
            version,
        } = row;
        Self { name, cron, timezone, enabled, last_run_at, next_run_at, version }
    }
}

/// A valid cron expression.
#[derive(Debug, Clone)]
pub struct CronText(pub String);

texts!(CronText, ZoneName);

impl Field for CronText {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let text = Trimmed::<100>::read(value)?.0;
        match Cron::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(Wrong::new(
                "value_error",
                format!(
                    "Une expression cron est attendue, par exemple « 0 7 * * MON-FRI » ({error})."
                ),
                format!(
                    "A cron expression is expected, for instance \"0 7 * * MON-FRI\" ({error})"
                ),
            )),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 100, "examples": ["0 7 * * MON-FRI"] })
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone)]
pub struct ZoneName(pub String);

impl Field for ZoneName {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let text = Trimmed::<64>::read(value)?.0;
        if local::zone(&text).is_some() {
            return Ok(Self(text));
        }
        Err(Wrong::new(
            "value_error",
            "Un fuseau horaire est attendu, par exemple Africa/Casablanca.",
            "A time zone is expected, for instance Africa/Casablanca",
        ))
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 64, "examples": ["Africa/Casablanca"] })
    }
}

/// What an edit changes; what it does not name stays.
#[derive(Debug, Clone, Input)]
pub struct SchedulePatch {
    #[input(as = CronText)]
    pub cron: Option<String>,
    #[input(as = ZoneName)]
    pub timezone: Option<String>,
    pub enabled: Option<bool>,
}

/// An edit that names its schedule.
#[derive(Debug, Clone, Input)]
pub struct NamedPatch {
    #[input(as = Trimmed<100>)]
    pub name: String,
    #[input(flatten)]
    pub patch: SchedulePatch,
}
