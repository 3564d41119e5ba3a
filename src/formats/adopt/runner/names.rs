//! Finds the file of a row of a custom runner, by its version and by its name.
//!
//! After a merge, a file may have the number that another one had when it ran. A row that contains
//! a name is therefore only for the file with this name.

use super::correction;
use super::label::{Label, RowNames};
use crate::formats::adopt::compare::OtherName;
use crate::formats::adopt::files::{Key, SetFiles};
use crate::formats::adopt::{AdoptError, counted};
use crate::formats::listing::stem;
use crate::migration::Migration;
use crate::migration::table::Table;

/// What a row is for.
pub(super) struct FoundFile {
    pub(super) file: Option<usize>,
    pub(super) key: Key,
    /// If it has the name of another file.
    pub(super) other: Option<OtherName>,
}

/// The files of a directory with their names.
pub(super) struct FileNames<'a> {
    migrations: &'a [Migration],
    labels: Vec<Label>,
    are_numbers: bool,
}

impl<'a> FileNames<'a> {
    pub(super) fn of(files: &SetFiles<'a>) -> Self {
        let (migrations, numbers) = (files.migrations, files.numbers());
        let are_numbers = numbers.iter().all(Option::is_some);
        let numbers = numbers.into_iter().map(|number| number.filter(|_| are_numbers));
        let labels = migrations.iter().zip(numbers).map(|(it, number)| Label::of_file(it, number));
        Self { migrations, labels: labels.collect(), are_numbers }
    }

    pub(super) fn keys(&self) -> Vec<Option<Key>> {
        (0..self.labels.len()).map(|file| Some(self.key(file))).collect()
    }

    fn key(&self, file: usize) -> Key {
        let name = || Key::Name(self.migrations[file].version.0.clone());
        self.labels[file].number.clone().unwrap_or_else(name)
    }

    /// Finds the file of a row.
    pub(super) fn find(
        &self,
        row: &RowNames<'_>,
        table: &Table,
    ) -> Result<FoundFile, Vec<AdoptError>> {
        if !self.are_numbers {
            return Ok(self.find_version(row));
        }
        let labels: Vec<Label> = row.texts().map(|(_, text)| Label::of(text)).collect();
        let number = labels.iter().find_map(|label| label.number.clone());
        let is_whole = |file: &Label| file.whole == labels[0].whole;
        let has_number = |file: &Label| number.is_some() && file.number == number;
        let position = |is_it: &dyn Fn(&Label) -> bool| self.labels.iter().position(is_it);
        let numbered = position(&is_whole).or_else(|| position(&has_number));
        let key = match numbered {
            Some(file) => self.key(file),
            None => number.map_or_else(|| counted::number(table, row.version), Ok)?,
        };
        let is_named = |file: usize| labels.iter().all(|row| self.labels[file].is_named(row));
        if numbered.is_some_and(is_named) {
            return Ok(FoundFile { file: numbered, key, other: None });
        }
        let has_name = |(label, _): &(&Label, _)| labels.iter().any(|row| label.has_name_of(row));
        let mut named = self.labels.iter().zip(self.migrations).filter(has_name);
        let named = named.next().map(|(_, it)| it).filter(|_| named.next().is_none());
        let other = (numbered.is_some() || named.is_some()).then(|| OtherName {
            file: named.map(|migration| migration.file.clone()),
            correction: named.and_then(|file| correction::renumbered(row, table, file)),
        });
        Ok(FoundFile { file: numbered, key, other })
    }

    /// Finds the file of a row in a directory whose versions are names: the row has it in the
    /// version, in a name, or in both together.
    fn find_version(&self, row: &RowNames<'_>) -> FoundFile {
        let both = row.columns.iter().map(|(_, name)| format!("{}_{name}", row.version));
        let names = row.columns.iter().map(|(_, name)| (*name).to_owned());
        let mut texts = [row.version.to_owned()].into_iter().chain(names).chain(both);
        let file = texts.find_map(|text| {
            let (name, label) = (stem(&text), Label::of(&text));
            let is_exact = |it: &Migration| it.version.0 == name;
            let is_like = || self.labels.iter().position(|it| it.whole == label.whole);
            self.migrations.iter().position(is_exact).or_else(is_like)
        });
        let key = match file {
            Some(file) => self.key(file),
            None => Key::Name(stem(row.version).to_owned()),
        };
        FoundFile { file, key, other: None }
    }
}
