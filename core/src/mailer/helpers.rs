//! The helpers of the templates besides those of Handlebars. A registry renders one language; its
//! templates hold both languages side by side, so that neither can be forgotten:
//! `{{mot "Lieu" "Location"}}`, and `{{#fr}}le {{jour}}{{else}}on {{jour}}{{/fr}}` for sentences.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, JsonValue, Output,
    RenderContext, RenderError, RenderErrorReason, Renderable, ScopedJson, handlebars_helper,
};

use crate::Lang;

pub(super) fn register(registry: &mut Handlebars<'static>, langue: Lang) {
    handlebars_helper!(citation: |text: str| {
        text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
    });
    registry.register_helper("citation", Box::new(citation));
    registry.register_helper("if", Box::new(StrictIf));
    registry.register_helper("mot", Box::new(Mot(langue)));
    registry.register_helper("fr", Box::new(Fr(langue)));
}

/// `if` for strict mode: a missing variable is an error. The built-in one takes it for false, and
/// a renamed field would silently disappear from the mails.
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

/// `{{mot "français" "English"}}`: a few words without values; both are required.
struct Mot(Lang);

impl HelperDef for Mot {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let word = |index| {
            helper
                .param(index)
                .and_then(|param| param.value().as_str())
                .ok_or(RenderErrorReason::ParamNotFoundForIndex("mot", index))
        };
        let (fr, en) = (word(0)?, word(1)?);
        let chosen = self.0.choose(fr, en);
        Ok(ScopedJson::Derived(JsonValue::from(chosen)))
    }
}

/// `{{#fr}}français{{else}}English{{/fr}}`: sentences with values and markup; both are required.
struct Fr(Lang);

impl HelperDef for Fr {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let (Some(fr), Some(en)) = (helper.template(), helper.inverse()) else {
            return Err(RenderErrorReason::BlockContentRequired.into());
        };
        let chosen = self.0.choose(fr, en);
        chosen.render(registry, context, rc, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, langue: Lang) -> Option<String> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        register(&mut registry, langue);
        registry.render_template(template, &serde_json::json!({ "jour": "lundi" })).ok()
    }

    #[test]
    fn a_language_has_its_words() {
        let template = "{{mot \"Le\" \"On\"}} {{#fr}}{{jour}} !{{else}}{{jour}}!{{/fr}}";
        assert_eq!(render(template, Lang::Fr).as_deref(), Some("Le lundi !"));
        assert_eq!(render(template, Lang::En).as_deref(), Some("On lundi!"));
    }

    #[test]
    fn a_language_that_lacks_its_words_is_an_error_in_both() {
        for langue in [Lang::Fr, Lang::En] {
            for template in
                ["{{mot \"Le\"}}", "{{mot \"Le\" mois}}", "{{#fr}}Le{{/fr}}", "{{mois}}"]
            {
                assert_eq!(render(template, langue), None, "{template}");
            }
        }
    }
}
