//! How soon an intervention must be taken up.
use chrono::TimeDelta;

use super::env::Env;

/// How soon somebody must take up an intervention of each priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sla {
    pub urgente: TimeDelta,
    pub haute: TimeDelta,
    pub normale: TimeDelta,
    pub basse: TimeDelta,
}

impl Default for Sla {
    fn default() -> Self {
        Self {
            urgente: TimeDelta::hours(2),
            haute: TimeDelta::hours(24),
            normale: TimeDelta::hours(72),
            basse: TimeDelta::hours(168),
        }
    }
}

const EXAMPLE: &str = "urgente=2,haute=24,normale=72,basse=168";

/// `SLA_HOURS`: hours by priority, separated by commas; a priority that is not named keeps the default of the contract.
pub(super) fn read(env: &mut Env) -> Sla {
    let mut sla = Sla::default();
    let Some(text) = env.text("SLA_HOURS") else { return sla };
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, hours) = part.split_once('=').unwrap_or((part, ""));
        let target = match name.trim() {
            "urgente" => Some(&mut sla.urgente),
            "haute" => Some(&mut sla.haute),
            "normale" => Some(&mut sla.normale),
            "basse" => Some(&mut sla.basse),
            _ => None,
        };
        match (target, hours.trim().parse::<i64>()) {
            (Some(target), Ok(hours)) if (1..=8784).contains(&hours) => {
                *target = TimeDelta::hours(hours);
            }
            _ => {
                let fault =
                    format!("« {part} » n'est pas une priorité et un nombre d'heures de 1 à 8784");
                env.fault("SLA_HOURS", fault, EXAMPLE);
            }
        }
    }
    sla
}
