//! How much work a technicien has, and whom to give an intervention to.
use chrono::{DateTime, Datelike as _, Days, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::{
    Error, Noun, Result, enumeration,
    input::{Ids, Input, Whole},
    interventions::TechnicienDe,
    local,
    techniciens::DisponibiliteTechnicien,
};

enumeration! {
    /// How much somebody has to do: nothing, one or two open interventions, three or four, five and more.
    Charge {
        Libre = "Libre",
        Normale = "Normale",
        Elevee = "Élevée",
        Surcharge = "Surchargé",
    }
}

impl Charge {
    fn of(ouvertes: i64) -> Self {
        match ouvertes {
            ..=0 => Self::Libre,
            1..=2 => Self::Normale,
            3..=4 => Self::Elevee,
            _ => Self::Surcharge,
        }
    }
}

/// The work that a technicien has before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ChargeOut {
    pub technicien_id: i64,
    /// Interventions that are theirs and not over.
    pub ouvertes: i64,
    /// Those of them whose deadline is in this week, Monday to Sunday by the clock in Morocco.
    pub cette_semaine: i64,
    /// Those of them whose deadline has passed.
    pub en_retard: i64,
    pub label: Charge,
}

/// The work of technicien `id` at `now`.
pub async fn charge(pool: &PgPool, id: i64, now: DateTime<Utc>) -> Result<ChargeOut> {
    let today = local::day_of(now);
    let monday = today - Days::new(today.weekday().num_days_from_monday().into());
    let counted = sqlx::query!(
        r#"
            select count(i.id) as "ouvertes!",
                   count(i.id) filter (where i.date_limite >= $2 and i.date_limite < $3) as "cette_semaine!",
                   count(i.id) filter (where i.date_limite < $4) as "en_retard!"
            from techniciens t
            left join interventions i
                on i.technicien_id = t.id and i.statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
            where t.id = $1 and t.supprime_le is null
            group by t.id
        "#,
        id,
        local::start_of(monday),
        local::start_of(monday + Days::new(7)),
        now,
    )
    .fetch_optional(pool)
    .await?
    .ok_or(Error::NotFound(Noun::TECHNICIEN))?;
    Ok(ChargeOut {
        technicien_id: id,
        ouvertes: counted.ouvertes,
        cette_semaine: counted.cette_semaine,
        en_retard: counted.en_retard,
        label: Charge::of(counted.ouvertes),
    })
}

/// What is asked of a list of suggestions.
#[derive(Debug, Clone, Input)]
pub struct SuggestionFilter {
    /// The skills that the work requires; absent: those whose names are in the texts of the intervention and its machine.
    #[input(as = Ids)]
    pub competences_ids: Option<Vec<i64>>,
    /// 1..=100
    #[input(as = Whole<1, 100>, or = Whole(10))]
    pub limit: usize,
}

/// Somebody to whom an intervention may be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Suggestion {
    pub technicien: TechnicienDe,
    pub disponibilite: DisponibiliteTechnicien,
    /// Interventions that are theirs and not over.
    pub ouvertes: i64,
    /// The names of the skills of theirs that the work takes.
    pub competences: Vec<String>,
    /// 0 to 100.
    pub score: i64,
}

/// From 0 to 100: 50, plus 30 for somebody available; for others plus 15 with at most one open intervention, and minus 20 with
/// more. Plus 5 for each required skill, at most 20.
fn score(disponibilite: DisponibiliteTechnicien, ouvertes: i64, competences: usize) -> i64 {
    let time = match disponibilite {
        DisponibiliteTechnicien::Disponible => 30,
        _ if ouvertes <= 1 => 15,
        _ => -20,
    };
    let skills = i64::try_from(competences).unwrap_or(i64::MAX).saturating_mul(5).min(20);
    (50 + time + skills).clamp(0, 100)
}

/// The techniciens to whom intervention `id` may be given, the best first: by score, then by the fewest open interventions.
pub async fn suggestions(
    pool: &PgPool,
    id: i64,
    filter: &SuggestionFilter,
) -> Result<Vec<Suggestion>> {
    // More techniciens than any company has.
    const MOST: i64 = 1000;
    let competences = match &filter.competences_ids {
        Some(ids) => ids.clone(),
        None => required(pool, id).await?,
    };
    let rows = sqlx::query!(
        r#"
            with ouvertes as (
                select technicien_id, count(*) as nombre
                from interventions
                where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and technicien_id is not null
                group by technicien_id
            )
            select t.id, u.full_name, t.equipe, t.disponibilite as "disponibilite: DisponibiliteTechnicien",
                   coalesce(o.nombre, 0) as "ouvertes!",
                   array(select c.nom from technicien_competences tc join competences c on c.id = tc.competence_id
                         where tc.technicien_id = t.id and c.id = any($1) order by c.nom collate "fr-x-icu") as "competences!"
            from techniciens t
            join users u on u.id = t.user_id and u.is_active
            left join ouvertes o on o.technicien_id = t.id
            where t.supprime_le is null
            order by t.id limit $2
        "#,
        &competences,
        MOST,
    )
    .fetch_all(pool)
    .await?;
    let mut suggestions: Vec<_> = rows
        .into_iter()
        .map(|row| Suggestion {
            score: score(row.disponibilite, row.ouvertes, row.competences.len()),
            technicien: TechnicienDe { id: row.id, full_name: row.full_name, equipe: row.equipe },
            disponibilite: row.disponibilite,
            ouvertes: row.ouvertes,
            competences: row.competences,
        })
        .collect();
    suggestions.sort_by_key(|s| (-s.score, s.ouvertes, s.technicien.id));
    suggestions.truncate(filter.limit);
    Ok(suggestions)
}

/// The skills whose names are in the texts of intervention `id` and its machine, in any case, with or without accents.
async fn required(pool: &PgPool, id: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select c.id
            from interventions i
            join equipements e on e.id = i.equipement_id
            join competences c on recherche(translate(concat_ws(' ', i.titre, i.description, e.nom, e.type), '''’-', '   ')) 
                -- Where a word begins: « Eau » is in « fuite d'eau », and not in « tableau ».
                like '% ' || ltrim(motif(c.nom), '% ')
            where i.id = $1
            order by c.id limit 1000
        "#,
        id,
    )
    .fetch_all(pool)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DisponibiliteTechnicien::{Conge, Disponible, Occupe};

    #[test]
    fn the_score_is_that_of_the_rule() {
        for (disponibilite, ouvertes, competences, expected) in [
            (Disponible, 0, 0, 80),
            (Disponible, 9, 0, 80),
            (Disponible, 0, 1, 85),
            (Disponible, 0, 4, 100),
            (Disponible, 0, 9, 100),
            (Occupe, 1, 0, 65),
            (Conge, 0, 2, 75),
            (Occupe, 2, 0, 30),
            (Occupe, 2, 7, 50),
        ] {
            let found = score(disponibilite, ouvertes, competences);
            assert_eq!(found, expected, "{disponibilite} {ouvertes} {competences}");
        }
    }

    #[test]
    fn a_charge_has_its_word() {
        let words = [0, 1, 2, 3, 4, 5, 60].map(|n| Charge::of(n).as_str());
        let (normale, elevee, surcharge) = ("Normale", "Élevée", "Surchargé");
        assert_eq!(words, ["Libre", normale, normale, elevee, elevee, surcharge, surcharge]);
    }
}
