//! The rules of time zones: which release is in force, and which processes have an older one.
use sqlx::PgPool;

use super::{Finding, error};
use crate::{
    Lang, Result, Text,
    local::{
        Version,
        rules::{self, Copies},
    },
    time_rules::{self, Instance},
};

/// What to do about an error of the database.
pub(super) fn read_the_log() -> Text {
    Text::new(
        "recommencez ; si cela dure, voyez le journal de Postgres",
        "try again; if that goes on, read the log of Postgres",
    )
}

pub(super) async fn examine(pool: &PgPool) -> Finding {
    match look(pool).await {
        Ok(verdict) => verdict,
        Err(fault) => Finding::bad(error(&fault), read_the_log()),
    }
}

async fn look(pool: &PgPool) -> Result<Finding> {
    let own = rules::own();
    let postgres = time_rules::of_postgres(pool, &own).await?;
    let in_force = time_rules::version(pool).await?;
    let instances = time_rules::instances(pool).await?;
    Ok(judge(&rules::copies(), in_force.as_ref(), postgres.as_ref(), &instances))
}

fn judge(
    copies: &Copies,
    in_force: Option<&Version>,
    postgres: Option<&Version>,
    instances: &[Instance],
) -> Finding {
    let update = || {
        Text::new(
            "mettez à jour leur image, ou tzdata sur leur machine (RUNBOOK, « Le Maroc change d'heure »)",
            "update their image, or tzdata on their machine (RUNBOOK, « Le Maroc change d'heure »)",
        )
    };
    let Some(in_force) = in_force else {
        return Finding::bad(
            Text::new("la base ne dit pas ses règles", "the database does not say its rules"),
            Text::new("lancez erp-worker run", "start erp-worker run"),
        );
    };
    let (fr, en) = match postgres {
        Some(version) if version < in_force => (
            format!("Postgres compte comme {version}, plus ancien (sans effet)"),
            format!("Postgres reckons as {version}, which is older (without effect)"),
        ),
        Some(_) => ("Postgres compte de même".to_owned(), "Postgres reckons alike".to_owned()),
        None => (
            "Postgres compte autrement (sans effet)".to_owned(),
            "Postgres reckons otherwise (without effect)".to_owned(),
        ),
    };
    let (fr, en) = (
        format!("règles {in_force} en vigueur ; ici {} ; {fr}", copies.in_lang(Lang::Fr)),
        format!("rules {in_force} in force; here {}; {en}", copies.in_lang(Lang::En)),
    );
    let behind: Vec<_> = instances
        .iter()
        .filter(|one| Version::parse(&one.version).is_none_or(|version| version < *in_force))
        .map(|one| format!("{} {} ({})", one.programme, one.instance, one.version))
        .collect();
    if !behind.is_empty() {
        let behind = behind.join(", ");
        let found =
            Text::new(format!("{fr} ; en retard : {behind}"), format!("{en}; behind: {behind}"));
        return Finding::attention(found, update());
    }
    if copies.newest() < in_force {
        return Finding::attention(Text::new(fr, en), update());
    }
    if copies.newest() > in_force {
        return Finding::attention(
            Text::new(fr, en),
            Text::new(
                "un worker d'ici les prendra en quelques secondes : lancez-en un",
                "a worker from here takes them over within seconds: start one",
            ),
        );
    }
    Finding::good(fr, en)
}
#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn instance(name: &str, version: &str) -> Instance {
        Instance {
            instance: name.into(),
            programme: "erp-worker".into(),
            version: version.into(),
            systeme: None,
            embarquee: version.into(),
        }
    }

    #[test]
    fn who_is_behind_is_named() {
        let copies = Copies { system: Ok(version("2025b")), bundle: version("2026f") };
        let said = |in_force: &str, postgres, instances: &[Instance]| {
            let postgres = Option::map(postgres, version);
            format!("{:?}", judge(&copies, Some(&version(in_force)), postgres.as_ref(), instances))
        };
        let good = said("2026f", Some("2025b"), &[instance("a-1", "2026f")]);
        assert!(good.starts_with("Good"), "{good}");
        for text in [
            "règles 2026f",
            "système 2025b, plus ancien",
            "Postgres compte comme 2025b, plus ancien",
        ] {
            assert!(good.contains(text), "{text} in {good}");
        }
        let all = [instance("a-1", "2026f"), instance("b-2", "2025b")];
        let behind = said("2026f", None, &all);
        assert!(
            behind.starts_with("Attention") && behind.contains("erp-worker b-2 (2025b)"),
            "{behind}"
        );
        assert!(!behind.contains("a-1"), "{behind}");
        assert!(said("2026g", None, &[]).starts_with("Attention"), "this program is behind");
        assert!(said("2026c", None, &[]).contains("lancez-en un"));
    }
}
