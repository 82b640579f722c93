//! Three days of a plant of three machines, and what they give.
use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Plant, check};

/// A step in the story of an intervention.
enum Step {
    /// It is opened: on which machine, its type, and the minutes that it is estimated to take.
    Open(usize, &'static str, Option<i32>),
    To(&'static str),
}
use Step::{Open, To};

pub const OLD: usize = 0;
pub const NEW: usize = 1;
pub const RETIRED: usize = 2;

/// The time of each step, in UTC, and the intervention.
const STORY: &[(&str, &str, Step)] = &[
    // Taken up before the period, and closed in it: 7 h.
    ("13T20:00:00", "before", Open(OLD, "corrective", None)),
    ("13T20:00:00", "unseen", Open(OLD, "corrective", None)),
    ("13T22:00:00", "before", To("en_cours")),
    // In the last second before the period: it is not in it.
    ("13T22:59:59", "unseen", To("cloturee")),
    // At the first instant: a failure of 9 h, with 4 h of waiting. For 4 h the other one stops the machine, too.
    ("13T23:00:00", "waiting", Open(OLD, "corrective", None)),
    ("14T01:00:00", "waiting", To("en_cours")),
    ("14T02:00:00", "waiting", To("en_attente")),
    ("14T03:00:00", "before", To("cloturee")),
    ("14T06:00:00", "waiting", To("en_cours")),
    ("14T08:00:00", "waiting", To("cloturee")),
    ("14T08:00:00", "planned", Open(OLD, "preventive", None)),
    ("14T09:00:00", "planned", To("en_cours")),
    ("14T10:00:00", "of a retired one", Open(RETIRED, "corrective", None)),
    ("14T10:30:00", "of a retired one", To("en_cours")),
    ("14T11:00:00", "planned", To("cloturee")),
    ("14T12:00:00", "of a retired one", To("cloturee")),
    ("15T00:00:00", "diagnostic", Open(OLD, "diagnostic", Some(22 * 60))),
    // From two hours before its machine was there to two hours after; closed at once, without a begin of work.
    ("15T10:00:00", "early", Open(NEW, "corrective", None)),
    ("15T10:00:00", "diagnostic", To("en_cours")),
    ("15T14:00:00", "early", To("cloturee")),
    ("16T08:00:00", "cancelled", Open(NEW, "corrective", Some(9999))),
    ("16T08:00:00", "to do", Open(NEW, "preventive", None)),
    ("16T09:00:00", "cancelled", To("annulee")),
    // Open at the end, and closed at the first instant after it.
    ("16T20:00:00", "late", Open(OLD, "corrective", Some(44 * 60))),
    ("17T00:00:00", "late", To("cloturee")),
    ("18T08:00:00", "diagnostic", To("cloturee")),
];

/// Plays the story on these machines.
pub async fn play(plant: &Plant, machines: [i64; 3]) {
    let mut ids = HashMap::new();
    for (time, name, step) in STORY {
        plant.at(time);
        match step {
            Open(machine, type_, minutes) => {
                ids.insert(*name, plant.open(machines[*machine], type_, *minutes).await);
            }
            To(statut) => {
                plant.step(ids[name], statut).await;
                // A line of the history that changes no status.
                let edit = json!({"description": format!("Passée à {statut}")});
                let path = format!("/interventions/{}", ids[name]);
                let edited = plant.app.put(&plant.boss, &path, edit).await.status.as_u16();
                assert_eq!(edited == 409, ["cloturee", "annulee"].contains(statut), "{edited}");
            }
        }
    }
}

/// What the story gives.
pub fn check_the_whole(kpi: &Value) {
    for (field, expected) in [
        ("du", json!("2026-02-14")),
        ("au", json!("2026-02-16")),
        ("debut", json!("2026-02-13T23:00:00Z")),
        ("fin", json!("2026-02-17T00:00:00Z")),
        ("zone", json!("Africa/Casablanca")),
        ("client_id", json!(null)),
        ("equipement_id", json!(null)),
        ("calcule_le", json!("2026-02-20T12:00:00Z")),
    ] {
        assert_eq!(kpi[field], expected, "{field}");
    }
    // In service: 73 h and, since noon of the 15th, 36 h. Stopped: 9 h and 4 h of the old machine, 2 h of the new one. Two failures: the one
    // of the new machine was before its acquisition, and the retired one does not count.
    let inputs = json!({
        "heures_en_service": 109.0, "heures_arret": 15.0, "equipements_en_service": 2,
        "equipements_sans_date_acquisition": 1, "equipements_retires": 1,
    });
    check(kpi, "disponibilite", &json!(86.24), &inputs);
    check(kpi, "mtbf", &json!(47.0), &json!({"heures_arret": 15.0, "defaillances": 2}));
    // (7 + 9 + 2 + 4) / 4
    let inputs = json!({"heures_de_remise_en_etat": 22.0, "encore_ouvertes_a_la_fin": 1});
    check(kpi, "mttr", &json!(5.5), &inputs);
    // 44 h and 22 h, and 33 h for the one without an estimate; two techniciens, one of whom left later. 99 / 88
    let inputs = json!({
        "heures_estimees": 66.0, "heures_supposees": 33.0, "techniciens": 2, "ouvertes_a_la_fin": 3,
        "sans_duree_estimee": 1, "heures_par_technicien": 44.0,
    });
    check(kpi, "backlog", &json!(1.13), &inputs);
    // 5 h, 7 h, 2 h and 1.5 h, and one whose work was not measured: one of five.
    let inputs = json!({
        "planifiees": 1, "cloturees": 5, "sans_duree_reelle": 1, "heures": 15.5, "heures_planifiees": 2.0,
    });
    check(kpi, "ratio_planifie", &json!(20.0), &inputs);
    // Of 0.5 h, 2 h, 4 h and 10 h.
    let inputs = json!({"reponses": 4, "sans_reponse_a_la_fin": 1, "heures_attente_deduites": 0.0});
    check(kpi, "premiere_reponse_p50", &json!(3.0), &inputs);
    check(kpi, "premiere_reponse_p90", &json!(8.2), &json!({"centile": 90}));
    // Of 2 h, 4 h, 7 h, and 9 h without the 4 of waiting.
    let inputs =
        json!({"resolutions": 4, "non_resolues_a_la_fin": 2, "heures_attente_deduites": 4.0});
    check(kpi, "resolution_p50", &json!(4.5), &inputs);
    check(kpi, "resolution_p90", &json!(6.4), &json!({}));
    let words = &kpi["indicateurs"]["mtbf"];
    assert_eq!(words["source"], "EN 15341:2007, T17 ; termes de EN 13306");
    assert_eq!(words["formule"], "(heures_en_service - heures_arret) / defaillances");
}

/// The inputs of the parts add up to those of the whole, but for those that are no sums.
pub fn check_the_sum(whole: &Value, parts: &[Value]) {
    const OTHERS: [&str; 4] =
        ["centile", "techniciens", "heures_par_technicien", "heures_supposees"];
    let mut seen = 0;
    for (name, one) in whole["indicateurs"].as_object().unwrap() {
        for (input, whole) in one["entrees"].as_object().unwrap() {
            if OTHERS.contains(&input.as_str()) {
                continue;
            }
            let of = |part: &Value| part["indicateurs"][name]["entrees"][input].as_f64().unwrap();
            let error = parts.iter().map(of).sum::<f64>() - whole.as_f64().unwrap();
            assert!(error.abs() < 0.001, "{name}.{input}: {error}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}
