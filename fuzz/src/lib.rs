//! What must hold of the parsers that are ours, whatever bytes they get. Each target takes any bytes and panics when a promise
//! is broken; `fuzz/run` looks for such bytes under a guide of coverage, `api/tests/fuzz` replays what is known in seconds.
mod edge;
mod files;
mod input;
mod time;

/// What takes any bytes, and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const ALL: &[(&str, Target)] = &[
    ("adresse", edge::adresse),
    ("champs", input::champs),
    ("cron", time::cron),
    ("depot", edge::depot),
    ("epuration", files::epuration),
    ("examen", files::examen),
    ("formulaire", edge::formulaire),
    ("jetons", input::jetons),
    ("recurrence", time::recurrence),
];

/// Those whose code catches the panics of libraries.
pub const CATCHES: &[&str] = &["examen"];

/// Takes the next number off `data`; 0 when it is short.
fn number(data: &mut &[u8]) -> u64 {
    let (taken, rest) = data.split_at(data.len().min(8));
    *data = rest;
    taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Takes the next byte off `data`; 0 when there is none.
fn byte(data: &mut &[u8]) -> u8 {
    let Some((first, rest)) = data.split_first() else { return 0 };
    *data = rest;
    *first
}
