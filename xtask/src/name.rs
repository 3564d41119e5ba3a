//! The name of a new hazard or format, in the spellings that the code needs.

use crate::Result;

/// The words that cannot be the name of a module, the reserved ones included.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else \
                        enum extern false final fn for gen if impl in let loop macro match mod move \
                        mut override priv pub ref return self static struct super trait true try \
                        type typeof unsafe unsized use virtual where while yield";

/// A name of lowercase words, such as `golang-migrate` or `drop_table`.
#[derive(Debug)]
pub(crate) struct Name {
    words: Vec<String>,
}

impl Name {
    /// Parses words that are separated by `-` or `_`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let words: Vec<String> = text.split(['-', '_']).map(str::to_owned).collect();
        let is_word = |word: &String| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !words.iter().all(is_word) {
            return Err(format!(
                "{text:?} is not a valid name: use lowercase words that are separated by - or _"
            )
            .into());
        }
        if KEYWORDS.split(' ').any(|keyword| keyword == text) {
            return Err(format!("{text:?} is not a valid name: it is a keyword of Rust").into());
        }
        Ok(Self { words })
    }

    /// `golang_migrate`, for modules and files.
    pub(crate) fn snake(&self) -> String {
        self.words.join("_")
    }

    /// `golang-migrate`, for configurations and pages.
    pub(crate) fn kebab(&self) -> String {
        self.words.join("-")
    }

    /// `GolangMigrate`, for variants.
    pub(crate) fn pascal(&self) -> String {
        let capitalized = |word: &String| word[..1].to_ascii_uppercase() + &word[1..];
        self.words.iter().map(capitalized).collect()
    }

    /// Replaces the placeholders of a template: `{snake}`, `{kebab}`, `{pascal}` and `{mark}`.
    pub(crate) fn fill(&self, template: &str) -> String {
        template
            .replace("{snake}", &self.snake())
            .replace("{kebab}", &self.kebab())
            .replace("{pascal}", &self.pascal())
            .replace("{mark}", crate::MARK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_spellings_that_the_code_needs() {
        let name = Name::parse("golang-migrate2").expect("it is valid");
        assert_eq!(name.snake(), "golang_migrate2");
        assert_eq!(name.kebab(), "golang-migrate2");
        assert_eq!(name.pascal(), "GolangMigrate2");
        assert_eq!(name.fill("{snake} {pascal} {}"), "golang_migrate2 GolangMigrate2 {}");
    }

    #[test]
    fn a_name_that_is_not_a_rust_identifier_is_an_error() {
        for text in ["", "-a", "a--b", "Drop", "1a", "a b", "../a", "ä", "match", "self"] {
            let error = Name::parse(text).expect_err(text).to_string();
            assert!(error.contains("is not a valid name"), "{error}");
        }
        assert!(Name::parse("match_all").is_ok());
    }
}
