//! Edits of source text that add whole lines.

use crate::Result;

/// Inserts lines before the first line `before` that follows the line which contains `after`.
pub(crate) fn insert(text: &str, after: &str, before: &str, lines: &str) -> Result<String> {
    let mut offset = 0;
    let mut passed = false;
    for line in text.split_inclusive('\n') {
        if passed && line.trim_end() == before {
            return Ok(format!("{}{lines}{}", &text[..offset], &text[offset..]));
        }
        passed |= line.contains(after);
        offset += line.len();
    }
    let missing = if passed { before } else { after };
    Err(format!("has no line {missing:?} where it is expected").into())
}

/// Adds `mod name;` to the first block of module declarations, in alphabetical order.
pub(crate) fn declare_module(text: &str, name: &str) -> Result<String> {
    let mut offset = 0;
    let mut found = false;
    for line in text.split_inclusive('\n') {
        match module(line) {
            Some(other) if other == name => {
                return Err(format!("already has the module {name}").into());
            }
            Some(other) if other < name => found = true,
            None if !found => {}
            _ => return Ok(format!("{}mod {name};\n{}", &text[..offset], &text[offset..])),
        }
        offset += line.len();
    }
    if found {
        return Ok(format!("{text}mod {name};\n"));
    }
    Err("has no module declarations where they are expected".into())
}

/// The module that a line declares.
fn module(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    line.strip_prefix("mod ")?.trim_end().strip_suffix(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "mod a;\npub mod c;\n\nfn f() {\n    [\n        1,\n    ]\n}\n";

    #[test]
    fn lines_are_inserted_at_the_end_of_the_list_that_follows_the_anchor() {
        let edited = insert(CODE, "fn f()", "    ]", "        2,\n").expect("it is found");
        assert_eq!(edited, CODE.replace("1,\n", "1,\n        2,\n"));
    }

    #[test]
    fn a_missing_anchor_is_an_error_that_names_it() {
        let error = insert(CODE, "fn g()", "    ]", "").expect_err("it is missing").to_string();
        assert!(error.contains("fn g()"), "{error}");
        let error = insert(CODE, "fn f()", "  ]", "").expect_err("it is missing").to_string();
        assert!(error.contains("\"  ]\""), "{error}");
    }

    #[test]
    fn a_module_is_declared_in_alphabetical_order() {
        let declare = |name| declare_module(CODE, name).expect("it is new");
        assert!(declare("b").starts_with("mod a;\nmod b;\npub mod c;\n\nfn"));
        assert!(declare("d").starts_with("mod a;\npub mod c;\nmod d;\n\nfn"));
        assert!(declare_module("mod b;\n", "a").is_ok_and(|text| text == "mod a;\nmod b;\n"));
        assert!(declare_module("mod b;\n", "c").is_ok_and(|text| text == "mod b;\nmod c;\n"));
        assert!(declare_module(CODE, "c").is_err());
        assert!(declare_module("fn f() {}\n", "a").is_err());
    }
}
