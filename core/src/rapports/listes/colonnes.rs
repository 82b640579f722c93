//! The columns of each list: where the route's answer has the value, what the header says, what type it has.
use Genre::{Entier, Instant, Montant, Mot, Noms, Objet, OuiNon, Texte};

/// A column of a report.
#[derive(Debug, Clone, Copy)]
pub struct Colonne {
    /// Where a row of the route's answer has its value: `client.nom_entreprise`.
    pub chemin: &'static str,
    /// The header, with the unit.
    pub fr: &'static str,
    pub en: &'static str,
    pub genre: Genre,
    /// Characters.
    pub largeur: u16,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Genre {
    Texte,
    /// A code of the contract, shown in words.
    Mot,
    Entier,
    /// Centimes of MAD.
    Montant,
    Instant,
    OuiNon,
    /// The names of several things.
    Noms,
    /// JSON as it is.
    Objet,
}

const fn colonne(
    chemin: &'static str,
    fr: &'static str,
    en: &'static str,
    genre: Genre,
    largeur: u16,
) -> Colonne {
    Colonne { chemin, fr, en, genre, largeur }
}

pub(super) const INTERVENTIONS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("titre", "Titre", "Title", Texte, 40),
    colonne("type", "Type", "Type", Mot, 13),
    colonne("statut", "Statut", "Status", Mot, 13),
    colonne("priorite", "Priorité", "Priority", Mot, 13),
    colonne("urgence", "Urgence", "Urgent", OuiNon, 10),
    colonne("client.nom_entreprise", "Client", "Client", Texte, 28),
    colonne("equipement.nom", "Équipement", "Equipment", Texte, 28),
    colonne("equipement.localisation", "Localisation", "Location", Texte, 24),
    colonne("technicien.full_name", "Technicien", "Technician", Texte, 24),
    colonne("technicien.equipe", "Équipe", "Team", Texte, 16),
    colonne("date_creation", "Ouverte le", "Opened", Instant, 17),
    colonne("date_limite", "Date limite", "Due", Instant, 17),
    colonne("en_retard", "En retard", "Overdue", OuiNon, 10),
    colonne("sla_echeance", "Prise en charge avant", "Response due", Instant, 20),
    colonne("sla_respecte", "Prise en charge à temps", "Response in time", OuiNon, 22),
    colonne("date_affectation", "Affectée le", "Assigned", Instant, 17),
    colonne("date_debut_travaux", "Travaux commencés le", "Work begun", Instant, 20),
    colonne("date_cloture", "Clôturée le", "Closed", Instant, 17),
    colonne("duree_estimee", "Durée estimée (min)", "Estimated time (min)", Entier, 19),
    colonne("duree_reelle", "Durée réelle (min)", "Actual time (min)", Entier, 18),
    colonne("temps_deplacement", "Déplacement (min)", "Travel (min)", Entier, 18),
    colonne("cout_pieces", "Pièces (MAD)", "Parts (MAD)", Montant, 14),
    colonne("cout_main_oeuvre", "Main-d'œuvre (MAD)", "Labour (MAD)", Montant, 19),
    colonne("cout_reel", "Coût réel (MAD)", "Actual cost (MAD)", Montant, 17),
    colonne("cout_estime", "Coût estimé (MAD)", "Estimated cost (MAD)", Montant, 19),
    colonne("satisfaction", "Satisfaction (1 à 5)", "Satisfaction (1 to 5)", Entier, 19),
    colonne("description", "Description", "Description", Texte, 50),
    colonne("travaux_realises", "Travaux réalisés", "Work done", Texte, 50),
    colonne("rapport_intervention", "Compte rendu", "Report", Texte, 50),
    colonne("recommandations", "Recommandations", "Recommendations", Texte, 50),
];

pub(super) const EQUIPEMENTS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("nom", "Nom", "Name", Texte, 30),
    colonne("type", "Type", "Type", Texte, 20),
    colonne("localisation", "Localisation", "Location", Texte, 24),
    colonne("statut", "Statut", "Status", Mot, 15),
    colonne("criticite", "Criticité", "Criticality", Mot, 14),
    colonne("marque", "Marque", "Make", Texte, 18),
    colonne("modele", "Modèle", "Model", Texte, 18),
    colonne("numero_serie", "Numéro de série", "Serial number", Texte, 20),
    colonne(
        "frequence_entretien",
        "Entretien tous les (jours)",
        "Service every (days)",
        Entier,
        24,
    ),
    colonne("date_acquisition", "Acquis le", "Acquired", Instant, 17),
    colonne("client_id", "N° du client", "Client no.", Entier, 12),
    colonne("description", "Description", "Description", Texte, 50),
];

pub(super) const TECHNICIENS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("user.full_name", "Nom", "Name", Texte, 28),
    colonne("user.email", "E-mail", "E-mail", Texte, 30),
    colonne("equipe", "Équipe", "Team", Texte, 18),
    colonne("disponibilite", "Disponibilité", "Availability", Mot, 15),
    colonne("competences", "Compétences", "Skills", Noms, 40),
    colonne("user.is_active", "Compte actif", "Active account", OuiNon, 14),
];

/// As users of a client see them.
pub(super) const TECHNICIENS_DEHORS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("user.full_name", "Nom", "Name", Texte, 28),
    colonne("equipe", "Équipe", "Team", Texte, 18),
    colonne("disponibilite", "Disponibilité", "Availability", Mot, 15),
    colonne("competences", "Compétences", "Skills", Noms, 40),
];

pub(super) const CLIENTS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("nom_entreprise", "Entreprise", "Company", Texte, 32),
    colonne("type_client", "Type", "Type", Mot, 15),
    colonne("ice", "ICE", "ICE", Texte, 18),
    colonne("niveau_service", "Niveau de service", "Service level", Mot, 17),
    colonne("email", "E-mail", "E-mail", Texte, 30),
    colonne("telephone", "Téléphone", "Phone", Texte, 20),
    colonne("adresse", "Adresse", "Address", Texte, 40),
    colonne("ville", "Ville", "City", Texte, 18),
    colonne("is_active", "Actif", "Active", OuiNon, 9),
    colonne("date_creation", "Créé le", "Created", Instant, 17),
];

pub(super) const PLANNINGS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("equipement_id", "N° de l'équipement", "Equipment no.", Entier, 18),
    colonne("frequence", "Fréquence", "Frequency", Mot, 15),
    colonne("statut", "Statut", "Status", Mot, 13),
    colonne("prochaine_date", "Prochaine visite", "Next visit", Instant, 17),
    colonne("derniere_date", "Dernière visite", "Last visit", Instant, 17),
    colonne("commentaire", "Commentaire", "Comment", Texte, 50),
    colonne("date_creation", "Créé le", "Created", Instant, 17),
];

pub(super) const DOCUMENTS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("filename", "Fichier", "File", Texte, 36),
    colonne("intervention_id", "N° de l'intervention", "Intervention no.", Entier, 19),
    colonne("date_upload", "Déposé le", "Uploaded", Instant, 17),
    colonne("uploaded_by.full_name", "Par", "By", Texte, 24),
    colonne("status", "État", "State", Mot, 12),
    colonne("content_type", "Type", "Type", Texte, 22),
    colonne("size_bytes", "Taille (octets)", "Size (bytes)", Entier, 14),
    colonne("pages", "Pages", "Pages", Entier, 8),
    colonne("description", "Description", "Description", Texte, 40),
    colonne("sha256", "SHA-256", "SHA-256", Texte, 66),
];

pub(super) const NOTIFICATIONS: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("type", "Type", "Type", Mot, 14),
    colonne("canal", "Canal", "Channel", Mot, 10),
    colonne("contenu", "Contenu", "Content", Texte, 60),
    colonne("statut", "Envoi", "Sending", Mot, 13),
    colonne("date_envoi", "Envoyée le", "Sent", Instant, 17),
    colonne("read", "Lue", "Read", OuiNon, 8),
    colonne("user_id", "N° du destinataire", "Recipient no.", Entier, 18),
    colonne("intervention_id", "N° de l'intervention", "Intervention no.", Entier, 19),
    colonne("planning_id", "N° du planning", "Planning no.", Entier, 15),
    colonne("tentatives", "Tentatives", "Attempts", Entier, 11),
    colonne("derniere_erreur", "Dernière erreur", "Last error", Texte, 40),
];

pub(super) const HISTORIQUE: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("horodatage", "Le", "When", Instant, 17),
    colonne("statut", "Statut", "Status", Mot, 13),
    colonne("remarque", "Remarque", "Remark", Texte, 60),
    colonne("user.full_name", "Par", "By", Texte, 26),
];

pub(super) const AUDIT: &[Colonne] = &[
    colonne("id", "N°", "No.", Entier, 9),
    colonne("horodatage", "Le", "When", Instant, 17),
    colonne("action", "Action", "Action", Texte, 26),
    colonne("user_id", "N° du compte", "Account no.", Entier, 13),
    colonne("adresse_ip", "Adresse", "Address", Texte, 20),
    colonne("cible", "Cible", "Target", Texte, 15),
    colonne("cible_id", "N° de la cible", "Target no.", Texte, 38),
    colonne("avant", "Avant", "Before", Objet, 50),
    colonne("apres", "Après", "After", Objet, 50),
    colonne("session_id", "Session", "Session", Texte, 38),
    colonne("request_id", "Requête", "Request", Texte, 38),
];
