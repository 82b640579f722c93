//! The program that guards a private Postgres.
use std::path::PathBuf;

use anyhow::Context as _;

/// The path of `erp-dev`, which is built first if it is not up to date.
pub fn guard() -> anyhow::Result<PathBuf> {
    let status = std::process::Command::new("cargo")
        .args(["build", "--quiet", "--package", "erp-dev", "--bin", "erp-dev"])
        .status()?;
    anyhow::ensure!(status.success(), "erp-dev does not compile");
    let target = std::env::current_exe()?;
    let target = target.ancestors().nth(3).context("no target folder")?;
    Ok(target.join("debug").join(format!("erp-dev{}", std::env::consts::EXE_SUFFIX)))
}
