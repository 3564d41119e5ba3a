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
                    let problem = ToolProblem::UnsupportedSetting { tool: TOOL };
                    return Err(FormatError::line(origin, problem));
                }
            }
        }
        Ok(config)
    }
}
