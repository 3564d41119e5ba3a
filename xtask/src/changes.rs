//! Files to create and to edit. Nothing is written until every change is known to be possible.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// The new text of files, by path from the root of the repository.
pub(crate) struct Changes {
    root: PathBuf,
    files: BTreeMap<String, String>,
}

impl Changes {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: BTreeMap::new() }
    }

    /// Adds a file that does not exist yet.
    pub(crate) fn create(&mut self, path: String, text: String) -> Result<()> {
        if self.root.join(&path).exists() {
            return Err(format!("{path} already exists").into());
        }
        self.files.insert(path, text);
        Ok(())
    }

    /// Replaces the text of an existing file.
    pub(crate) fn edit(
        &mut self,
        path: &str,
        edit: impl FnOnce(&str) -> Result<String>,
    ) -> Result<()> {
        let text = match self.files.remove(path) {
            Some(text) => text,
            None => fs::read_to_string(self.root.join(path))
                .map_err(|error| format!("{path} cannot be read: {error}"))?,
        };
        let edited = edit(&text).map_err(|error| {
            format!("{path} {error}. If the code was moved, adapt the edits in xtask/src/.")
        })?;
        self.files.insert(path.to_owned(), edited);
        Ok(())
    }

    /// Writes all files.
    pub(crate) fn write(&self) -> Result<()> {
        for (path, text) in &self.files {
            let path = self.root.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// The paths of all files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The lines that an edit added to a file. Fails the test if it changed anything else.
    #[cfg(test)]
    pub(crate) fn added(&self, path: &str) -> Vec<&str> {
        let old = fs::read_to_string(self.root.join(path)).expect("the file exists");
        let mut old = old.lines().peekable();
        let new = self.files[path].lines();
        let added = new.filter(|line| old.next_if_eq(line).is_none()).collect();
        assert_eq!(old.next(), None, "{path} lost a line");
        added
    }
}
