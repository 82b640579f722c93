//! The stable codes of errors, for programs: part of the contract.
use crate::enumeration;

/// Declares the codes, and a type for each: where a route names its codes, Rust asks for types.
macro_rules! codes {
    ($($code:ident = $text:literal),+ $(,)?) => {
        enumeration! {
            /// Why a request was refused. A code keeps its meaning; the sentence beside it may change.
            Code { $($code = $text),+ }
        }

        /// Each [`Code`] as a type.
        pub mod codes {
            $(
                #[derive(Debug)]
                pub struct $code;

                impl super::Codes for $code {
                    fn codes() -> Vec<super::Code> {
                        vec![super::Code::$code]
                    }
                }
            )+
        }
    };
}

/// One code, or several in a tuple.
pub trait Codes {
    fn codes() -> Vec<Code>;
}

macro_rules! tuples {
    ($(($($code:ident),+))+) => {
        $(impl<$($code: Codes),+> Codes for ($($code,)+) {
            fn codes() -> Vec<Code> {
                [$($code::codes()),+].concat()
            }
        })+
    };
}
tuples! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) }

codes! {
    ActionInterdite = "action_interdite",
    BaseNonVide = "base_non_vide",
    CleApiIntrouvable = "cle_api_introuvable",
    ClientInactif = "client_inactif",
    ClientIntrouvable = "client_introuvable",
    ClientUtilise = "client_utilise",
    CodeIncorrect = "code_incorrect",
    CompetenceExiste = "competence_existe",
    CompetenceIntrouvable = "competence_introuvable",
    CompteDeTechnicien = "compte_de_technicien",
    CompteDesactive = "compte_desactive",
    ComptePseudonymise = "compte_pseudonymise",
    CorpsTropGrand = "corps_trop_grand",
    CritereManquant = "critere_manquant",
    DefiInvalide = "defi_invalide",
    DejaAffectee = "deja_affectee",
    DejaSansTechnicien = "deja_sans_technicien",
    DernierAdministrateur = "dernier_administrateur",
    DesactivationDeSoi = "desactivation_de_soi",
    DestinataireDesactive = "destinataire_desactive",
    DocumentDUnAutre = "document_d_un_autre",
    DocumentIntrouvable = "document_introuvable",
    DonneesInvalides = "donnees_invalides",
    EmailDejaUtilise = "email_deja_utilise",
    EntetesTropGrands = "entetes_trop_grands",
    EnvoiIntrouvable = "envoi_introuvable",
    EnvoiNonRenvoyable = "envoi_non_renvoyable",
    EquipementExiste = "equipement_existe",
    EquipementIntrouvable = "equipement_introuvable",
    EquipementUtilise = "equipement_utilise",
    ErreurInterne = "erreur_interne",
    ExportIntrouvable = "export_introuvable",
    FichierIntrouvable = "fichier_introuvable",
    FichierTropGrand = "fichier_trop_grand",
    FileIntrouvable = "file_introuvable",
    IceDejaUtilise = "ice_deja_utilise",
    IdentiteIntrouvable = "identite_introuvable",
    IdentifiantsIncorrects = "identifiants_incorrects",
    InterventionDUnAutre = "intervention_d_un_autre",
    InterventionIntrouvable = "intervention_introuvable",
    InterventionNonCommencee = "intervention_non_commencee",
    InterventionSansTechnicien = "intervention_sans_technicien",
    InterventionTerminee = "intervention_terminee",
    InvitationIntrouvable = "invitation_introuvable",
    InvitationRecente = "invitation_recente",
    JetonExpire = "jeton_expire",
    JetonInvalide = "jeton_invalide",
    LienExpire = "lien_expire",
    LienInvalide = "lien_invalide",
    LotFerme = "lot_ferme",
    LotIntrouvable = "lot_introuvable",
    LotPlein = "lot_plein",
    MethodeInterdite = "methode_interdite",
    MotDePasseActuelIncorrect = "mot_de_passe_actuel_incorrect",
    NomUtilisateurDejaUtilise = "nom_utilisateur_deja_utilise",
    NonAuthentifie = "non_authentifie",
    NotificationIntrouvable = "notification_introuvable",
    PlanificationIntrouvable = "planification_introuvable",
    PlanificationSansDate = "planification_sans_date",
    PlanningIntrouvable = "planning_introuvable",
    PorteeInsuffisante = "portee_insuffisante",
    QuotaDepotsAtteint = "quota_depots_atteint",
    RapportEnCours = "rapport_en_cours",
    RapportIntrouvable = "rapport_introuvable",
    RapportPasPret = "rapport_pas_pret",
    ReponseNonGardee = "reponse_non_gardee",
    RequeteEnCours = "requete_en_cours",
    RequeteInvalide = "requete_invalide",
    RequeteTropLente = "requete_trop_lente",
    RoleIncompatible = "role_incompatible",
    RouteIntrouvable = "route_introuvable",
    SecondFacteurAActiver = "second_facteur_a_activer",
    SecondFacteurAbsent = "second_facteur_absent",
    SecondFacteurActif = "second_facteur_actif",
    SecondFacteurDeSoi = "second_facteur_de_soi",
    SecondFacteurExige = "second_facteur_exige",
    SecondFacteurRequis = "second_facteur_requis",
    ServiceIndisponible = "service_indisponible",
    SessionIntrouvable = "session_introuvable",
    SessionTerminee = "session_terminee",
    SmtpRefuse = "smtp_refuse",
    TacheIntrouvable = "tache_introuvable",
    TacheNonRelancable = "tache_non_relancable",
    TacheNonTerminee = "tache_non_terminee",
    TacheTerminee = "tache_terminee",
    TechnicienExiste = "technicien_existe",
    TechnicienIntrouvable = "technicien_introuvable",
    TechnicienSansFiche = "technicien_sans_fiche",
    TransitionInterdite = "transition_interdite",
    TropDeClesApi = "trop_de_cles_api",
    TropDeLiens = "trop_de_liens",
    TropDeRapports = "trop_de_rapports",
    TropDeRequetes = "trop_de_requetes",
    TypeDeContenuRefuse = "type_de_contenu_refuse",
    TypeDeFichierRefuse = "type_de_fichier_refuse",
    UtilisateurIntrouvable = "utilisateur_introuvable",
    VersionPerimee = "version_perimee",
    VersionRequise = "version_requise",
}
