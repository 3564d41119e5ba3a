//! Files with `-- atlas:txtar`. Such a file contains several files of Atlas Pro.
//!
//! A line such as `-- migration.sql --` begins a section and names it. Atlas runs `migration.sql`
//! if the statements in `checks.sql` return true, and `down.sql` to revert the migration.

use crate::formats::error::{FormatError, ToolProblem};
use crate::formats::read::{self, NamedFile};

/// The section that runs.
const SCRIPT: &str = "migration.sql";

/// The section that reverts the migration.
const DOWN: &str = "down.sql";

/// The section of a file that runs.
pub(super) struct Script<'a> {
    /// The line at which its text begins.
    pub(super) line: usize,
    pub(super) text: &'a str,
    /// The first section whose meaning would be lost.
    pub(super) problem: Option<FormatError>,
}

/// Finds the section of a file that runs.
pub(super) fn script<'a>(named: &NamedFile<'_>, text: &'a str) -> Result<Script<'a>, FormatError> {
    let invalid = |line: usize, problem| {
        let problem = ToolProblem::Annotation { tool: "Atlas", problem };
        FormatError::line(named.at(line), problem)
    };
    let mut found: Option<(usize, usize, usize)> = None;
    let mut problem = None;
    let mut current = None;
    for line in read::lines(text) {
        let Some(name) = marker(line.text) else {
            let words = line.text.trim_start();
            if current.is_none() && !words.is_empty() && !words.starts_with("--") {
                return Err(invalid(line.number, "text above the first section"));
            }
            continue;
        };
        if let (Some(SCRIPT), Some((_, _, end))) = (current, &mut found) {
            *end = line.start;
        }
        match name {
            SCRIPT if found.is_some() => {
                return Err(invalid(line.number, "a second section \"migration.sql\""));
            }
            SCRIPT => found = Some((line.number + 1, line.end, text.len())),
            DOWN => {}
            _ => {
                let section = ToolProblem::Section { name: name.to_owned() };
                problem.get_or_insert(FormatError::line(named.at(line.number), section));
            }
        }
        current = Some(name);
    }
    let (line, begin, end) = found.ok_or_else(|| invalid(1, "no section \"migration.sql\""))?;
    Ok(Script { line, text: &text[begin..end], problem })
}

/// The name in a line such as `-- migration.sql --`.
fn marker(line: &str) -> Option<&str> {
    let name = line.strip_prefix("-- ")?.strip_suffix(" --")?.trim();
    (!name.is_empty()).then_some(name)
}
