//! Decodes and checks the kinds of arguments that several blocks have.

use crate::diagnostic::{Diagnostic, Title};
use crate::value::{AttributePath, Input, Object};

/// Reads an argument that is one of a few words; the first is the default.
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
        invalid(name.into(), &format!("It must be one of {}.", words.join(", ")))
    })
}

/// Reads the texts of a list or set; none if it is null.
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

/// Reads a text that may be left out, but not be blank.
pub(super) fn not_empty(block: &Object<'_>, name: &str) -> Result<Input<String>, Diagnostic> {
    match block.string(name) {
        Input::Known(text) if text.trim().is_empty() => {
            Err(invalid(block.path(name), "It must not be empty. Leave it out to use the default."))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// An argument whose value cannot be used.
pub(super) fn invalid(path: AttributePath, detail: &str) -> Diagnostic {
    Diagnostic::error(Title::InvalidArgument.fill(&[&path])).detail(detail).at(path)
}
