//! From the text of a file to a migration: what is the same in all formats.

use super::FormatError;
use crate::migration::{Checksum, Migration, Origin, Statement, Version};
use crate::sql::{self, Kind};

/// What a format has found out about a file.
pub(super) struct Named<'a> {
    /// As the practitioner wrote it.
    pub(super) file: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
}

/// Makes a migration of a text whose parts, with the line where each begins, are split one by one.
pub(super) fn migration<'a>(
    named: &Named<'_>,
    text: &str,
    parts: impl IntoIterator<Item = (usize, &'a str)>,
) -> Result<Migration, FormatError> {
    let mut statements = Vec::new();
    let mut boundary = 0;
    for (line, part) in parts {
        add_statements(&mut statements, &mut boundary, named.file, line, part)?;
    }
    if statements.is_empty() {
        return Err(FormatError::NoStatement { file: named.file.to_owned() });
    }
    Ok(Migration {
        version: Version(named.version.to_owned()),
        description: named.description.to_owned(),
        file: named.file.to_owned(),
        checksum: Checksum::of(text),
        statements,
    })
}

/// Stops at the first error: after a refused `COPY … FROM STDIN`, what follows is not even SQL.
fn add_statements(
    statements: &mut Vec<Statement>,
    boundary: &mut usize,
    file: &str,
    first_line: usize,
    text: &str,
) -> Result<(), FormatError> {
    let at = |line| Origin { file: file.to_owned(), line };
    for piece in sql::pieces(text, first_line) {
        let piece =
            piece.map_err(|source| FormatError::Split { origin: at(source.line()), source })?;
        let origin = at(piece.line);
        match sql::classify(piece.text) {
            Kind::Run(class) => {
                let text = piece.text.to_owned();
                statements.push(Statement {
                    text,
                    written: None,
                    class,
                    origin,
                    boundary: *boundary,
                });
            }
            Kind::TransactionBegin | Kind::TransactionEnd => *boundary += 1,
            Kind::Refused(refusal) => return Err(FormatError::Refused { origin, refusal }),
        }
    }
    Ok(())
}

/// A name in words.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ").trim().to_owned()
}
