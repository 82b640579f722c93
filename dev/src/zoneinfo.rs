//! Small trees of zoneinfo for tests: the files of the time zone database (RFC 9636) with rules that a test chooses, so
//! that it does not depend on the machine's. Written here, not by `zic`, which not every machine has.
use std::{fs, io, path::Path};

/// When the clocks change (UTC, date and hour) and how many minutes they are ahead of UTC from then on. Before the first
/// change they are as after the last one.
pub type Changes = &'static [(&'static str, i32)];

/// Morocco by the release 2025b: an hour ahead, but for Ramadan.
pub const RULES_2025B: Changes = &[
    ("2023-03-19T02", 0),
    ("2023-04-23T02", 60),
    ("2024-03-10T02", 0),
    ("2024-04-14T02", 60),
    ("2025-02-23T02", 0),
    ("2025-04-06T02", 60),
    ("2026-02-15T02", 0),
    ("2026-03-22T02", 60),
    ("2027-02-07T02", 0),
    ("2027-03-14T02", 60),
    ("2028-01-23T02", 0),
    ("2028-03-05T02", 60),
    ("2029-01-14T02", 0),
    ("2029-02-18T02", 60),
    ("2029-12-30T02", 0),
    ("2030-02-10T02", 60),
    ("2030-12-22T02", 0),
    ("2031-01-26T02", 60),
    ("2031-12-14T02", 0),
    ("2032-01-18T02", 60),
    ("2032-11-28T02", 0),
    ("2033-01-09T02", 60),
    ("2033-11-20T02", 0),
    ("2033-12-25T02", 60),
    ("2034-11-05T02", 0),
    ("2034-12-17T02", 60),
    ("2035-10-28T02", 0),
    ("2035-12-09T02", 60),
];

/// Morocco by the release 2026c: on UTC since 20 September 2026.
pub const RULES_2026C: Changes = &[
    ("2018-10-28T00", 60),
    ("2023-03-19T02", 0),
    ("2023-04-23T02", 60),
    ("2024-03-10T02", 0),
    ("2024-04-14T02", 60),
    ("2025-02-23T02", 0),
    ("2025-04-06T02", 60),
    ("2026-02-15T02", 0),
    ("2026-03-22T02", 60),
    ("2026-09-20T01", 0),
];

/// Invented rules for Morocco: two hours ahead from 1 March 2027 on.
pub const INVENTED: Changes = &[
    ("2018-10-28T00", 60),
    ("2026-02-15T02", 0),
    ("2026-03-22T02", 60),
    ("2026-09-20T01", 0),
    ("2027-03-01T00", 120),
];

/// Paris around the winter of 2026.
const PARIS: Changes =
    &[("2026-03-29T01", 120), ("2026-10-25T01", 60), ("2027-03-28T01", 120), ("2027-10-31T01", 60)];

/// How many minutes the clocks are ahead of UTC at `time`.
#[must_use]
pub fn minutes_ahead(changes: Changes, time: chrono::DateTime<chrono::Utc>) -> i32 {
    let last = changes.iter().rfind(|(when, _)| instant(when) <= time);
    last.or(changes.last()).map_or(0, |(_, minutes)| *minutes)
}

fn instant(when: &str) -> chrono::DateTime<chrono::Utc> {
    format!("{when}:00:00Z").parse().expect("a date and an hour")
}

/// Writes a tree with Morocco, Paris and UTC into `folder`, with `version` as its version. Existing files are replaced, the
/// version last, as a package manager does.
pub fn write(folder: &Path, version: &str, morocco: Changes) -> io::Result<()> {
    for part in ["Africa", "Europe"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let files =
        [("Africa/Casablanca", morocco), ("Europe/Paris", PARIS), ("UTC", &[("2000-01-01T00", 0)])];
    for (name, changes) in files {
        replace(&folder.join(name), &tzif(changes))?;
    }
    replace(&folder.join("tzdata.zi"), format!("# version {version}\n").as_bytes())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

/// A file of version 2: an empty part for programs from before 2005, then the changes, then the rule after the last of
/// them.
fn tzif(changes: Changes) -> Vec<u8> {
    let last = changes.last().map_or(0, |(_, minutes)| *minutes);
    let mut offsets = vec![last];
    offsets.extend(changes.iter().map(|(_, minutes)| *minutes));
    offsets.sort_unstable();
    offsets.dedup();
    // The first offset is that of before the first change.
    offsets.retain(|offset| *offset != last);
    offsets.insert(0, last);
    let number = |n: usize| u32::try_from(n).unwrap_or_default().to_be_bytes();
    let header = |times: usize, types: usize| {
        let mut bytes = b"TZif2".to_vec();
        bytes.extend([0; 15 + 12]);
        for n in [times, types, 4] {
            bytes.extend(number(n));
        }
        bytes
    };
    let kind = |minutes: i32| {
        let mut bytes = (minutes * 60).to_be_bytes().to_vec();
        bytes.extend([0, 0]); // not daylight saving time; the first name
        bytes
    };
    let mut file = header(0, 1);
    file.extend(kind(0));
    file.extend(b"-00\0");
    file.extend(header(changes.len(), offsets.len()));
    for (when, _) in changes {
        file.extend(instant(when).timestamp().to_be_bytes());
    }
    for (_, minutes) in changes {
        let index = offsets.iter().position(|offset| offset == minutes).unwrap_or_default();
        file.push(u8::try_from(index).unwrap_or_default());
    }
    for minutes in &offsets {
        file.extend(kind(*minutes));
    }
    file.extend(b"-00\0");
    let sign = if last > 0 { "-" } else { "" };
    file.extend(
        format!("\n<-00>{sign}{:02}:{:02}\n", last.abs() / 60, last.abs() % 60).into_bytes(),
    );
    file
}
