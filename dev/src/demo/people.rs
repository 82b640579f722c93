//! Who works at the demo's company, and for whom.

use erp_core::techniciens::DisponibiliteTechnicien::{self, Conge, Disponible, Formation, Occupe};

/// Someone with an account.
#[derive(Debug)]
pub(super) struct Person {
    pub username: &'static str,
    pub full_name: &'static str,
    pub email: &'static str,
}

pub(super) static ADMIN: Person = person("admin", "Administration MIF", "admin@mif-maroc.example");

pub(super) static RESPONSABLES: [Person; 2] = [
    person("responsable", "Salma Bennis", "responsable@mif-maroc.example"),
    person("k.ouazzani", "Karim Ouazzani", "k.ouazzani@mif-maroc.example"),
];

/// A team and where it is based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Team {
    Casablanca,
    Tanger,
    Kenitra,
    Littoral,
}

impl Team {
    pub fn name(self) -> &'static str {
        match self {
            Team::Casablanca => "Équipe Casablanca",
            Team::Tanger => "Équipe Tanger",
            Team::Kenitra => "Équipe Kénitra",
            Team::Littoral => "Équipe Jorf Lasfar - Safi",
        }
    }
}

#[derive(Debug)]
pub(super) struct Technicien {
    pub person: Person,
    pub team: Team,
    pub disponibilite: DisponibiliteTechnicien,
    /// Indices of [`SKILLS`].
    pub skills: &'static [usize],
}

impl Technicien {
    /// Whether new work may be given to them at present.
    pub fn is_there(&self) -> bool {
        matches!(self.disponibilite, Disponible | Occupe)
    }
}

pub(super) static SKILLS: [&str; 12] = [
    "Mécanique industrielle",
    "Hydraulique",
    "Air comprimé et pneumatique",
    "Électrotechnique",
    "Automatisme",
    "Froid industriel",
    "Soudure et chaudronnerie",
    "Instrumentation et régulation",
    "Habilitation haute tension",
    "Moteurs thermiques",
    "Levage et manutention",
    "Analyse vibratoire",
];

#[rustfmt::skip] // one technicien, one line
pub(super) static TECHNICIENS: [Technicien; 8] = [
    tech(person("technicien", "Youssef El Amrani", "technicien@mif-maroc.example"), Team::Casablanca, Disponible, &[0, 2, 5, 11]),
    tech(person("f.idrissi", "Fatima-Zahra Idrissi", "f.idrissi@mif-maroc.example"), Team::Casablanca, Occupe, &[3, 4, 7, 9]),
    tech(person("h.berrada", "Hicham Berrada", "h.berrada@mif-maroc.example"), Team::Casablanca, Conge, &[0, 6, 7, 10]),
    tech(person("m.chraibi", "Mehdi Chraïbi", "m.chraibi@mif-maroc.example"), Team::Tanger, Disponible, &[1, 2, 4, 10]),
    tech(person("s.lahlou", "Soukaina Lahlou", "s.lahlou@mif-maroc.example"), Team::Tanger, Occupe, &[3, 8, 9]),
    tech(person("n.zerouali", "Nabil Zerouali", "n.zerouali@mif-maroc.example"), Team::Kenitra, Disponible, &[0, 1, 7, 10]),
    tech(person("a.naciri", "Abdellah Naciri", "a.naciri@mif-maroc.example"), Team::Littoral, Disponible, &[0, 8, 10, 11]),
    tech(person("r.ouchen", "Rachid Ouchen", "r.ouchen@mif-maroc.example"), Team::Littoral, Formation, &[0, 3, 6]),
];

/// A company that is served, and its contact person.
#[derive(Debug)]
pub(super) struct Client {
    pub nom: &'static str,
    pub ice: &'static str,
    pub adresse: &'static str,
    pub ville: &'static str,
    pub email: &'static str,
    pub telephone: &'static str,
    pub niveau: &'static str,
    pub contact: Person,
}

pub(super) static CLIENTS: [Client; 4] = [
    Client {
        nom: "Conserverie Dar Chaouia SA",
        ice: "001542783000061",
        adresse: "112, boulevard Moulay Slimane, Aïn Sebaâ",
        ville: "Casablanca",
        email: "maintenance@dar-chaouia.example",
        telephone: "+212 5 22 00 01 10",
        niveau: "premium",
        contact: person("client", "Nadia Filali", "client@dar-chaouia.example"),
    },
    Client {
        nom: "Détroit Faisceaux Automobile SARL",
        ice: "002087416000038",
        adresse: "Zone franche d'exportation, îlot 14, lot 6",
        ville: "Tanger",
        email: "technique@detroit-faisceaux.example",
        telephone: "+212 5 39 00 02 20",
        niveau: "premium",
        contact: person("o.tazi", "Omar Tazi", "o.tazi@detroit-faisceaux.example"),
    },
    Client {
        nom: "Gharb Emboutissage SA",
        ice: "001963250000084",
        adresse: "Atlantic Free Zone, lot 32, route nationale 4",
        ville: "Kénitra",
        email: "usine@gharb-emboutissage.example",
        telephone: "+212 5 37 00 03 30",
        niveau: "standard",
        contact: person("i.kettani", "Imane Kettani", "i.kettani@gharb-emboutissage.example"),
    },
    Client {
        nom: "Doukkala Engrais et Chimie SA",
        ice: "000718394000027",
        adresse: "Parc industriel de Jorf Lasfar, secteur B",
        ville: "El Jadida",
        email: "exploitation@doukkala-chimie.example",
        telephone: "+212 5 23 00 04 40",
        niveau: "basique",
        contact: person("d.belkadi", "Driss Belkadi", "d.belkadi@doukkala-chimie.example"),
    },
];

/// All accounts that there are with demo data.
#[cfg(test)]
pub(super) fn everyone() -> impl Iterator<Item = &'static Person> {
    std::iter::once(&ADMIN)
        .chain(&RESPONSABLES)
        .chain(TECHNICIENS.iter().map(|technicien| &technicien.person))
        .chain(CLIENTS.iter().map(|client| &client.contact))
}

const fn person(username: &'static str, full_name: &'static str, email: &'static str) -> Person {
    Person { username, full_name, email }
}

const fn tech(
    person: Person,
    team: Team,
    disponibilite: DisponibiliteTechnicien,
    skills: &'static [usize],
) -> Technicien {
    Technicien { person, team, disponibilite, skills }
}
