//! Arrays in the text format of the server: `{a,"b,c",NULL}`.

/// Parses a one-dimensional array. `None` if the text is not an array literal.
pub(super) fn elements(array: &str) -> Option<Vec<Option<String>>> {
    let mut rest = array.strip_prefix('{')?.strip_suffix('}')?.chars();
    let mut elements = Vec::new();
    let mut element = Element::default();
    let mut in_quotes = false;
    loop {
        match rest.next() {
            Some('\\') => element.text.push(rest.next()?),
            Some('"') => {
                in_quotes = !in_quotes;
                element.was_quoted = true;
            }
            Some(',') if !in_quotes => elements.push(std::mem::take(&mut element).value()),
            Some(character) => element.text.push(character),
            None if in_quotes => return None,
            None => break,
        }
    }
    let is_empty = elements.is_empty() && element.text.is_empty() && !element.was_quoted;
    if !is_empty {
        elements.push(element.value());
    }
    Some(elements)
}

#[derive(Default)]
struct Element {
    text: String,
    was_quoted: bool,
}

impl Element {
    fn value(self) -> Option<String> {
        (self.was_quoted || self.text != "NULL").then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_with_quotes_escapes_and_nulls_are_read() {
        let parsed = |text: &str| {
            let elements = elements(text)?.into_iter();
            Some(elements.map(|e| e.unwrap_or_else(|| "-".into())).collect::<Vec<_>>())
        };
        let list = |elements: &[&str]| Some(elements.iter().map(ToString::to_string).collect());
        assert_eq!(parsed("{}"), list(&[]));
        assert_eq!(parsed("{a,NULL,\"NULL\",\"\"}"), list(&["a", "-", "NULL", ""]));
        assert_eq!(parsed(r#"{"a \"b\", \\c","d{}"}"#), list(&["a \"b\", \\c", "d{}"]));
        assert_eq!(parsed("{\"two\nlines\"}"), list(&["two\nlines"]));
        for text in ["", "a", "{\"a}", "{a\\}"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
