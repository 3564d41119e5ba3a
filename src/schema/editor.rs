//! The rules for descriptions that editors and the registry show, as a check for tests.
//!
//! terraform-ls removes Markdown before it shows a description. It removes everything between
//! angle brackets, every pair of asterisks, and every pair of underscores, even in code and across
//! words: `on_drift` in a text that also has `accept_drift` becomes `ondrift`.

use super::{Attribute, Schema};

/// Longest description, in characters, that a hover window shows without scrolling.
const LONGEST: usize = 300;

/// Longest first sentence, in characters. Lists of completions show little more.
const LONGEST_SENTENCE: usize = 140;

impl Schema {
    /// Returns the description of the schema and of each attribute, with its path.
    pub(crate) fn descriptions(&self) -> Vec<(String, &str)> {
        let mut found = vec![("(description)".to_owned(), self.block.description.as_str())];
        collect(&self.block.attributes, "", &mut found);
        found
    }
}

fn collect<'a>(attributes: &'a [Attribute], prefix: &str, found: &mut Vec<(String, &'a str)>) {
    for attribute in attributes {
        let path = format!("{prefix}{}", attribute.name);
        found.push((path.clone(), &attribute.description));
        collect(attribute.inner(), &format!("{path}."), found);
    }
}

/// Lists what is wrong with a description.
pub(crate) fn problems(description: &str) -> Vec<&'static str> {
    let first = description.split_inclusive(". ").next().unwrap_or_default();
    let checks = [
        (description.contains(['<', '>']), "angle brackets"),
        (description.contains('*'), "an asterisk"),
        (loses_underscores(description), "two underscores"),
        (description.contains('\n'), "more than one line"),
        (description.chars().count() > LONGEST, "too many characters"),
        (first.trim_end().chars().count() > LONGEST_SENTENCE, "a long first sentence"),
        (!description.ends_with('.'), "no full stop at the end"),
        (!description.starts_with(char::is_uppercase), "no capital letter at the start"),
    ];
    checks.into_iter().filter_map(|(is_wrong, problem)| is_wrong.then_some(problem)).collect()
}

/// Reports whether the pattern `_([^_]+)_`, which the editor removes, occurs in a text.
fn loses_underscores(text: &str) -> bool {
    let outermost = text.find('_').zip(text.rfind('_'));
    outermost.is_some_and(|(first, last)| text[first..last].contains(|c| c != '_'))
}

#[cfg(test)]
mod tests {
    use super::super::Nesting;
    use super::*;

    #[test]
    fn a_description_of_plain_sentences_has_no_problems() {
        let text = "Database schema of the ledger. Default: `dsql_migrations`.";
        assert_eq!(problems(text), [] as [&str; 0]);
    }

    #[test]
    fn what_an_editor_removes_is_a_problem() {
        assert_eq!(problems("Host name, `<id>.dsql`."), ["angle brackets"]);
        assert_eq!(problems("Files such as `views/*.sql`."), ["an asterisk"]);
        assert_eq!(problems("Used by `on_drift` and `accept_drift`."), ["two underscores"]);
        assert_eq!(problems("Variable: `AWS_ENDPOINT_URL`."), ["two underscores"]);
        assert_eq!(problems("Variable `AWS_REGION`."), [] as [&str; 0]);
    }

    #[test]
    fn a_description_begins_with_one_short_sentence() {
        assert_eq!(
            problems("the name"),
            ["no full stop at the end", "no capital letter at the start"]
        );
        assert_eq!(problems(&format!("N{}.", "a".repeat(139))), ["a long first sentence"]);
        assert_eq!(problems(&format!("Name. N{}.", "a".repeat(292))), [] as [&str; 0]);
        assert_eq!(problems(&format!("Name. N{}.", "a".repeat(293))), ["too many characters"]);
        assert_eq!(problems("Name.\n\nMore."), ["more than one line"]);
    }

    #[test]
    fn nested_descriptions_have_their_path() {
        let inner = vec![Attribute::number("port").optional().description("Port.")];
        let outer = Attribute::nested("cluster", Nesting::Single, inner).description("Cluster.");
        let schema = Schema::new(vec![outer]).description("A thing.");
        let found = schema.descriptions();
        let found: Vec<_> = found.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert_eq!(
            found,
            [("(description)", "A thing."), ("cluster", "Cluster."), ("cluster.port", "Port.")]
        );
    }
}
