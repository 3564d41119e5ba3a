//! Peers whose test data is directories and files: statements, versions, and order.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use terraform_provider_dsql::formats::{Format, read_dir};
use terraform_provider_dsql::sql;

use crate::{Peer, data};

/// A directory with one migration.
fn directory(name: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join(name), text).expect("it can be written");
    dir
}

/// Compares the statements of a directory with texts, each of which may have several statements.
fn compare(dir: &Path, format: Format, expected: &[String]) -> Option<String> {
    let found = match read_dir(&dir.to_string_lossy(), Some(format)) {
        Ok(directory) => directory.migrations,
        Err(errors) => return Some(format!("is rejected: {}", errors[0])),
    };
    let found: Vec<String> = found
        .iter()
        .flat_map(|migration| &migration.statements)
        .map(|statement| in_one_line(&statement.text))
        .collect();
    let mut wanted = Vec::new();
    for text in expected {
        match sql::split(text) {
            Ok(pieces) => wanted.extend(pieces.iter().map(|piece| in_one_line(piece.text))),
            Err(error) => return Some(format!("the expected text cannot be split: {error}")),
        }
    }
    (found != wanted).then(|| format!("has {found:?}, expected {wanted:?}"))
}

pub(crate) fn compare_text(
    name: &str,
    text: &str,
    format: Format,
    expected: &[String],
) -> Option<String> {
    compare(directory(name, text).path(), format, expected)
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the entries of a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// All directories below one that satisfy a condition.
fn directories(root: &Path, is_one: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names(root) {
        let path = root.join(name);
        if path.is_dir() {
            if is_one(&path) {
                found.push(path.clone());
            }
            found.extend(directories(&path, is_one));
        }
    }
    found
}

/// The statements of Atlas's scanner.
pub(crate) fn atlas(peers: &Path) -> Option<Peer> {
    let root = data(peers, "atlas/sql/migrate/testdata")?;
    let mut peer = Peer::new("Atlas");
    for group in ["lex", "lexgroup", "lexescaped", "lexbegintry", "sqlserver"] {
        let dir = root.join(group);
        for golden in names(&dir).iter().filter(|name| name.ends_with(".golden")) {
            let name = golden.trim_end_matches(".golden");
            let text = read(&dir.join(name));
            let expected: Vec<String> =
                read(&dir.join(golden)).split("\n-- end --\n").map(str::to_owned).collect();
            let migration = directory("1_a.sql", &text);
            fs::write(migration.path().join("atlas.sum"), atlas_sum("1_a.sql", &text))
                .expect("it can be written");
            let case = format!("{group}/{name}");
            peer.add(&case, compare(migration.path(), Format::Atlas, &expected));
        }
    }
    Some(peer)
}

/// The sum of a directory with one file.
fn atlas_sum(name: &str, text: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest([name, text].concat()));
    let total = STANDARD.encode(Sha256::digest([name, &hash].concat()));
    format!("h1:{total}\n{name} h1:{hash}\n")
}

/// The statements of goose's parser.
pub(crate) fn goose(peers: &Path) -> Option<Peer> {
    let root = data(peers, "goose/internal/sqlparser/testdata/valid-up")?;
    let mut peer = Peer::new("goose");
    for test in names(&root) {
        let dir = root.join(&test);
        let expected: Vec<String> = names(&dir)
            .iter()
            .filter(|name| name.ends_with(".golden.sql"))
            .map(|name| read(&dir.join(name)))
            .collect();
        let text = read(&dir.join("input.sql"));
        peer.add(&test, compare_text("1_a.sql", &text, Format::Goose, &expected));
    }
    Some(peer)
}

/// Compares the versions of a directory with those in the names of its files.
fn compare_versions(dir: &Path, format: Format, expected: &[String]) -> Option<String> {
    match read_dir(&dir.to_string_lossy(), Some(format)) {
        Ok(directory) => {
            let versions = directory.migrations.iter().map(|migration| migration.version.0.clone());
            let versions: Vec<String> = versions.collect();
            (versions != expected).then(|| format!("has {versions:?}, expected {expected:?}"))
        }
        Err(errors) => Some(format!("is rejected: {}", errors[0])),
    }
}

/// The numbers at the beginning of names, as written, in their order.
fn numbers(names: impl Iterator<Item = String>, prefixes: &[char]) -> Vec<String> {
    let number = |name: String| {
        let digits = name.trim_start_matches(prefixes).split('_').next()?.to_owned();
        Some((digits.parse::<u64>().ok()?, digits))
    };
    let numbers: BTreeSet<(u64, String)> = names.filter_map(number).collect();
    numbers.into_iter().map(|(_, digits)| digits).collect()
}

/// The directories in the tests and examples of sqlx.
pub(crate) fn sqlx(peers: &Path) -> Option<Peer> {
    let root = data(peers, "sqlx")?;
    let mut peer = Peer::new("sqlx");
    let is_one = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("migrations"))
    };
    for dir in directories(&root, &is_one) {
        let expected = numbers(names(&dir).into_iter(), &[]);
        let case = dir.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
        peer.add(&case, compare_versions(&dir, Format::Sqlx, &expected));
    }
    Some(peer)
}

/// The directories in the tests and examples of refinery.
pub(crate) fn refinery(peers: &Path) -> Option<Peer> {
    let root = data(peers, "refinery")?;
    let mut peer = Peer::new("refinery");
    let is_one = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("migrations"))
    };
    for dir in directories(&root, &is_one) {
        let inner = directories(&dir, &|_| true);
        let files = std::iter::once(&dir).chain(&inner).flat_map(|dir| names(dir));
        let expected = numbers(files.filter(|name| name.contains("__")), &['V', 'U']);
        let case = dir.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
        peer.add(&case, compare_versions(&dir, Format::Refinery, &expected));
    }
    Some(peer)
}

/// The directories with a journal in the integration tests of Drizzle.
pub(crate) fn drizzle(peers: &Path) -> Option<Peer> {
    let root = data(peers, "drizzle")?;
    let mut peer = Peer::new("Drizzle");
    for dir in directories(&root, &|path| path.join("meta/_journal.json").exists()) {
        let journal: serde_json::Value =
            serde_json::from_str(&read(&dir.join("meta/_journal.json"))).expect("a journal");
        let entries = journal["entries"].as_array().expect("entries").iter();
        let expected: Vec<String> =
            entries.map(|entry| entry["tag"].as_str().expect("a tag").to_owned()).collect();
        let case = dir.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
        peer.add(&case, compare_versions(&dir, Format::Drizzle, &expected));
    }
    Some(peer)
}

/// Node sorts the directories of Prisma and Drizzle. Its order of random names is compared.
const NODE: &str = "
let seed = 42;
const next = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff, (seed >> 8) % n);
const letters = [
  ...' !#%&()+,-.0123456789=@ABCXYZ[]^_abcxyz{}~', ...'éÉäößñçЖжяαω日本あªº²½–’',
];
const names = new Set();
for (let i = 0; i < 2000; i++) {
  let name = '0';
  for (let length = next(7); length >= 0; length--) name += letters[next(letters.length)];
  names.add(name);
}
const bytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
console.log([...names].sort(bytes).sort((a, b) => a.localeCompare(b)).join('\\n'));
";

/// The order of names in Prisma and Drizzle 1.0. `None` without Node on the `PATH`.
pub(crate) fn node() -> Option<Peer> {
    let output = Command::new("node").args(["-e", NODE]).output().ok()?;
    let sorted = String::from_utf8(output.stdout).expect("names in UTF-8");
    let mut peer = Peer::new("Prisma, Drizzle 1.0 (order in Node)");
    let dir = tempfile::tempdir().expect("a temporary directory");
    for name in sorted.lines() {
        fs::create_dir(dir.path().join(name)).expect("it can be created");
        fs::write(dir.path().join(name).join("migration.sql"), "SELECT 1")
            .expect("it can be written");
    }
    let read = read_dir(&dir.path().to_string_lossy(), Some(Format::Prisma));
    let read = read.expect("the directory is valid").migrations;
    for (migration, expected) in read.iter().zip(sorted.lines()) {
        let version = &migration.version.0;
        peer.add(expected, (version != expected).then(|| format!("{version} is in its place")));
    }
    Some(peer)
}

/// The statements that PostgreSQL's parser accepts, from `valid_statements.py`.
pub(crate) fn postgres(peers: &Path) -> Option<Peer> {
    let text = read(&data(peers, "postgres.txt")?);
    let statements: Vec<&str> = text.split('\u{1}').collect();
    let mut peer = Peer::new("PostgreSQL (linter)");
    for part in statements.chunks(1_000) {
        for (statement, findings) in part.iter().zip(sql::lint(part)) {
            let unread = findings.iter().find(|finding| finding.rule == "parse_error");
            peer.add(statement, unread.map(|finding| finding.message.clone()));
        }
    }
    Some(peer)
}
