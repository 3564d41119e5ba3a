//! The file `<script>.sql.conf` beside a script of Flyway.

use super::super::FormatError;
use super::super::listing::read_text;
use super::super::read::{self, Transactions};
use super::TOOL;
use crate::migration::Origin;

/// What it says, as far as it matters here.
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
    /// Reads the file. A setting that would change what runs, and that nobody here knows, is an
    /// error.
    pub(super) fn read(file: &str) -> Result<Self, FormatError> {
        let text = read_text(file)?;
        let mut config = Self::default();
        for line in read::lines(&text) {
            let words = line.text.trim();
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            let (key, value) = words.split_once('=').unwrap_or((words, ""));
            match (key.trim(), value.trim()) {
                ("executeInTransaction", "true") => config.transactions = Transactions::Shared,
                ("executeInTransaction", "false") => config.transactions = Transactions::OneEach,
                ("placeholderReplacement", "true") => config.replaces_placeholders = true,
                ("placeholderReplacement", "false") => config.replaces_placeholders = false,
                ("encoding", "UTF-8") | ("shouldExecute", "true") => {}
                _ => {
                    let origin = Origin { file: file.to_owned(), line: line.number };
                    let problem = "a setting that is not supported";
                    return Err(FormatError::Annotation { origin, tool: TOOL, problem });
                }
            }
        }
        Ok(config)
    }
}
