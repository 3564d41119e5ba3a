//! Files that comments of their tool divide into sections, only some of which run.
//!
//! goose and dbmate read a file line by line and know no literals, so a comment counts even where
//! its line is part of a literal. This file keeps track of the parts that run; each tool decides
//! which section a line begins.

use super::error::{FormatError, ToolProblem};
use super::read::{self, Forward, NamedFile, ReadMigration, SourceLine, Transactions};

/// The section of a tool's file that a line is in.
pub(super) trait Section: Copy {
    /// The tool, as error messages name it.
    const TOOL: &'static str;
    /// The section before the first line.
    const FIRST: Self;

    /// The section below a line. A line that begins or ends what runs is reported to `sections`.
    fn next(self, line: &SourceLine<'_>, sections: &mut Sections<'_>) -> Result<Self, ToolProblem>;

    /// Checks that the file may end in this section; otherwise, the line to report and the problem.
    fn end(self) -> Result<(), (usize, &'static str)>;
}

/// The parts of a file that run, as far as it has been read.
pub(super) struct Sections<'a> {
    text: &'a str,
    parts: Vec<(usize, &'a str)>,
    /// Line and offset at which the part that is being read begins; `None` outside such a part.
    begin: Option<(usize, usize)>,
    pub(super) transactions: Transactions,
    /// The first line with a problem that does not affect which parts run.
    pub(super) problem: Option<(usize, ToolProblem)>,
}

impl Sections<'_> {
    /// Begins a part that runs, below a line.
    pub(super) fn begin_below(&mut self, line: &SourceLine<'_>) {
        self.begin = Some((line.number + 1, line.end));
    }

    /// Ends the part that is being read, if any, above a line.
    pub(super) fn end_above(&mut self, line: &SourceLine<'_>) {
        self.end_at(line.start);
    }

    fn end_at(&mut self, offset: usize) {
        if let Some((line, begin)) = self.begin.take() {
            self.parts.push((line, &self.text[begin..offset]));
        }
    }
}

/// Reads the parts of a file that run as a migration.
pub(super) fn migration<S: Section>(named: &NamedFile<'_>, text: &str) -> ReadMigration {
    match forward::<S>(named, text) {
        Ok((forward, problem)) => {
            let mut read = read::migration(named, text, &forward);
            read.problems.splice(..0, problem);
            read
        }
        Err(problem) => read::unknown(named, text, problem),
    }
}

/// The parts of a file that run, and the first problem that does not affect them.
fn forward<'a, S: Section>(
    named: &NamedFile<'_>,
    text: &'a str,
) -> Result<(Forward<'a>, Option<FormatError>), FormatError> {
    let (parts, transactions) = (Vec::new(), Transactions::Shared);
    let mut sections = Sections { text, parts, begin: None, transactions, problem: None };
    let mut section = S::FIRST;
    for line in read::lines(text) {
        section = section
            .next(&line, &mut sections)
            .map_err(|problem| FormatError::line(named.at(line.number), problem))?;
    }
    section.end().map_err(|(line, problem)| {
        FormatError::line(named.at(line), ToolProblem::Annotation { tool: S::TOOL, problem })
    })?;
    sections.end_at(text.len());
    let problem =
        sections.problem.map(|(line, problem)| FormatError::line(named.at(line), problem));
    Ok((Forward::of(sections.parts).or_nothing().with(sections.transactions), problem))
}
