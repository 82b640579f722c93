//! A short, deterministic run of the fuzz targets: the seeds (`fuzz/graines`, which also has the findings of long runs), and
//! inputs made from them by a generator with a fixed seed, which cuts, changes and joins them.
#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::{fs, path::PathBuf};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

#[path = "../../../fuzz/src/lib.rs"]
mod targets;

/// How many inputs are generated from the seeds of each target.
const BENT: u32 = 1000;

/// The seeds of a target, in the order of their names. Findings of long runs are added there, and kept.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/graines").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The next input: a seed after one to five random changes; a change may replace its end by the end of another seed.
fn bent(random: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut StdRng| seeds[random.random_range(0..seeds.len())].clone();
    let mut bytes = pick(random);
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = random.random(),
            4 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            _ => {
                let other = pick(random);
                let from = random.random_range(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
        }
    }
    bytes
}

fn replay(name: &str) {
    let (_, target) = targets::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    for seed in &seeds {
        target(seed);
    }
    let mut random = StdRng::seed_from_u64(15);
    for _ in 0..BENT {
        target(&bent(&mut random, &seeds));
    }
}

macro_rules! replays {
    ($($name:ident),+) => {
        /// Every target has a test here.
        #[test]
        fn every_target_is_replayed() {
            let all: Vec<_> = targets::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(all, [$(stringify!($name)),+]);
            assert!(targets::CATCHES.iter().all(|name| all.contains(name)));
        }

        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })+
    };
}

replays!(adresse, champs, cron, depot, epuration, examen, formulaire, jetons, recurrence);
