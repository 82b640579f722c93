//! `erp-worker doctor`: prints the lines of [`erp_core::doctor`].
use erp_core::{
    Config, Lang,
    config::SettingFault,
    doctor::{self, Check, Finding},
};

/// Runs all checks, and prints each line as soon as it is known; true when the system is healthy: nothing is bad, and nothing was
/// skipped.
pub async fn examine(config: Result<Config, Vec<SettingFault>>) -> bool {
    let mut healthy = true;
    let mut tell = |check: Check, finding: Finding| {
        let word = match finding {
            Finding::Good(_) => "ok",
            Finding::Attention { .. } => "attention",
            Finding::Bad { .. } => "ÉCHEC",
            Finding::Skipped(_) => "non vérifié",
        };
        healthy &= !matches!(finding, Finding::Bad { .. } | Finding::Skipped(_));
        let (name, found) = (check.name(Lang::Fr), finding.found().in_lang(Lang::Fr));
        let todo = finding.todo().map(|todo| format!(" → {}", todo.in_lang(Lang::Fr)));
        println!("{word:<12} {name:<14} {found}{}", todo.unwrap_or_default());
    };
    doctor::examine(config, &mut tell).await;
    healthy
}
