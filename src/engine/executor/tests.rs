//! Tests of the planned and merged transactions.

use super::*;
use crate::database::StatementState;
use crate::formats;
use crate::sql;

fn number(number: usize) -> StatementNumber {
    StatementNumber::new(number).expect("from 1")
}

/// The rest of a migration, one line per transaction.
fn lines(text: &str, states: &[(usize, StatementProgress)], running: &[JobTarget]) -> Vec<String> {
    let migrations = formats::read_files([("1_m.sql", text)]).unwrap();
    let mut progress = MigrationProgress::new(&migrations[0], None);
    progress.states.extend(states.iter().map(|(at, state)| (number(*at), state.clone())));
    let steps = next_steps(&progress, &mut running.iter().map(Some).collect());
    let mut lines: Vec<String> =
        steps.transactions.iter().map(|planned| describe(&planned.transaction)).collect();
    if steps.blocked.is_some() {
        lines.push("wait".into());
    }
    lines
}

fn describe(transaction: &Transaction<'_>) -> String {
    match transaction {
        Transaction::Ddl(statement) => statement.text.clone(),
        Transaction::DropIndex(index) => format!("drop {index}"),
        Transaction::Ledger(writes) => describe_all(&[], writes),
        Transaction::Dml { statements, writes } => describe_all(statements, writes),
    }
}

fn describe_all(statements: &[&Statement], writes: &[Write<'_>]) -> String {
    let statements = statements.iter().map(|statement| statement.text.clone());
    let writes = writes.iter().map(|write| match write {
        Write::Begin(_) => "begin".to_owned(),
        Write::End { .. } => "end".to_owned(),
        Write::Intend { record, .. } => format!("intend {}", record.number),
        Write::Record { record, .. } => format!("record {}", record.number),
        Write::Advance { number, .. } => format!("done {number}"),
        _ => "other".to_owned(),
    });
    statements.chain(writes).collect::<Vec<_>>().join(", ")
}

#[test]
fn schema_changes_are_recorded_after_them_and_row_changes_in_their_transaction() {
    let text = "CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1; \
                INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); DROP VIEW v";
    assert_eq!(
        lines(text, &[], &[]),
        [
            "begin, intend 1",
            "CREATE TABLE t (a int)",
            "done 1, intend 2",
            "CREATE VIEW v AS SELECT 1",
            "done 2",
            "INSERT INTO t VALUES (1), INSERT INTO t VALUES (2), record 3, record 4",
            "intend 5",
            "DROP VIEW v",
            "done 5, end",
        ]
    );
}

#[test]
fn the_end_of_a_migration_shares_a_transaction_with_the_beginning_of_the_next() {
    let migrations = formats::read_files([
        ("1_m.sql", "CREATE TABLE t (a int)"),
        ("2_m.sql", "CREATE TABLE u (a int)"),
        ("3_m.sql", "INSERT INTO t VALUES (1)"),
        ("4_m.sql", "DROP TABLE t"),
    ])
    .unwrap();
    let mut open = OpenMigrations::default();
    let indexes: Vec<_> =
        migrations.iter().map(|it| open.push(MigrationProgress::new(it, None))).collect();
    let planned = open.iter().flat_map(|(index, progress)| {
        let transactions = next_steps(progress, &mut Vec::new()).transactions;
        transactions.into_iter().map(move |transaction| (index, transaction))
    });
    let merged = merge(planned);
    let reported = |it: &MergedTransaction<'_>| {
        let index = indexes.iter().position(|index| *index == it.index).expect("an open one");
        (index, it.number.expect("a statement").get())
    };
    let lines: Vec<_> = merged.iter().map(|it| (reported(it), describe(&it.transaction))).collect();
    let expected = [
        ((0, 1), "begin, intend 1"),
        ((0, 1), "CREATE TABLE t (a int)"),
        ((1, 1), "done 1, end, begin, intend 1"),
        ((1, 1), "CREATE TABLE u (a int)"),
        ((2, 1), "done 1, end, begin"),
        ((2, 1), "INSERT INTO t VALUES (1), record 1"),
        ((3, 1), "end, begin, intend 1"),
        ((3, 1), "DROP TABLE t"),
        ((3, 1), "done 1, end"),
    ];
    assert_eq!(lines, expected.map(|(at, line)| (at, line.to_owned())));
    let (one, two) = (indexes[0], indexes[1]);
    let first = StatementNumber::FIRST;
    assert_eq!(
        merged[2].events,
        [
            (one, ProgressEvent::Done(first)),
            (one, ProgressEvent::Ended),
            (two, ProgressEvent::Begun),
            (two, ProgressEvent::Intended(first)),
        ]
    );
}

#[test]
fn the_ends_of_many_migrations_are_split_into_transactions() {
    let version = Version("1".into());
    let number = StatementNumber::FIRST;
    let end = || PlannedTransaction {
        transaction: Transaction::Ledger(vec![
            Write::Advance { version: &version, number, state: StatementState::Done },
            Write::End { version: &version, end: MigrationEnd::Applied },
        ]),
        events: vec![ProgressEvent::Ended],
        number: Some(number),
    };
    let migrations = formats::read_files([("1_m.sql", "SELECT 1")]).unwrap();
    let mut open = OpenMigrations::default();
    let index = open.push(MigrationProgress::new(&migrations[0], None));
    let merged = merge((0..800).map(|_| (index, end())));
    let sizes: Vec<_> = merged.into_iter().map(|it| it.transaction.into_writes().len()).collect();
    assert_eq!(sizes, [500, 500, 500, 100]);
}

#[test]
fn statements_that_an_earlier_run_has_applied_are_not_sent_again() {
    let text = "CREATE TABLE t (a int); CREATE TABLE u (a int); INSERT INTO t VALUES (1)";
    let states = [(1, StatementProgress::Done), (2, StatementProgress::Applied)];
    assert_eq!(
        lines(text, &states, &[]),
        ["begin, done 2", "INSERT INTO t VALUES (1), record 3", "end"]
    );
    let states = [
        (1, StatementProgress::Done),
        (2, StatementProgress::Intended { before: None }),
        (3, StatementProgress::Done),
    ];
    assert_eq!(lines(text, &states, &[]), ["begin", "CREATE TABLE u (a int)", "done 2, end"]);
}

#[test]
fn a_migration_with_a_running_job_does_not_end() {
    assert_eq!(
        lines("CREATE INDEX ASYNC i ON t (a); INSERT INTO t VALUES (1)", &[], &[]),
        ["begin, intend 1", "CREATE INDEX ASYNC i ON t (a)", "INSERT INTO t VALUES (1), record 2"]
    );
}

#[test]
fn a_statement_waits_for_a_job_only_if_it_depends_on_it() {
    let builds = "CREATE UNIQUE INDEX ASYNC i ON s.t (a)";
    for (statement, waits) in [
        ("ALTER TABLE s.t ADD CONSTRAINT k UNIQUE USING INDEX i", true),
        ("DROP INDEX s.i", true),
        ("DROP SCHEMA s CASCADE", true),
        ("ALTER SCHEMA s RENAME TO r", true),
        ("DROP DOMAIN d CASCADE", true),
        ("DROP SCHEMA r", false),
        ("ALTER TABLE s.t DROP COLUMN b", true),
        ("CREATE TABLE u (a int REFERENCES s.t (a))", true),
        ("INSERT INTO s.t VALUES (1) ON CONFLICT (a) DO NOTHING", true),
        ("INSERT INTO s.t VALUES (1)", false),
        ("CREATE TABLE u (a int)", false),
        ("CREATE INDEX ASYNC j ON s.t (b)", false),
        ("GRANT SELECT ON s.t TO joe", false),
        ("INSERT INTO u VALUES ('t') ON CONFLICT (a) DO NOTHING", false),
    ] {
        let lines = lines(&format!("{builds}; {statement}"), &[], &[]);
        assert_eq!(lines.last().unwrap() == "wait", waits, "{statement}: {lines:?}");
    }
    for (statement, waits) in [
        ("DROP INDEX s.t_a_idx", true),
        ("ALTER INDEX s.t_a_idx RENAME TO i", true),
        ("COMMENT ON INDEX s.t_a_idx IS 'x'", true),
        ("DROP INDEX s.u_a_idx", false),
        ("DROP TABLE s.t_a_idx", false),
    ] {
        let lines = lines(&format!("CREATE INDEX ASYNC ON s.t (a); {statement}"), &[], &[]);
        assert_eq!(lines.last().unwrap() == "wait", waits, "{statement}: {lines:?}");
    }
    let plain = "CREATE INDEX ASYNC i ON t (a); CREATE TABLE u (a int, b text DEFAULT 't')";
    assert_ne!(lines(plain, &[], &[]).last().unwrap(), "wait");
    let elsewhere = lines("DROP TABLE t", &[], &[sql::job_target(builds).unwrap()]);
    assert_eq!(elsewhere, ["begin", "wait"], "for a job of an earlier migration as well");
}
