//! Calling cargo on this workspace.
use std::{path::Path, process::Command};

/// The cargo that started us, or the one in the `PATH`, in the workspace.
///
/// The variables that cargo has set about our own package are removed: build scripts that watch them would run again, and
/// their crates be built again, each time.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            let ours =
                ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
            ours.iter().any(|prefix| name.starts_with(prefix))
        });
        if told {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace());
    command
}

/// The root of the workspace that this program was built from.
pub(crate) fn workspace() -> &'static Path {
    let dev = Path::new(env!("CARGO_MANIFEST_DIR"));
    dev.parent().unwrap_or(dev)
}
