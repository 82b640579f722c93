//! What the processes that decode uploaded files may take.
use std::time::Duration;

use super::env::Env;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderConfig {
    /// `DECODER_MEMORY_MB` (384): address space of all of them at once, and the most that one gets.
    pub memory_mib: u32,
    /// `DECODER_CPU_SECONDS` (15): processor time for one file; thrice as much by the clock.
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
        // The job ends after two minutes, and one may wait for another: thrice this, twice, and the storage.
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
