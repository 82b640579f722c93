//! The limits of the processes that decode uploaded files.
use std::time::Duration;

use super::env::Env;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderConfig {
    /// `DECODER_MEMORY_MB` (384): address space of all these processes together, and the most that one gets.
    pub memory_mib: u32,
    /// `DECODER_CPU_SECONDS` (15): processor time for one file; three times as much by the clock.
    pub processor_time: Duration,
}

impl DecoderConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        let memory_mib = env.parse(
            "DECODER_MEMORY_MB",
            384,
            |n| (128..=65_536).contains(n),
            "un nombre de Mio de 128 à 65536",
            "384",
        );
        // An attempt ends after two minutes, and may wait for another one to end: six times this at most, plus the storage.
        let seconds = env.parse(
            "DECODER_CPU_SECONDS",
            15,
            |n| (1..=15).contains(n),
            "un nombre de secondes de 1 à 15",
            "15",
        );
        Self { memory_mib, processor_time: Duration::from_secs(seconds) }
    }
}
