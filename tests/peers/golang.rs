//! Peers whose test data is in the source of their tests, in Go.

use std::fs;
use std::path::Path;

use terraform_provider_dsql::formats::{Format, read_dir};

use crate::statements::compare_text;
use crate::{Peer, data};

/// The string literal at the beginning of a text, and the rest.
fn literal(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, rest) = raw.split_once('`')?;
        return Some((value.to_owned(), rest));
    }
    let quoted = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// The cases of dbmate's parser: a text, and its sections or an error.
pub(crate) fn dbmate(peers: &Path) -> Option<Peer> {
    let path = data(peers, "dbmate/pkg/dbmate/migration_test.go")?;
    let source = fs::read_to_string(path).expect("it can be read");
    let mut peer = Peer::new("dbmate");
    for case in source.split("t.Run(").skip(1) {
        let (name, rest) = literal(case).expect("a name");
        let Some((_, rest)) = rest.split_once("migration := ") else { continue };
        let (text, rest) = literal(rest).expect("a migration");
        let difference = if rest.contains("require.Error") {
            let read = compare_text("1_a.sql", &text, Format::Dbmate, &[]);
            let is_rejected = read.is_some_and(|difference| difference.contains("is rejected"));
            (!is_rejected).then(|| "is accepted".to_owned())
        } else {
            let ups: Vec<String> = rest
                .split("require.Equal(t, ")
                .filter(|check| check.lines().next().is_some_and(|line| line.ends_with(".Up)")))
                .filter_map(|check| Some(literal(check)?.0))
                .collect();
            compare_text("1_a.sql", &text, Format::Dbmate, &ups)
        };
        peer.add(&name, difference);
    }
    Some(peer)
}

/// The cases of golang-migrate's names: a name, and its version or an error.
pub(crate) fn golang_migrate(peers: &Path) -> Option<Peer> {
    let path = data(peers, "migrate/source/parse_test.go")?;
    let source = fs::read_to_string(path).expect("it can be read");
    let mut peer = Peer::new("golang-migrate");
    for case in source.split("\tname:").skip(1) {
        let (name, rest) = literal(case.trim_start()).expect("a name");
        let field = |field: &str| {
            let (_, value) = rest.split_once(field)?;
            Some(value.split(',').next()?.trim().to_owned())
        };
        // The name is tested next to a valid one, because an empty directory is an error too.
        let dir = tempfile::tempdir().expect("a temporary directory");
        for file in [name.as_str(), "999999999999999_last.up.sql"] {
            fs::write(dir.path().join(file), "SELECT 1").expect("it can be written");
        }
        let read = read_dir(&dir.path().to_string_lossy(), Some(Format::GolangMigrate));
        let version = read.map(|read| read.migrations[0].version.0.clone());
        let is_down = field("Direction:").as_deref() == Some("Down");
        let expected = field("Version:").filter(|_| !is_down);
        let difference = match (version, expected) {
            (Ok(version), Some(expected)) if version == expected => None,
            (Ok(version), None) if version == "999999999999999" => None,
            (Err(_), None) => None,
            (read, expected) => Some(format!("is {read:?}, expected {expected:?}")),
        };
        peer.add(&name, difference);
    }
    Some(peer)
}
