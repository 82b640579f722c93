//! What our parsers must guarantee for any bytes. Each target takes any bytes, and panics if a guarantee is broken. `fuzz/run`
//! searches for such bytes, guided by coverage; `api/tests/fuzz` replays the known inputs in seconds.
mod edge;
mod files;
mod input;
mod time;

/// A function that takes any bytes, and panics if a guarantee is broken.
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

/// The targets whose code catches the panics of libraries.
pub const CATCHES: &[&str] = &["examen"];

/// Takes the next 8 bytes (or what is left) off `data` as a little-endian number; 0 if it is empty.
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
