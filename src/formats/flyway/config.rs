//! The file `<script>.sql.conf` next to a Flyway script.

use super::TOOL;
use crate::formats::error::{FormatError, ToolProblem};
use crate::formats::listing::read_text;
use crate::formats::read::{self, Transactions};
use crate::migration::Origin;

/// The settings that affect how a script runs.
pub(super) struct Config {
    pub(super) transactions: Transactions,
    pub(super) replaces_placeholders: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { transactions: Transactions::Shared, replaces_placeholders: true }
    }
}

impl Config {
    /// Reads the file. Any other setting is an error, because it could change what runs.
    pub(super) fn read(file: &str) -> Result<Self, FormatError> {
        let text = read_text(file)?;
        let mut config = Self::default();
        for line in read::lines(&text) {
            let words = line.text.trim();
            if words.is_empty() || words.starts_with(['#', '!']) {
                continue;
            }
            let (key, value) = property(words);
            let is = |expected: &str| value.eq_ignore_ascii_case(expected);
            match key {
                "executeInTransaction" if is("true") => config.transactions = Transactions::Shared,
                "executeInTransaction" if is("false") => {
                    config.transactions = Transactions::OneEach;
                }
                "placeholderReplacement" if is("true") => config.replaces_placeholders = true,
                "placeholderReplacement" if is("false") => config.replaces_placeholders = false,
                "encoding" if is("UTF-8") => {}
                "shouldExecute" if value == "true" => {}
                _ => {
                    let origin = Origin { file: file.to_owned(), line: line.number };
                    let problem = ToolProblem::UnsupportedSetting { tool: TOOL };
                    return Err(FormatError::line(origin, problem));
                }
            }
        }
        Ok(config)
    }
}

/// Splits a line of a Java properties file into key and value: at `=`, `:` or a blank.
fn property(line: &str) -> (&str, &str) {
    let is_end = |c: char| c == '=' || c == ':' || c.is_whitespace();
    let (key, rest) = line.split_at(line.find(is_end).unwrap_or(line.len()));
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim())
}
