//! The machines that the demo's company maintains.

use erp_core::equipements::CriticiteEquipement::{
    self, Critique, Important, NonCritique, Standard,
};

use super::people::Team::{self, Casablanca, Kenitra, Littoral, Tanger};
use super::scenarios::{
    CHARIOT, CHAUDIERE, COMPRESSEUR, CONVOYEUR, FOUR, GROUPE_ELECTROGENE, GROUPE_FROID, Kind,
    POMPE, PONT, PRESSE, TOUR, TRANSFORMATEUR,
};

#[derive(Debug)]
pub(super) struct Machine {
    pub nom: &'static str,
    pub kind: &'static Kind,
    pub localisation: &'static str,
    /// The team that is near.
    pub team: Team,
    /// The index of its owner.
    pub client: usize,
    pub marque: &'static str,
    pub modele: &'static str,
    pub serie: &'static str,
    /// The year and the month it was bought.
    pub acquired: (i32, u32),
    pub every: Every,
    pub criticite: CriticiteEquipement,
}

/// How often a machine is visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Every {
    Month,
    Quarter,
    HalfYear,
    Year,
}

impl Every {
    pub fn months(self) -> u32 {
        match self {
            Every::Month => 1,
            Every::Quarter => 3,
            Every::HalfYear => 6,
            Every::Year => 12,
        }
    }

    /// In the words of an equipment, in days.
    pub fn days(self) -> &'static str {
        match self {
            Every::Month => "30",
            Every::Quarter => "90",
            Every::HalfYear => "180",
            Every::Year => "365",
        }
    }

    /// In the words of a planning.
    pub fn frequence(self) -> &'static str {
        match self {
            Every::Month => "mensuel",
            Every::Quarter => "trimestriel",
            Every::HalfYear => "semestriel",
            Every::Year => "annuel",
        }
    }
}

/// The machine that nobody works on any more.
pub(super) const RETIRED: usize = 24;

const AIN_SEBAA: &str = "Casablanca, Aïn Sebaâ";
const SIDI_BERNOUSSI: &str = "Casablanca, Sidi Bernoussi";
const MOHAMMEDIA: &str = "Mohammedia, zone industrielle sud-ouest";
const ZONE_FRANCHE: &str = "Tanger, Zone franche (TFZ), îlot 14";
const TANGER_MED: &str = "Tanger Med, zone logistique Medhub";
const KENITRA: &str = "Kénitra, Atlantic Free Zone, lot 32";
const JORF_LASFAR: &str = "Jorf Lasfar, parc industriel";
const SAFI: &str = "Safi, route d'El Jadida";

#[rustfmt::skip] // one machine, one line
pub(super) static MACHINES: [Machine; 25] = [
    m("Compresseur à vis C-01", &COMPRESSEUR, (AIN_SEBAA, Casablanca, 0), ("Atlas Copco", "GA 37 VSD+", "API-482 193"), (2019, 3), Every::Quarter, Critique),
    m("Chaudière vapeur CH-01", &CHAUDIERE, (AIN_SEBAA, Casablanca, 0), ("Babcock Wanson", "BWB 30", "BW-30-17442"), (2016, 9), Every::Month, Critique),
    m("Groupe froid GF-01", &GROUPE_FROID, (AIN_SEBAA, Casablanca, 0), ("Carrier", "30XA 402", "M19-0457-22"), (2018, 5), Every::Quarter, Critique),
    m("Convoyeur d'encartonnage CV-03", &CONVOYEUR, (SIDI_BERNOUSSI, Casablanca, 0), ("Interroll", "MCP 0080", "IR-20-88317"), (2020, 11), Every::Quarter, Important),
    m("Chariot élévateur électrique CE-05", &CHARIOT, (SIDI_BERNOUSSI, Casablanca, 0), ("Toyota", "Traigo 48 8FBMT25", "8FBMT25-61877"), (2021, 2), Every::HalfYear, Standard),
    m("Pompe centrifuge P-101", &POMPE, (MOHAMMEDIA, Casablanca, 0), ("KSB", "Etanorm 065-050-200", "9972108843-001"), (2017, 6), Every::Quarter, Important),
    m("Tour de refroidissement TR-01", &TOUR, (MOHAMMEDIA, Casablanca, 0), ("Baltimore Aircoil", "S3000E-0812", "H174512801"), (2017, 6), Every::HalfYear, Important),
    m("Groupe électrogène GE-01", &GROUPE_ELECTROGENE, (AIN_SEBAA, Casablanca, 0), ("SDMO", "J220K", "J220K-10 06 5521"), (2015, 10), Every::HalfYear, Important),
    m("Compresseur à vis C-11", &COMPRESSEUR, (ZONE_FRANCHE, Tanger, 1), ("Kaeser", "CSD 105", "1734-5520"), (2020, 1), Every::Quarter, Critique),
    m("Presse à sertir hydraulique PS-02", &PRESSE, (ZONE_FRANCHE, Tanger, 1), ("Bosch Rexroth", "HPR 60", "RX-60-40917"), (2019, 7), Every::Quarter, Important),
    m("Convoyeur aérien CV-12", &CONVOYEUR, (ZONE_FRANCHE, Tanger, 1), ("Montratec", "Shuttle 800", "MT-8-20391"), (2021, 4), Every::HalfYear, Standard),
    m("Transformateur TR-HTA 1", &TRANSFORMATEUR, (ZONE_FRANCHE, Tanger, 1), ("Schneider Electric", "Trihal 1250 kVA", "TRH-1250-33810"), (2018, 12), Every::Year, Critique),
    m("Chariot élévateur CE-21", &CHARIOT, (TANGER_MED, Tanger, 1), ("Linde", "E30", "H2X387-T02144"), (2022, 3), Every::HalfYear, Standard),
    m("Groupe électrogène GE-12", &GROUPE_ELECTROGENE, (TANGER_MED, Tanger, 1), ("Caterpillar", "DE330 GC", "CAT00DE33-LM441"), (2020, 8), Every::HalfYear, Critique),
    m("Presse d'emboutissage PE-400", &PRESSE, (KENITRA, Kenitra, 2), ("Schuler", "PME 400", "SC-400-7715"), (2018, 2), Every::Month, Critique),
    m("Presse mécanique PM-160", &PRESSE, (KENITRA, Kenitra, 2), ("Aida", "NC1-160", "N160-20447"), (2017, 11), Every::Quarter, Important),
    m("Pont roulant 10 t PR-01", &PONT, (KENITRA, Kenitra, 2), ("Demag", "EKKE 10 t", "DM-10-55208"), (2018, 1), Every::HalfYear, Critique),
    m("Four de traitement thermique FT-01", &FOUR, (KENITRA, Kenitra, 2), ("Nabertherm", "NW 440/S", "NW440-318852"), (2019, 10), Every::Quarter, Critique),
    m("Chariot élévateur CE-33", &CHARIOT, (KENITRA, Kenitra, 2), ("Hyster", "J2.5XN", "A268N-09314"), (2021, 9), Every::HalfYear, NonCritique),
    m("Pompe centrifuge P-401 A", &POMPE, (JORF_LASFAR, Littoral, 3), ("Sulzer", "Ahlstar A22-80", "SZ-A22-10266"), (2014, 4), Every::Month, Critique),
    m("Pompe centrifuge P-401 B", &POMPE, (JORF_LASFAR, Littoral, 3), ("Sulzer", "Ahlstar A22-80", "SZ-A22-10267"), (2014, 4), Every::Quarter, Important),
    m("Tour de refroidissement TR-41", &TOUR, (JORF_LASFAR, Littoral, 3), ("Evapco", "AT 112-612", "11-438820"), (2016, 5), Every::HalfYear, Important),
    m("Transformateur TR-HTA 41", &TRANSFORMATEUR, (JORF_LASFAR, Littoral, 3), ("Siemens", "GEAFOL Neo 2000 kVA", "GN-2000-6127"), (2019, 1), Every::Year, Critique),
    m("Pont roulant 5 t PR-41", &PONT, (SAFI, Littoral, 3), ("Konecranes", "CXT 5 t", "KC-CXT-77840"), (2016, 3), Every::HalfYear, Standard),
    m("Compresseur à vis C-40 (réformé)", &COMPRESSEUR, (SAFI, Littoral, 3), ("Ingersoll Rand", "SSR M75", "3302-R96"), (2003, 5), Every::Quarter, NonCritique),
];

const fn m(
    nom: &'static str,
    kind: &'static Kind,
    (localisation, team, client): (&'static str, Team, usize),
    (marque, modele, serie): (&'static str, &'static str, &'static str),
    acquired: (i32, u32),
    every: Every,
    criticite: CriticiteEquipement,
) -> Machine {
    Machine {
        nom,
        kind,
        localisation,
        team,
        client,
        marque,
        modele,
        serie,
        acquired,
        every,
        criticite,
    }
}
