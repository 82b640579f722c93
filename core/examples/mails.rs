//! Writes every mail, with every sample, to a folder: `cargo run --example mails -- /tmp/mails`.
//! Open the `.html` in a browser, narrow and wide, light and dark.

#[path = "../tests/mailer/samples.rs"]
mod samples;

use std::fs;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let dir: PathBuf = std::env::args().nth(1).unwrap_or_else(|| "mails".into()).into();
    fs::create_dir_all(&dir)?;
    let renderer = erp_core::mailer::Renderer::new()?;
    for (template, sample, context) in samples::all() {
        let mail = renderer.render(template, &context)?;
        let name = format!("{}_{sample}", template.name());
        fs::write(dir.join(format!("{name}.html")), mail.html)?;
        fs::write(dir.join(format!("{name}.txt")), format!("{}\n\n{}", mail.subject, mail.text))?;
    }
    Ok(())
}
