//! The checks of a program that runs: with its own connections, and within seconds. Those of the database are apart from those of what
//! is outside, which cost others something, and so are made less often.
use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Finding, database, error, outside, settings, within};
use crate::{Config, Ctx, Text};

/// The lines of the settings and of the database, within `limit`.
pub async fn look_inside(ctx: &Ctx, limit: Duration) -> Vec<(Check, Finding)> {
    let mut lines = vec![(Check::Settings, settings(&ctx.config))];
    lines.extend(database_lines(ctx, limit).await);
    lines
}

/// The lines of files and mails, within `limit`: writes a file, and signs in to the mail server. What this program is not set up to
/// reach is not checked, and said so.
pub async fn look_outside(ctx: &Ctx, limit: Duration) -> Vec<(Check, Finding)> {
    let (files, smtp) = tokio::join!(within(limit, files(ctx)), smtp(ctx, limit));
    vec![(Check::Files, files), (Check::Smtp, smtp)]
}

async fn database_lines(ctx: &Ctx, limit: Duration) -> Vec<(Check, Finding)> {
    let mut lines = Vec::new();
    let all = async {
        let version = database::version(&ctx.pool, &ctx.config).await;
        let answers = matches!(version, Finding::Good(_));
        lines.push((Check::Database, version));
        if answers {
            let tell = &mut |check, finding| lines.push((check, finding));
            database::examine_open(&ctx.pool, &ctx.config, limit, tell).await;
        } else {
            lines.extend(Check::OF_DATABASE.map(|check| (check, database::first())));
        }
    };
    if timeout(limit, all).await.is_err() {
        // The check that was not told any more is the one that took so long.
        let wanted = [Check::Database].into_iter().chain(Check::OF_DATABASE).skip(lines.len());
        let late = wanted.enumerate().map(|(n, check)| match n {
            0 => (check, Finding::late(limit)),
            _ => (check, not_reached()),
        });
        lines.extend(late.collect::<Vec<_>>());
    }
    lines
}

fn not_reached() -> Finding {
    Finding::skipped(
        "le temps a manqué : les vérifications d'avant ont tout pris",
        "there was no time left: the checks before took all of it",
    )
}

/// Goes on when nobody waits any more, so that the file of the check is deleted in any case.
async fn files(ctx: &Ctx) -> Finding {
    let (storage, config) = (ctx.storage.clone(), ctx.config.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is lost with it but a file that is purged"
    )]
    let check = tokio::spawn(async move { outside::of_storage(&storage, &config).await });
    check.await.unwrap_or_else(|panic| {
        Finding::bad(
            error(&panic),
            Text::new("lisez le journal de cette API", "read the log of this API"),
        )
    })
}

/// The mail server, where this program was told of one.
async fn smtp(ctx: &Ctx, limit: Duration) -> Finding {
    if !knows_smtp(&ctx.config) {
        return Finding::Skipped(Text::new(
            "cette API n'a pas SMTP_HOST, que seuls les workers utilisent : lancez erp-worker doctor là où ils sont",
            "this API has no SMTP_HOST, which only workers use: run erp-worker doctor where they are",
        ));
    }
    within(limit, Box::pin(outside::of_smtp(&ctx.mailer, &ctx.config))).await
}

fn knows_smtp(config: &Config) -> bool {
    ["SMTP_HOST", "SMTP_PORT"].iter().any(|name| config.sources.is_given(name))
}
