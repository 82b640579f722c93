//! Compressors, generators, chillers, transformers.

use super::short::{AMELIORATION, DIAGNOSTIC, DIAGNOSTIC_HAUT, PANNE, PANNE_HAUTE, PANNE_URGENTE};
use super::{Kind, intervention, visit};

pub(in super::super) const COMPRESSEUR: Kind = Kind {
    nom: "Compresseur à vis",
    skill: 2,
    visit: visit(
        "Remplacement des filtres à air et à huile, contrôle du séparateur et des courroies, purge du réservoir, relevé des heures.",
        "Filtres remplacés, huile complétée (2 l), séparateur à 0,4 bar de perte de charge. Purge automatique en ordre. Compteur : 14 260 h.",
        180,
        3150,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Arrêt sur température d'huile trop haute",
            "Arrêt à 109 °C, réseau d'air à 4 bar, deux lignes à l'arrêt.",
            "Radiateur colmaté et vanne thermostatique bloquée. Nettoyage complet, cartouche thermostatique neuve : 84 °C en pleine charge.",
            240,
            1890,
        ),
        intervention(
            PANNE_HAUTE,
            "Fuite d'huile au joint du bloc à vis",
            "Flaque d'huile sous le capot, niveau bas en fin de poste.",
            "Joint à lèvre et bague d'usure remplacés, reniflard nettoyé. Pas de fuite après quatre heures de marche.",
            360,
            4200,
        ),
        intervention(
            DIAGNOSTIC,
            "Recherche de fuites sur le réseau d'air",
            "Le compresseur ne passe plus à vide la nuit, alors que l'atelier est arrêté.",
            "Détection par ultrasons : 17 fuites repérées et étiquetées, soit environ 1,9 m³/min. Liste remise au chef d'atelier.",
            300,
            0,
        ),
        intervention(
            AMELIORATION,
            "Récupération de chaleur vers les vestiaires",
            "Étude validée en comité énergie : l'air chaud est aujourd'hui rejeté dehors.",
            "Gaine et registre motorisé posés, bascule été-hiver au pupitre. Débit équilibré avec l'aspiration.",
            480,
            9600,
        ),
    ],
};

pub(in super::super) const GROUPE_ELECTROGENE: Kind = Kind {
    nom: "Groupe électrogène",
    skill: 9,
    visit: visit(
        "Essai en charge, contrôle des batteries et du préchauffage, vidange si plus de 250 h, essai de l'inverseur de source.",
        "Essai de 45 min à 70 % de charge : 50,1 Hz, 398 V. Batteries à 12,7 V. Inversion de source en 9 s. Niveaux faits.",
        150,
        540,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Le groupe ne démarre pas à l'essai hebdomadaire",
            "Démarreur muet, alarme de tension de batterie. Le site n'a plus de secours.",
            "Batteries en fin de vie (9,8 V en charge) et chargeur hors service. Jeu de batteries et chargeur remplacés, cinq démarrages réussis.",
            150,
            5200,
        ),
        intervention(
            PANNE_HAUTE,
            "Fuite de liquide de refroidissement",
            "Flaque sous le radiateur, appoint de deux litres par semaine.",
            "Durite inférieure et colliers remplacés, circuit mis en pression à 1 bar, antigel refait à 35 %.",
            180,
            870,
        ),
        intervention(
            DIAGNOSTIC,
            "Fumée noire à la prise de charge",
            "Fumée noire pendant dix secondes à chaque bascule.",
            "Filtre à air saturé et injecteur 4 qui goutte. Filtre remplacé, injecteurs à tarer lors de la prochaine visite.",
            180,
            310,
        ),
        intervention(
            AMELIORATION,
            "Renvoi des alarmes vers la supervision",
            "Les défauts ne sont visibles que dans le local du groupe.",
            "Passerelle Modbus posée, douze alarmes remontées à la supervision et vérifiées une à une.",
            300,
            4100,
        ),
    ],
};

pub(in super::super) const GROUPE_FROID: Kind = Kind {
    nom: "Groupe froid",
    skill: 5,
    visit: visit(
        "Contrôle d'étanchéité, nettoyage du condenseur, relevé des pressions et des températures, analyse d'huile.",
        "Aucune fuite au détecteur, condenseur nettoyé, surchauffe de 6 K. Échantillon d'huile envoyé au laboratoire. Fiche d'intervention frigorifique signée.",
        240,
        690,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Coupure haute pression, chambres froides en alarme",
            "Défaut haute pression répété depuis 6 h, la température des chambres monte.",
            "Deux ventilateurs de condenseur grippés sur quatre. Moteurs remplacés, pression ramenée à 15,8 bar. Chambres revenues à 3 °C.",
            270,
            5850,
        ),
        intervention(
            PANNE_HAUTE,
            "Manque de fluide sur le circuit 2",
            "Voyant de liquide qui bulle, puissance insuffisante en milieu de journée.",
            "Fuite à un raccord dudgeon, raccord refait, tirage au vide et charge de 6,2 kg. Registre des fluides complété.",
            330,
            7400,
        ),
        intervention(
            DIAGNOSTIC_HAUT,
            "Démarrages trop fréquents du compresseur 1",
            "Quatorze démarrages à l'heure relevés par la supervision.",
            "Sonde de départ mal plaquée et différentiel de 0,5 K. Sonde replacée, différentiel porté à 2 K : quatre démarrages à l'heure.",
            150,
            180,
        ),
        intervention(
            AMELIORATION,
            "Grilles antisable sur les condenseurs",
            "Encrassement rapide pendant les vents d'est.",
            "Grilles amovibles posées sur les quatre faces, perte de charge contrôlée, consigne de nettoyage affichée.",
            240,
            3600,
        ),
    ],
};

pub(in super::super) const TRANSFORMATEUR: Kind = Kind {
    nom: "Transformateur",
    skill: 8,
    visit: visit(
        "Consignation, dépoussiérage, serrage des connexions, mesure d'isolement, essai des sondes de température, thermographie avant coupure.",
        "Thermographie sans point chaud, isolement supérieur à 2 000 mégohms, serrages au couple. Alarme à 140 °C et déclenchement à 150 °C essayés.",
        300,
        280,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Déclenchement par la protection de température",
            "Coupure générale de l'atelier à 14 h 10, relais de température au rouge.",
            "Ventilateurs de cellule hors service, sonde de phase B conforme. Ventilateurs remplacés, remise sous tension après contrôle d'isolement.",
            240,
            2950,
        ),
        intervention(
            PANNE,
            "Bourdonnement inhabituel en cellule",
            "Bruit plus fort que d'habitude signalé par le gardien, surtout la nuit.",
            "Tôle de capotage desserrée et tension de nuit à 415 V. Fixations reprises, prise de réglage passée à +2,5 %.",
            150,
            60,
        ),
        intervention(
            DIAGNOSTIC,
            "Mesure de la qualité de tension",
            "Automates qui redémarrent sans raison, soupçon de creux de tension.",
            "Analyseur posé sept jours : deux creux à 61 % venant du réseau, taux d'harmoniques de 4,1 %. Rapport transmis au distributeur.",
            210,
            0,
        ),
        intervention(
            AMELIORATION,
            "Batterie de condensateurs",
            "Facteur de puissance à 0,84 : pénalités sur les trois dernières factures.",
            "Batterie de 150 kvar avec filtres posée et réglée, facteur de puissance de 0,97 en charge.",
            480,
            38_000,
        ),
    ],
};
