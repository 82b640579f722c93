//! Pumps, furnaces, boilers, cooling towers.

use super::short::{AMELIORATION, DIAGNOSTIC, PANNE, PANNE_HAUTE, PANNE_URGENTE};
use super::{Kind, intervention, visit};

pub(in super::super) const POMPE: Kind = Kind {
    nom: "Pompe centrifuge",
    skill: 0,
    visit: visit(
        "Contrôle des vibrations et de l'alignement, vidange du palier, contrôle de la garniture et du filtre d'aspiration.",
        "Vibrations 2,1 mm/s, alignement au laser conforme, huile du palier remplacée. Garniture sans fuite, filtre nettoyé. Rien à signaler.",
        150,
        460,
    ),
    others: [
        intervention(
            PANNE_HAUTE,
            "Fuite à la garniture mécanique",
            "Écoulement continu sous le corps de pompe, bac de rétention presque plein. La pompe tourne encore.",
            "Garniture mécanique remplacée, portée de l'arbre polie, joint de volute neuf. Essai de 30 min au débit nominal : aucune fuite.",
            240,
            2850,
        ),
        intervention(
            PANNE_URGENTE,
            "Palier chaud et bruit de roulement",
            "Bruit métallique côté accouplement, palier à 92 °C. Pompe arrêtée par l'opérateur, pompe de secours en service.",
            "Roulements 6309 C3 remplacés des deux côtés, accouplement réaligné (0,04 mm). Température stabilisée à 54 °C après une heure.",
            330,
            1980,
        ),
        intervention(
            DIAGNOSTIC,
            "Débit insuffisant au refoulement",
            "Débit en baisse depuis deux semaines : 62 m³/h mesurés pour 80 m³/h demandés.",
            "Roue usée (jeu de 1,1 mm aux bagues) et crépine colmatée à moitié. Crépine nettoyée, débit remonté à 71 m³/h. Remplacement de la roue à prévoir.",
            180,
            0,
        ),
        intervention(
            AMELIORATION,
            "Pose d'un pressostat contre la marche à sec",
            "Demande du service exploitation après deux marches à sec lors du nettoyage du bac.",
            "Pressostat posé sur l'aspiration, câblé en sécurité dans l'armoire, seuil réglé à 0,3 bar. Opérateurs informés.",
            210,
            1350,
        ),
    ],
};

pub(in super::super) const FOUR: Kind = Kind {
    nom: "Four industriel",
    skill: 7,
    visit: visit(
        "Contrôle des résistances et des thermocouples, étalonnage du régulateur, état du réfractaire et des joints de porte.",
        "Neuf résistances équilibrées, écart de 3 °C à 850 °C après réglage. Joint de porte encore bon, à remplacer à la prochaine visite.",
        240,
        320,
    ),
    others: [
        intervention(
            PANNE_HAUTE,
            "Montée en température trop lente",
            "La consigne de 850 °C est atteinte en quatre heures au lieu de deux et demie.",
            "Résistance de la zone 2 coupée et contacteur de puissance charbonné. Les deux remplacés, montée à 850 °C en 2 h 25.",
            300,
            6400,
        ),
        intervention(
            PANNE_URGENTE,
            "Thermocouple en défaut, four arrêté",
            "Alarme de rupture de sonde en cours de cycle, charge restée dans le four.",
            "Thermocouple de type K remplacé avec sa gaine, câble de compensation refait. Étalonnage vérifié sur trois points.",
            150,
            1240,
        ),
        intervention(
            DIAGNOSTIC,
            "Écarts de dureté sur les pièces traitées",
            "La qualité signale des écarts de dureté entre le haut et le bas de la charge.",
            "Cartographie thermique à neuf sondes : 22 °C d'écart en bas à gauche. Déflecteur déformé, remplacement chiffré et transmis au client.",
            420,
            0,
        ),
        intervention(
            AMELIORATION,
            "Isolation de la sole et de la porte",
            "Objectif de réduction de la consommation : pertes visibles à la caméra thermique autour de la porte.",
            "Nappe de fibre céramique posée sur la sole et le pourtour de la porte. Température de paroi passée de 96 à 58 °C.",
            480,
            8900,
        ),
    ],
};

pub(in super::super) const TOUR: Kind = Kind {
    nom: "Tour de refroidissement",
    skill: 0,
    visit: visit(
        "Nettoyage du bassin et du corps d'échange, tension des courroies, contrôle du traitement d'eau et prélèvement pour analyse de légionelles.",
        "Bassin vidangé et désinfecté, courroies retendues, pulvérisation homogène. Prélèvement remis au laboratoire, traitement d'eau conforme.",
        270,
        780,
    ),
    others: [
        intervention(
            PANNE_HAUTE,
            "Vibrations du ventilateur",
            "Vibrations ressenties sur la passerelle, coupure par le capteur de sécurité deux fois dans la semaine.",
            "Pale entartrée et vis de moyeu desserrée. Nettoyage, serrage au couple, équilibrage sur place : 2,8 mm/s.",
            260,
            420,
        ),
        intervention(
            PANNE,
            "Niveau d'eau instable, trop-plein permanent",
            "Consommation d'appoint doublée sur le dernier relevé.",
            "Vanne à flotteur grippée remplacée, niveau réglé à 12 cm sous le trop-plein.",
            120,
            960,
        ),
        intervention(
            DIAGNOSTIC,
            "Eau refroidie trop chaude en après-midi",
            "Température de départ à 33 °C pour 27 °C demandés entre 13 h et 17 h.",
            "Rampe de pulvérisation bouchée sur un tiers. Buses nettoyées, approche ramenée à 4 °C. Détartrage du corps d'échange conseillé.",
            200,
            0,
        ),
        intervention(
            AMELIORATION,
            "Variateur de vitesse sur le ventilateur",
            "Le ventilateur fonctionne en tout ou rien : à-coups et surconsommation la nuit.",
            "Variateur de 11 kW posé, régulation sur la température de départ, bande interdite à 31 Hz.",
            420,
            14_500,
        ),
    ],
};

pub(in super::super) const CHAUDIERE: Kind = Kind {
    nom: "Chaudière vapeur",
    skill: 7,
    visit: visit(
        "Réglage de combustion, essai des sécurités de niveau et de pression, purge, contrôle de l'eau d'alimentation.",
        "Rendement de 91,8 % en grande allure, CO à 24 ppm. Sécurités de niveau et soupape essayées en présence du conducteur. Dureté de l'eau : 0,1 °f.",
        300,
        650,
    ),
    others: [
        intervention(
            PANNE_URGENTE,
            "Brûleur en sécurité, plus de vapeur",
            "Mise en sécurité au démarrage, production arrêtée à l'autoclave.",
            "Cellule de flamme encrassée et électrode d'allumage fissurée. Remplacées, dix démarrages de suite sans défaut.",
            180,
            1720,
        ),
        intervention(
            PANNE_HAUTE,
            "Fuite de vapeur au regard de niveau",
            "Sifflement et panache au regard gauche, pression de service à 8 bar.",
            "Glaces et joints du regard remplacés, robinets rodés, épreuve à 10 bar tenue 30 min.",
            210,
            2260,
        ),
        intervention(
            DIAGNOSTIC,
            "Consommation de gaz en hausse de 12 %",
            "Écart relevé par le service énergie entre deux mois de production comparables.",
            "Excès d'air de 38 % en petite allure et purge continue trop ouverte. Came de combustion réglée, débit de purge ramené à 4 %.",
            240,
            0,
        ),
        intervention(
            AMELIORATION,
            "Calorifugeage du collecteur de vapeur",
            "Collecteur nu sur six mètres en chaufferie, risque de brûlure au passage.",
            "Coquilles de laine de roche et tôle d'aluminium posées, vannes sous matelas démontables.",
            360,
            5300,
        ),
    ],
};
