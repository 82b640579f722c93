//! Fork-lifts, conveyors, cranes, presses.

use super::short::{AMELIORATION, DIAGNOSTIC, PANNE, PANNE_HAUTE, PANNE_URGENTE};
use super::{Kind, intervention, visit};

pub(in super::super) const CHARIOT: Kind = Kind {
    nom: "Chariot élévateur",
    skill: 10,
    visit: visit(
        "Graissage du mât, contrôle des chaînes et des fourches, freins, direction, niveaux, essai en charge.",
        "Chaînes allongées de 1,1 % (limite 3 %), fourches sans fissure, freins réglés. Essai à 1,5 t sans dérive. Carnet signé.",
        120,
        350,
    ),
    others: [
        intervention(
            PANNE_HAUTE,
            "Le mât redescend en charge",
            "Descente de 10 cm en cinq minutes avec une palette de 800 kg.",
            "Joints du vérin de levage remplacés, distributeur contrôlé. Dérive de 4 mm en dix minutes à 1,5 t : conforme.",
            240,
            1650,
        ),
        intervention(
            PANNE,
            "Autonomie de batterie insuffisante",
            "Le chariot s'arrête après trois heures de poste.",
            "Trois éléments à moins de 1,8 V remplacés, appoint d'eau déminéralisée, charge d'égalisation. Autonomie de six heures au poste suivant.",
            180,
            4800,
        ),
        intervention(
            PANNE_HAUTE,
            "Frein de stationnement inefficace",
            "Le chariot recule sur la rampe du quai 2. Mis hors service par le chef de quai.",
            "Câble détendu et garnitures usées, remplacés. Tenue vérifiée en charge sur une pente de 15 %.",
            150,
            1120,
        ),
        intervention(
            AMELIORATION,
            "Pose de feux bleus et d'un avertisseur de recul",
            "Recommandation du comité d'hygiène et de sécurité après un presque accident.",
            "Feux bleus avant et arrière et avertisseur posés, alimentés par le contact, essais faits avec les caristes.",
            120,
            980,
        ),
    ],
};

pub(in super::super) const CONVOYEUR: Kind = Kind {
    nom: "Convoyeur",
    skill: 4,
    visit: visit(
        "Tension et centrage de la bande, graissage des paliers, contrôle des arrêts d'urgence et des capteurs, niveau du réducteur.",
        "Bande recentrée, deux rouleaux bruyants remplacés, câbles d'arrêt d'urgence essayés sur toute la longueur. Réducteur sans fuite.",
        150,
        420,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Bande déportée, ligne arrêtée",
            "La bande frotte sur le châssis et s'effiloche du côté gauche.",
            "Tambour de renvoi encrassé et tendeur desserré. Nettoyage, réglage, bord de bande repris à chaud. Deux heures de marche sans dérive.",
            150,
            240,
        ),
        intervention(
            PANNE_HAUTE,
            "Défaut de variateur au démarrage",
            "Surintensité à chaque démarrage en charge.",
            "Frein du motoréducteur collé. Frein remplacé, rampe portée à 4 s, courant de démarrage de 11 A.",
            180,
            2100,
        ),
        intervention(
            DIAGNOSTIC,
            "Cellule qui compte deux fois les cartons",
            "Écart de 3 % entre le comptage et la palettisation.",
            "Reflet du film plastique vu par la cellule. Cellule inclinée de 15°, temporisation de 80 ms : écart nul sur 1 000 cartons.",
            120,
            0,
        ),
        intervention(
            AMELIORATION,
            "Carter de protection au poste de tri",
            "Point rentrant accessible relevé par l'audit de sécurité.",
            "Carter fixe en polycarbonate posé avec vis imperdables, angle rentrant inaccessible au doigt d'essai.",
            210,
            2700,
        ),
    ],
};

pub(in super::super) const PONT: Kind = Kind {
    nom: "Pont roulant",
    skill: 10,
    visit: visit(
        "Contrôle du câble et du crochet, des freins, des fins de course et du limiteur de charge, graissage des galets.",
        "Câble sans fil cassé, crochet sans ouverture, limiteur déclenché à 110 % de la charge. Galets graissés. Apte au service.",
        210,
        380,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Levage bloqué, charge suspendue",
            "Moule de 3,2 t suspendu à 60 cm du sol, périmètre balisé.",
            "Fin de course haut resté enclenché. Charge déposée au frein manuel, fin de course remplacé et réglé, essais à vide et en charge.",
            180,
            1450,
        ),
        intervention(
            PANNE,
            "Télécommande qui perd la liaison",
            "Arrêts intempestifs en bout de halle.",
            "Antenne du récepteur desserrée et accumulateur fatigué. Antenne refixée, deux accumulateurs neufs, portée vérifiée sur 40 m.",
            90,
            760,
        ),
        intervention(
            DIAGNOSTIC,
            "Bruit au passage des galets côté nord",
            "Claquement régulier en translation, plus fort à vide.",
            "Éclisse de rail décalée de 3 mm et galet plat sur 8 mm. Éclisse reprise, galet à remplacer au prochain arrêt.",
            150,
            0,
        ),
        intervention(
            AMELIORATION,
            "Éclairage de zone par projecteurs rouges",
            "Mieux signaler la charge aux piétons de l'allée centrale.",
            "Deux projecteurs à lignes rouges posés sous le chariot, alimentés par la guirlande, réglés à 1,5 m de part et d'autre.",
            180,
            3900,
        ),
    ],
};

pub(in super::super) const PRESSE: Kind = Kind {
    nom: "Presse",
    skill: 1,
    visit: visit(
        "Analyse et filtration de l'huile, contrôle des accumulateurs, des sécurités à deux mains et du rideau immatériel, serrages.",
        "Huile classée 17/15/12 après filtration, accumulateurs regonflés à 90 bar. Rideau et commande à deux mains conformes, temps d'arrêt de 168 ms.",
        270,
        1150,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Fuite d'huile sur le vérin principal",
            "Jet d'huile à la montée, presse arrêtée et zone sécurisée.",
            "Joints de tige et bague de guidage remplacés, tige polie. Cinquante cycles à 250 bar sans suintement.",
            420,
            7850,
        ),
        intervention(
            PANNE_HAUTE,
            "Perte de pression en maintien",
            "La pression passe de 250 à 210 bar pendant le maintien : pièces rebutées.",
            "Clapet piloté usé et joint de bloc écrasé. Remplacés, chute de 3 bar en une minute.",
            300,
            4300,
        ),
        intervention(
            DIAGNOSTIC,
            "Échauffement anormal de l'huile",
            "Huile à 63 °C en fin de poste pour 48 °C d'habitude.",
            "Limiteur de pression qui passe en continu et échangeur entartré. Échangeur détartré, limiteur à remplacer : devis transmis.",
            210,
            150,
        ),
        intervention(
            AMELIORATION,
            "Compteur de cycles et alarme de graissage",
            "Le graissage dépend aujourd'hui de la mémoire de l'opérateur.",
            "Compteur programmé dans l'automate, rappel au pupitre tous les 5 000 cycles, acquittement tracé.",
            240,
            600,
        ),
    ],
};
