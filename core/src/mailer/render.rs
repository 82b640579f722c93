//! Turns a template and a context into a mail. The templates are part of the program (a worker
//! needs no folder) and strict: a variable that the context lacks is an error, not a blank.

use std::sync::Arc;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, RenderContext,
    RenderErrorReason, Renderable, handlebars_helper, html_escape, no_escape,
};
use serde::Serialize;

use super::clean;
use crate::Result;

/// Longer subjects are cut by every mail program anyway.
const SUBJECT_MAX: usize = 150;

/// The mails there are; each is a `.html.hbs` and a `.txt.hbs` of `templates/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// An intervention was given to the reader.
    NotificationAffectation,
    /// An intervention is finished.
    NotificationCloture,
    /// A maintenance is near.
    NotificationRappel,
    /// A deadline has passed.
    NotificationRetard,
    /// Something needs a decision.
    NotificationAlerte,
    /// Anything else there is to say.
    NotificationInformation,
    /// The state of the day, for those in charge.
    DigestQuotidien,
}

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
    html: Arc<Handlebars<'static>>,
    text: Arc<Handlebars<'static>>,
}

macro_rules! sources {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_str!(concat!("../../../templates/", $name, ".html.hbs")),
            include_str!(concat!("../../../templates/", $name, ".txt.hbs")),
        )),+]
    };
}

const SOURCES: [(&str, &str, &str); 10] = sources![
    "layout",
    "faits",
    "section",
    "notification_affectation",
    "notification_cloture",
    "notification_rappel",
    "notification_retard",
    "notification_alerte",
    "notification_information",
    "digest_quotidien",
];

impl Template {
    /// Every template there is.
    pub const ALL: [Self; 7] = [
        Self::NotificationAffectation,
        Self::NotificationCloture,
        Self::NotificationRappel,
        Self::NotificationRetard,
        Self::NotificationAlerte,
        Self::NotificationInformation,
        Self::DigestQuotidien,
    ];

    /// The template of a type of notification; an unknown type is an `information`.
    #[must_use]
    pub fn notification(type_: &str) -> Self {
        match type_ {
            "affectation" => Self::NotificationAffectation,
            "cloture" => Self::NotificationCloture,
            "rappel" => Self::NotificationRappel,
            "retard" => Self::NotificationRetard,
            "alerte" => Self::NotificationAlerte,
            _ => Self::NotificationInformation,
        }
    }

    /// The name of its files in `templates/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotificationAffectation => "notification_affectation",
            Self::NotificationCloture => "notification_cloture",
            Self::NotificationRappel => "notification_rappel",
            Self::NotificationRetard => "notification_retard",
            Self::NotificationAlerte => "notification_alerte",
            Self::NotificationInformation => "notification_information",
            Self::DigestQuotidien => "digest_quotidien",
        }
    }
}

impl Renderer {
    /// Compiles the templates; fails only if one that was built in is broken.
    pub fn new() -> Result<Self> {
        let (mut html, mut text) = (registry(html_escape), registry(no_escape));
        for (name, html_source, text_source) in SOURCES {
            html.register_template_string(name, html_source).map_err(anyhow::Error::from)?;
            text.register_template_string(name, text_source).map_err(anyhow::Error::from)?;
        }
        Ok(Self { html: Arc::new(html), text: Arc::new(text) })
    }

    /// The mail that `template` makes of `context`, whatever people typed into its values.
    pub fn render(&self, template: Template, context: &impl Serialize) -> Result<Rendered> {
        let mut data = serde_json::to_value(context).map_err(anyhow::Error::from)?;
        clean::context(&mut data);
        let html = self.html.render(template.name(), &data).map_err(anyhow::Error::from)?;
        let text = self.text.render(template.name(), &data).map_err(anyhow::Error::from)?;
        // The first line of a text template is the subject: both stand in one file.
        let (subject, text) = text.trim_start().split_once('\n').unwrap_or((&text, ""));
        Ok(Rendered {
            subject: clean::shorten(&clean::one_line(subject), SUBJECT_MAX),
            html,
            text: paragraphs(text),
        })
    }
}

fn registry(escape: fn(&str) -> String) -> Handlebars<'static> {
    handlebars_helper!(citation: |text: str| {
        text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
    });
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    registry.register_escape_fn(escape);
    registry.register_helper("if", Box::new(StrictIf));
    registry.register_helper("citation", Box::new(citation));
    registry
}

/// Conditions leave empty lines behind: never more than one in a row, none at the ends.
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

/// `if` as it should be in strict mode: the built-in one takes a missing variable for false,
/// and a field that was renamed would silently leave the mails.
struct StrictIf;

impl HelperDef for StrictIf {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if param.is_value_missing() {
            return Err(RenderErrorReason::MissingVariable(param.relative_path().cloned()).into());
        }
        let chosen =
            if param.value().is_truthy(false) { helper.template() } else { helper.inverse() };
        chosen.map_or(Ok(()), |template| template.render(registry, context, rc, out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// French wants a no-break space there; an editor that "cleans" it away is caught here.
    #[test]
    fn templates_never_break_a_line_before_punctuation() {
        for (name, html, text) in SOURCES {
            for source in [html, text] {
                for pair in [" :", " ;", " ?", " »", "« ", " !"] {
                    assert!(!source.contains(pair), "{name}: {pair:?} needs a no-break space");
                }
            }
        }
    }
}
