//! Compares the readers of directories with the public test data of the tools that write them.
//!
//! `README.md` next to this file says where the data is from, and has the results. The data is not
//! part of this repository:
//!
//! ```sh
//! PEERS=<directory> cargo test --test peers -- --nocapture
//! ```
//!
//! Without `PEERS`, nothing is compared.

mod golang;
mod statements;

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Cases in which this provider differs on purpose: peer, case, and the sentence of the guide about
/// the tool that says so.
const BY_INTENT: &[(&str, &str, &str)] = &[
    ("Atlas", "lex/10_delimiter_comment.sql", ATLAS),
    ("Atlas", "lex/11_delimiter_mysql_command.sql", ATLAS),
    ("Atlas", "lex/13_delimiter_mysql_command.sql", ATLAS),
    ("Atlas", "lex/14_delimiter_mysql_command.sql", ATLAS),
    ("Atlas", "lex/15_dollar_quote.sql", ATLAS),
    ("Atlas", "lex/19_ms_gocmd.sql", ATLAS),
    ("Atlas", "lex/20_ms_go-delim.sql", ATLAS),
    ("Atlas", "lex/5_delimiter.sql", ATLAS),
    ("Atlas", "lex/6_skip_comment.sql", ATLAS),
    ("Atlas", "lex/7_delimiter_2n.sql", ATLAS),
    ("Atlas", "lex/8_delimiter_3n.sql", ATLAS),
    ("Atlas", "lex/9_delimiter_3n.sql", ATLAS),
    ("Atlas", "lexbegintry/1.sql", ATLAS),
    ("Atlas", "lexescaped/1.my.sql", ATLAS),
    ("Atlas", "lexgroup/1_trigger.sql", ATLAS),
    ("Atlas", "lexgroup/2_function.sql", ATLAS),
    ("Atlas", "lexgroup/3_delimiter.sql", ATLAS),
    ("Drizzle", "integration-tests/drizzle2/mysql", DRIZZLE),
    ("Drizzle", "integration-tests/drizzle2/mysql-proxy/first", DRIZZLE),
    ("Drizzle", "integration-tests/drizzle2/mysql-proxy/second", DRIZZLE),
    ("Drizzle", "integration-tests/drizzle2/planetscale", DRIZZLE),
    ("Drizzle", "integration-tests/drizzle2/singlestore", DRIZZLE),
    ("Drizzle", "integration-tests/drizzle2/sqlite", DRIZZLE),
    ("dbmate", "reject multiple down annotations in a single section", DBMATE),
    ("dbmate", "require a down block", DBMATE),
    ("dbmate", "require a down block in each section", DBMATE),
    ("refinery", "examples/migrations", REFINERY),
    ("refinery", "refinery/tests/migrations", REFINERY),
    ("refinery", "refinery/tests/migrations_int8", REFINERY),
];

const ATLAS: &str = "Files must be SQL that PostgreSQL can read.";
const DBMATE: &str = "A missing or repeated `-- migrate:down` is accepted.";
const DRIZZLE: &str = "A journal of another dialect is rejected.";
const REFINERY: &str = "Migrations in Rust are rejected.";

#[test]
fn each_difference_is_documented() {
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    for (peer, case, sentence) in BY_INTENT {
        let guide = guides.join(format!("coming-from-{}.md", peer.to_lowercase()));
        let text = std::fs::read_to_string(guide).expect("the guide exists");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(sentence), "{peer}: {case}");
    }
}

/// The results of one peer.
struct Peer {
    name: &'static str,
    cases: usize,
    intended: BTreeSet<String>,
    faults: Vec<String>,
}

impl Peer {
    fn new(name: &'static str) -> Self {
        Self { name, cases: 0, intended: BTreeSet::new(), faults: Vec::new() }
    }

    /// Adds a case. `difference` says how it differs.
    fn add(&mut self, case: &str, difference: Option<String>) {
        self.cases += 1;
        let Some(difference) = difference else { return };
        let is_intended =
            BY_INTENT.iter().any(|(peer, intended, _)| *peer == self.name && *intended == case);
        if is_intended {
            self.intended.insert(case.to_owned());
        } else {
            self.faults.push(format!("{}: {case}: {difference}", self.name));
        }
    }

    /// The row of the table.
    fn row(&self) -> String {
        let Self { name, cases, intended, faults } = self;
        let agree = cases - intended.len() - faults.len();
        format!("| {name} | {cases} | {agree} | {} | {} |", intended.len(), faults.len())
    }
}

/// Where the data of a peer is. `None` if it was not fetched.
fn data(peers: &Path, path: &str) -> Option<PathBuf> {
    let path = peers.join(path);
    path.exists().then_some(path)
}

#[test]
fn the_readers_agree_with_the_test_data_of_the_tools() {
    let Some(peers) = env::var_os("PEERS").map(PathBuf::from) else {
        eprintln!("PEERS is not set, so nothing is compared");
        return;
    };
    let compared = [
        statements::atlas(&peers),
        statements::goose(&peers),
        golang::dbmate(&peers),
        golang::golang_migrate(&peers),
        statements::sqlx(&peers),
        statements::refinery(&peers),
        statements::drizzle(&peers),
        statements::node(),
        statements::postgres(&peers),
    ];

    let mut table = String::new();
    let mut faults = Vec::new();
    for peer in compared.into_iter().flatten() {
        writeln!(table, "{}", peer.row()).expect("a string accepts all text");
        let unused = BY_INTENT
            .iter()
            .filter(|(name, case, _)| *name == peer.name && !peer.intended.contains(*case))
            .map(|(name, case, _)| format!("{name}: {case}: is listed, but agrees"));
        faults.extend(peer.faults.iter().cloned().chain(unused));
    }
    println!("| peer | cases | agree | by intent | by fault |\n|---|---|---|---|---|\n{table}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
