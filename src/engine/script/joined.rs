//! The scripts of several migrations, as one.

use super::{Gain, Planned};
use crate::database::{Group, Write};
use crate::engine::run::WRITES;

/// A group of a string, with what it brings to which migration.
#[derive(Debug)]
pub(in crate::engine) struct Joined<'a> {
    pub(in crate::engine) group: Group<'a>,
    pub(in crate::engine) gains: Vec<(usize, Gain)>,
    /// The migration at fault if the group fails, and its statement, counted from 1.
    pub(in crate::engine) at: (usize, usize),
}

impl Joined<'_> {
    pub(in crate::engine) fn is_schema_change(&self) -> bool {
        matches!(self.group, Group::Schema(_))
    }
}

/// Lets the end of a migration and the beginning of the next share a transaction, because each is a
/// commit for the server to bring to all its Availability Zones: of a schema change two are left
/// of three.
///
/// An error is the last one's: it is a beginning that is refused for a reason of its own. Row changes
/// stay alone, because every row of the ledger beside them is one less of the 3,000 that they may
/// have. So many migrations may have waited for their jobs that their ends are too much for one.
pub(in crate::engine) fn joined<'a>(
    planned: impl IntoIterator<Item = (usize, Planned<'a>)>,
) -> Vec<Joined<'a>> {
    let mut all: Vec<Joined<'a>> = Vec::new();
    for (index, Planned { group, gains, number }) in planned {
        let gains = gains.into_iter().map(|gain| (index, gain));
        let mut next = Joined { group, gains: gains.collect(), at: (index, number) };
        if let Some(last) = all.last_mut()
            && let (Some(before), Some(after)) = (writes(&mut last.group), writes(&mut next.group))
            && before.len() + after.len() <= WRITES
        {
            before.append(after);
            last.gains.append(&mut next.gains);
            last.at = next.at;
        } else {
            all.push(next);
        }
    }
    all
}

/// The writes of a group that is nothing else.
fn writes<'g, 'a>(group: &'g mut Group<'a>) -> Option<&'g mut Vec<Write<'a>>> {
    match group {
        Group::Rows { statements, writes } if statements.is_empty() => Some(writes),
        Group::Rows { .. } | Group::Schema(_) | Group::DropIndex(_) => None,
    }
}
