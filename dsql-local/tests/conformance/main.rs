//! Compares the emulator with every fact that was recorded on a real cluster of Aurora DSQL.
//!
//! `facts.txt` is the table, and its head explains the notation. Each fact is checked in the simple
//! and in the extended protocol. The test fails when the emulator responds differently and the
//! table gives no reason. It also fails when a difference with a reason no longer exists, because
//! the reason must then be removed.

#[path = "../common/mod.rs"]
mod common;
mod fact;
mod run;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use fact::{Fact, Proof};
use run::Outcome;
use tokio::task::JoinSet;
use wire::Session;

const FACTS: &str = include_str!("facts.txt");

/// Minimum share of the facts for which the emulator must respond as DSQL does, in percent.
const AIM: usize = 95;

/// Facts are independent of each other, and each cluster checks its share one after the other.
const CLUSTERS: usize = 4;

#[expect(clippy::print_stdout, reason = "the summary is for readers of --nocapture")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_emulator_responds_as_aurora_dsql_did() {
    let facts = Arc::new(fact::parse(FACTS).unwrap_or_else(|error| panic!("facts.txt: {error}")));
    let mut tasks = JoinSet::new();
    for first in 0..CLUSTERS {
        let facts = Arc::clone(&facts);
        tasks.spawn(async move {
            let cluster = common::cluster().await;
            let mut caretaker = Session::log_in(&cluster).await;
            let mut outcomes = Vec::new();
            for (index, fact) in facts.iter().enumerate().skip(first).step_by(CLUSTERS) {
                outcomes.push((index, run::ask(&cluster, &mut caretaker, fact).await));
            }
            cluster.stop().await;
            outcomes
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(finished) = tasks.join_next().await {
        outcomes.extend(finished.expect("no fact panics"));
    }

    let report = Report::of(&facts, &outcomes);
    println!("{}", report.summary);
    assert!(report.complaints.is_empty(), "{}\n{}", report.complaints, report.summary);
    assert!(report.percent >= AIM, "{}", report.summary);
}

struct Report {
    complaints: String,
    summary: String,
    percent: usize,
}

impl Report {
    fn of(facts: &[Fact], outcomes: &BTreeMap<usize, Outcome>) -> Self {
        let (mut complaints, mut known, mut open) = (String::new(), String::new(), String::new());
        let (mut same, mut differing, mut unknown, mut elsewhere) = (0, 0, 0, 0);
        for (index, fact) in facts.iter().enumerate() {
            let name = &fact.name;
            match (&fact.proof, &outcomes[&index], &fact.differs) {
                (Proof::Unknown(what), ..) => {
                    unknown += 1;
                    open.push_str(&format!("  unknown   {name}: {what}\n"));
                }
                (Proof::Test { file, test }, ..) => {
                    same += 1;
                    elsewhere += 1;
                    if !has_test(file, test) {
                        complaints.push_str(&format!(
                            "{name}: the test {test} does not exist in {file}\n"
                        ));
                    }
                }
                (Proof::Steps(_), Outcome::Same, None) => same += 1,
                (Proof::Steps(_), Outcome::Differs(_), Some(reason)) => {
                    differing += 1;
                    known.push_str(&format!("  differs   {name}: {reason}\n"));
                }
                (Proof::Steps(_), Outcome::Same, Some(_)) => {
                    let text = "now the same as DSQL: remove `differs` from facts.txt";
                    complaints.push_str(&format!("{name}: {text}\n"));
                }
                (Proof::Steps(_), Outcome::Differs(difference), None) => {
                    differing += 1;
                    complaints.push_str(&format!("{name} ({}): {difference}\n", fact.source));
                }
            }
        }
        let asked = same + differing;
        let recorded = facts.iter().filter(|fact| fact.mark == 'R').count();
        let percent = same * 100 / asked.max(1);
        let summary = format!(
            "{} facts ({recorded} recorded on a cluster): {same} same ({elsewhere} of them in \
             tests of their own), {differing} differing, {unknown} unknown; {percent} % of {asked}\n\
             {known}{open}",
            facts.len()
        );
        Self { complaints, summary, percent }
    }
}

/// Returns whether the file contains the test. A fact must not refer to a test that was renamed or
/// removed.
fn has_test(file: &str, test: &str) -> bool {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("async fn {test}()")))
}
