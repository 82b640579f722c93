//! Writes every mail with every sample to files that people can look at: `erp-worker preview-mails`.
use std::{fmt::Write as _, fs, path::Path};

use erp_core::mailer::{Renderer, samples};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>E-mails</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
li { margin: .5rem 0; overflow-wrap: anywhere; } small { display: block; opacity: .7; }
</style>
<h1>E-mails</h1>
<p>Look at them narrow (375 px) and wide, in light and in dark.</p>
";

/// Writes the HTML and the text of each mail to `folder`, with an `index.html` that links them by their subjects. Returns
/// how many mails there are. Needs no settings, no database, no network.
pub fn write(folder: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(folder)?;
    let renderer = Renderer::new()?;
    let samples = samples::all();
    let mut index = HEAD.to_owned();
    let mut shown = None;
    for sample in &samples {
        let mail = renderer.render(sample.template, &sample.context)?;
        let name = format!("{}_{}.{}", sample.template.name(), sample.name, sample.langue);
        fs::write(folder.join(format!("{name}.html")), mail.html)?;
        fs::write(
            folder.join(format!("{name}.txt")),
            format!("{}\n\n{}", mail.subject, mail.text),
        )?;
        if shown.replace(sample.template) != Some(sample.template) {
            let end = if index == HEAD { "" } else { "</ul>\n" };
            write!(index, "{end}<h2>{}</h2>\n<ul>\n", sample.template.name())?;
        }
        writeln!(
            index,
            "<li lang=\"{}\"><a href=\"{name}.html\">{}</a> <small>{}, {} · <a href=\"{name}.txt\">text</a></small>",
            sample.langue,
            escape(&mail.subject),
            sample.name,
            sample.langue,
        )?;
    }
    index.push_str("</ul>\n");
    fs::write(folder.join("index.html"), index)?;
    Ok(samples.len())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_is_a_file_that_the_index_links() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new/mails");
        let count = write(&folder).unwrap();
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files.len(), 2 * count + 1);
        let index = fs::read_to_string(folder.join("index.html")).unwrap();
        for file in files.iter().filter(|file| *file != "index.html") {
            assert!(index.contains(&format!("href=\"{file}\"")), "{file}");
        }
        assert!(index.contains("Intervention affectée"), "{index}");
        assert!(!index.contains("<script"), "{index}");
        let text = fs::read_to_string(folder.join("digest_quotidien_full.en.txt")).unwrap();
        assert!(text.starts_with("Summary of Tuesday 24 November 2026: "), "{text}");
    }
}
