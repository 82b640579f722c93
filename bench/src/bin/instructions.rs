//! How many instructions the hot paths take, beside the figures in `bench/instructions.json`: more than 5 % of difference is a
//! failure. Counted by valgrind, so that a busy machine changes nothing; in the development profile, which the tests have built
//! already. `--write` writes the figures anew. Ends with 77, and says so, where they are those of another compiler: it decides as
//! much as our code.
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail, ensure};
use axum::{body::Body, extract::ConnectInfo, http::Request};
use erp_core::{
    Config, Ctx, auth,
    config::Env,
    documents::FileKind,
    input::Fields,
    interventions::InterventionCreate,
    mailer::{Renderer, samples},
};
use erp_dev::samples::jpeg;
use erp_files::examine;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");
/// The most by which a figure may differ, up or down: one that is lower is to be written down too.
const TOLERANCE: f64 = 0.05;

/// Each path, and how often it is run to be counted.
const PATHS: [(&str, u32); 6] = [
    ("health", 300),
    ("refused_401", 300),
    ("input_of_an_intervention", 50),
    ("token_signed_and_checked", 50),
    ("mail_rendered", 5),
    ("photo_of_640_x_480", 1),
];

/// What is written down.
#[derive(Serialize, Deserialize)]
struct Figures {
    /// As `rustc --version` names itself.
    compiler: String,
    /// Instructions of one run, by path.
    paths: BTreeMap<String, u64>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", path, times] => run(path, times.parse()?)?,
        ["--write"] => {
            let figures = Figures { compiler: compiler()?, paths: count()? };
            std::fs::write(FIGURES, serde_json::to_string_pretty(&figures)? + "\n")?;
        }
        [] => return compare(),
        _ => bail!("nothing, or --write"),
    }
    Ok(ExitCode::SUCCESS)
}

fn compiler() -> anyhow::Result<String> {
    let answer = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(answer.stdout)?.trim().to_owned())
}

fn compare() -> anyhow::Result<ExitCode> {
    const NOT_MEASURED: u8 = 77;
    let known = std::fs::read(FIGURES).with_context(|| FIGURES)?;
    let known: Figures = serde_json::from_slice(&known)?;
    let compiler = compiler()?;
    if compiler != known.compiler {
        println!("NOT MEASURED: the figures are of {}, and this is {compiler}", known.compiler);
        return Ok(ExitCode::from(NOT_MEASURED));
    }
    let counted = count()?;
    ensure!(known.paths.keys().eq(counted.keys()), "{FIGURES} names other paths");
    let mut differ = 0;
    for (path, now) in &counted {
        #[expect(clippy::cast_precision_loss, reason = "a share of some percent")]
        let share = *now as f64 / known.paths[path] as f64;
        let verdict = if (share - 1.0).abs() > TOLERANCE { "DIFFERS" } else { "" };
        println!("{path:<28} {now:>12} {:>+7.1} % {verdict}", (share - 1.0) * 100.0);
        differ += usize::from(!verdict.is_empty());
    }
    ensure!(differ == 0, "{differ} paths differ by more than 5 %: find out why, or --write them");
    Ok(ExitCode::SUCCESS)
}

/// The instructions of one run of each path: those of many runs, less those of the start.
fn count() -> anyhow::Result<BTreeMap<String, u64>> {
    PATHS
        .iter()
        .map(|(path, times)| {
            // The first run fills what is made once.
            let (once, all) = (instructions(path, 1)?, instructions(path, 1 + times)?);
            Ok(((*path).to_owned(), (all - once) / u64::from(*times)))
        })
        .collect()
}

fn instructions(path: &str, times: u32) -> anyhow::Result<u64> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("counted");
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--log-file=/dev/null"]);
    command.arg(format!("--cachegrind-out-file={}", file.display()));
    command.arg(std::env::current_exe()?).args(["run", path, &times.to_string()]);
    let status = command.status().context("valgrind is not installed")?;
    ensure!(status.success(), "{command:?}: {status}");
    summary(&file)
}

/// The total in a file of cachegrind: `summary: 12345`.
fn summary(file: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("summary:"));
    Ok(line.context("no summary")?.trim().parse()?)
}

fn run(path: &str, times: u32) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match path {
        "health" => runtime.block_on(requests("/health", 200, times)),
        "refused_401" => runtime.block_on(requests("/api/v1/interventions", 401, times)),
        "input_of_an_intervention" => {
            let body = serde_json::json!({
                "titre": "Fuite à la garniture", "type": "corrective", "priorite": "haute", "equipement_id": 7,
                "description": "Signalé par l'atelier.", "date_limite": "2026-12-01T10:00:00Z",
            });
            let body = body.as_object().context("an object")?;
            (0..times).try_for_each(|_| {
                Fields::json(body.clone()).parse::<InterventionCreate>()?;
                Ok(())
            })
        }
        "token_signed_and_checked" => runtime.block_on(async {
            let ctx = ctx()?;
            let now = ctx.clock.now();
            (0..times).try_for_each(|_| {
                let token = auth::unsubscribe_token(&ctx.keys, 7, now)?;
                ensure!(auth::unsubscribed_user(&ctx.keys, &token, now)? == 7);
                Ok(())
            })
        }),
        "mail_rendered" => {
            let (renderer, samples) = (Renderer::new()?, samples::all());
            let sample = samples.first().context("a sample")?;
            (0..times).try_for_each(|_| {
                renderer.render(sample.template, &sample.context)?;
                Ok(())
            })
        }
        "photo_of_640_x_480" => {
            let photo = jpeg(640, 480, 1);
            (0..times).try_for_each(|_| {
                examine(&photo, FileKind::Jpeg, 1 << 30)?;
                Ok(())
            })
        }
        _ => bail!("no path {path}"),
    }
}

/// Without a database: none of these requests asks it anything.
fn ctx() -> anyhow::Result<Ctx> {
    let settings = [
        ("DATABASE_URL", "postgres://erp@127.0.0.1:1/erp"),
        ("SECRET_KEY", "the key of a benchmark, long enough to sign"),
        // Counted, and never reached.
        ("RATE_LIMIT_PER_MINUTE", "1000000"),
    ];
    let config =
        Config::read(Env::from_pairs(&settings)).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    Ok(Ctx::new(config)?)
}

async fn requests(path: &str, status: u16, times: u32) -> anyhow::Result<()> {
    let service = erp_api::service(&ctx()?);
    for _ in 0..times {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
        let request = Request::get(path).extension(ConnectInfo(peer)).body(Body::empty())?;
        let response = service.clone().oneshot(request).await?;
        ensure!(response.status() == status, "{path}: {}", response.status());
        axum::body::to_bytes(response.into_body(), 1 << 20).await?;
    }
    Ok(())
}
