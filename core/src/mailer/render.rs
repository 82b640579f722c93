//! Turns a template and a context into a mail. The templates are part of the program (a worker
//! needs no folder) and strict: a variable that the context lacks is an error, not a blank.

use std::sync::Arc;

use handlebars::{Handlebars, html_escape, no_escape};
use serde::{Deserialize, Serialize};

use super::template::{SOURCES, Template};
use super::{clean, helpers};
use crate::{Lang, Result};

/// The most characters of a subject; mail programs cut longer ones anyway.
const SUBJECT_MAX: usize = 150;

/// A finished mail, but for its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line without control characters, of a bounded length.
    pub subject: String,
    /// The HTML part: every value in it is escaped.
    pub html: String,
    /// The plain-text part, complete in itself.
    pub text: String,
}

/// The compiled templates; cheap to clone.
#[derive(Debug, Clone)]
pub struct Renderer {
    fr: Arc<Registries>,
    en: Arc<Registries>,
}

/// The templates as one language reads them.
#[derive(Debug)]
struct Registries {
    html: Handlebars<'static>,
    text: Handlebars<'static>,
}

impl Renderer {
    /// Compiles the templates; fails only if one that was built in is broken.
    pub fn new() -> Result<Self> {
        Ok(Self {
            fr: Arc::new(Registries::new(Lang::Fr)?),
            en: Arc::new(Registries::new(Lang::En)?),
        })
    }

    /// Renders `template` with `context`, in the language that `context` names. The values are
    /// cleaned first, since users typed them.
    pub fn render(&self, template: Template, context: &impl Serialize) -> Result<Rendered> {
        let mut data = serde_json::to_value(context).map_err(anyhow::Error::from)?;
        let langue = Lang::deserialize(&data["langue"]).map_err(anyhow::Error::from)?;
        clean::context(&mut data);
        let Registries { html, text } = langue.choose(&*self.fr, &*self.en);
        let html = html.render(template.name(), &data).map_err(anyhow::Error::from)?;
        let text = text.render(template.name(), &data).map_err(anyhow::Error::from)?;
        // The first line of a text template is the subject: both stand in one file.
        let (subject, text) = text.trim_start().split_once('\n').unwrap_or((&text, ""));
        Ok(Rendered {
            subject: clean::shorten(&clean::one_line(subject), SUBJECT_MAX),
            html,
            text: paragraphs(text),
        })
    }
}

impl Registries {
    fn new(langue: Lang) -> Result<Self> {
        let mut html = registry(langue, html_escape);
        let mut text = registry(langue, no_escape);
        for (name, html_source, text_source) in SOURCES {
            html.register_template_string(name, html_source).map_err(anyhow::Error::from)?;
            text.register_template_string(name, text_source).map_err(anyhow::Error::from)?;
        }
        Ok(Self { html, text })
    }
}

fn registry(langue: Lang, escape: fn(&str) -> String) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    registry.register_escape_fn(escape);
    helpers::register(&mut registry, langue);
    registry
}

/// Removes the empty lines that conditions leave behind: at most one in a row stays, none at the ends.
fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && out.ends_with("\n\n")) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
