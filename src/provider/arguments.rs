//! Kinds of arguments that several resources have.

use crate::diagnostic::Diagnostic;
use crate::value::{Input, Object};

/// An argument that is one of a few words; the first is the default.
pub(super) fn word<T: Copy>(
    config: &Object<'_>,
    name: &'static str,
    words: &[(&str, T)],
) -> Result<Input<T>, Diagnostic> {
    let chosen = match config.string(name) {
        Input::Unknown => return Ok(Input::Unknown),
        Input::Null => words.first(),
        Input::Known(text) => words.iter().find(|(word, _)| *word == text),
    };
    chosen.map(|(_, value)| Input::Known(*value)).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        Diagnostic::error(format!("Invalid {name}"))
            .detail(format!("It must be one of {}.", words.join(", ")))
            .at(name)
    })
}

/// The texts of a list or set; none if it is null.
pub(super) fn texts(config: &Object<'_>, name: &str) -> Input<Vec<String>> {
    let elements = match config.value(name).elements() {
        Input::Null => return Input::Known(Vec::new()),
        Input::Unknown => return Input::Unknown,
        Input::Known(elements) => elements,
    };
    let mut texts = Vec::new();
    for element in elements {
        match element.string() {
            Input::Known(text) => texts.push(text.to_owned()),
            Input::Null => {}
            Input::Unknown => return Input::Unknown,
        }
    }
    Input::Known(texts)
}
