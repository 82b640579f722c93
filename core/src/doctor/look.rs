//! The checks of a program that runs: with its own connections, all at once, and within seconds.
use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Finding, database, outside, settings, within};
use crate::{Config, Ctx, Text};

/// The lines as they are from here, all of them within `limit`. What this program is not set up to reach is not checked, and said so.
pub async fn look(ctx: &Ctx, limit: Duration) -> Vec<(Check, Finding)> {
    let (mut of_database, files, smtp) = tokio::join!(
        database_lines(ctx, limit),
        within(limit, outside::of_storage(&ctx.storage, &ctx.config)),
        smtp(ctx, limit),
    );
    let mut lines = vec![(Check::Settings, settings(&ctx.config))];
    lines.append(&mut of_database);
    lines.extend([(Check::Files, files), (Check::Smtp, smtp)]);
    lines
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
            _ => (check, database::first()),
        });
        lines.extend(late.collect::<Vec<_>>());
    }
    lines
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
