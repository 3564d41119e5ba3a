//! Every fact about Aurora DSQL that somebody recorded on a real cluster, asked of the emulator.
//!
//! `facts.txt` is the table; its head explains the notation. A fact is asked through the simple and
//! through the extended protocol. The test fails when the emulator answers something else and the
//! table gives no reason for it, and also when a difference with a reason is gone: the reason then
//! has to go too.

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

/// How many of the facts that can be asked have to be answered as DSQL does, in percent.
const AIM: usize = 95;

/// Facts are independent of each other; one cluster is asked one after the other.
const CLUSTERS: usize = 4;

#[expect(clippy::print_stdout, reason = "the summary is for who runs the test with --nocapture")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_emulator_answers_as_aurora_dsql_did() {
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
                        complaints
                            .push_str(&format!("{name}: there is no test {test} in {file}\n"));
                    }
                }
                (Proof::Steps(_), Outcome::Same, None) => same += 1,
                (Proof::Steps(_), Outcome::Differs(_), Some(reason)) => {
                    differing += 1;
                    known.push_str(&format!("  differs   {name}: {reason}\n"));
                }
                (Proof::Steps(_), Outcome::Same, Some(_)) => {
                    let text = "answered as by DSQL now: take `differs` out of facts.txt";
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
            "{} facts ({recorded} recorded on a cluster): {same} same ({elsewhere} of them in tests of their own), \
             {differing} differing, {unknown} unknown; {percent} % of {asked}\n{known}{open}",
            facts.len()
        );
        Self { complaints, summary, percent }
    }
}

/// Whether the file has that test, so that a fact does not point at one that was renamed or
/// removed.
fn has_test(file: &str, test: &str) -> bool {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("async fn {test}()")))
}
