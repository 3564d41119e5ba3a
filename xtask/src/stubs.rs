//! A stub that was not filled in fails the tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::MARK;

/// The root of the repository in which the tests were compiled.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("xtask is a folder of the repository").to_owned()
}

#[test]
fn no_text_of_a_stub_is_left() {
    let mut folders = vec![root().join("src"), root().join("docs")];
    let (mut read, mut left) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // The READMEs for contributors explain the mark.
            if path.ends_with("README.md") {
                continue;
            }
            read += 1;
            let text = fs::read(&path).expect("the file can be read");
            if String::from_utf8_lossy(&text).contains(MARK) {
                left.push(path);
            }
        }
    }
    assert!(read > 100, "only {read} files were read");
    assert!(left.is_empty(), "replace every {MARK} in {left:#?}");
}
