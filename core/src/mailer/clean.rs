//! Cleans text that users typed, for headers, one-line fields and quotations.
//! Escaping for HTML is not done here: the renderer does it for every value.

use serde_json::Value;

/// The most characters of a title or a name: more would push the rest of the mail out of sight.
const FIELD_MAX: usize = 200;
/// The most characters of a message, which may be long.
const CONTENU_MAX: usize = 4000;

/// Text of one line: control characters and line breaks become spaces, and characters that change
/// the direction of the text (a known trick to disguise names) are removed. Emoji and Arabic stay.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().filter(|c| !turns_text(*c)).map(|c| if breaks(c) { ' ' } else { c }).collect();
    spaced.trim().to_owned()
}

/// Like [`one_line`], but keeps the line breaks, all written `\n`.
pub(crate) fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// At most `max` characters; an ellipsis stands for what was cut.
pub(super) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max - 1).collect();
    // A joiner or a variation selector left at the end would swallow the ellipsis.
    let kept =
        kept.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200d}' | '\u{fe0f}'));
    format!("{kept}…")
}

/// Cleans every text of a context and limits its length; links, which we build, keep their length.
/// Only `contenu`, a message that somebody wrote, keeps its line breaks.
pub(super) fn context(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(context),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("lien" | "desabonnement", Value::String(text)) => *text = one_line(text),
                    ("contenu", Value::String(text)) => *text = shorten(&lines(text), CONTENU_MAX),
                    (_, other) => context(other),
                }
            }
        }
        Value::String(text) => *text = shorten(&one_line(text), FIELD_MAX),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_break_of_any_kind() {
        assert_eq!(one_line(" a\r\nBcc: x\u{2028}b\0\u{85}c\u{202e}fdp\t"), "a  Bcc: x b  cfdp");
        assert_eq!(one_line("مضخة 👩\u{200d}🔧"), "مضخة 👩\u{200d}🔧");
    }

    #[test]
    fn lines_keeps_lines_only() {
        assert_eq!(lines("a\r\nb\rc\u{7}\n"), "a\nb\nc");
    }

    #[test]
    fn shorten_counts_characters() {
        assert_eq!(shorten("été", 3), "été");
        assert_eq!(shorten("étés", 3), "ét…");
        assert_eq!(shorten("a👩\u{200d}🔧", 4), "a👩\u{200d}🔧");
        assert_eq!(shorten("a👩\u{200d}🔧b", 4), "a👩…");
    }
}
