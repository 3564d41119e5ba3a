//! Which ledgers are the same.

use std::borrow::Cow;

use super::super::basis::Sources;
use super::*;
use crate::database::{LedgerHeader, LedgerSchema, LedgerState, MigrationState, Naming, Target};
use crate::formats;
use crate::migration::{Checksum, Version};

const AT: &str = "2026-11-30T08:00:00.123456Z";
const LATER: &str = "2026-11-30T09:00:00.123456Z";
const HOST: &str = "abc.dsql.us-east-1.on.aws";

fn location(endpoint: &str) -> LedgerLocation {
    LedgerLocation { target: Target::new(endpoint), ledger: LedgerSchema::new("dsql_migrations") }
}

/// A ledger with this identifier and one row for each version, with the time of its end.
fn ledger(id: Option<&str>, rows: &[(&str, &str)]) -> Observation {
    let header = id.map(|id| format!("{{\"layout\": 2, \"id\": {id:?}}}"));
    let header = LedgerHeader::parse(header.as_deref()).unwrap();
    let migrations = rows.iter().map(|(version, at)| record(version, at)).collect();
    Observation { ledger: LedgerState::Current(header), migrations, ..Observation::default() }
}

fn record(version: &str, at: &str) -> MigrationRecord {
    let name = format!("{version}_a.sql");
    let files = formats::read_files([(name.as_str(), "SELECT 1")]).unwrap();
    MigrationRecord {
        version: Version(version.to_owned()),
        kind: files[0].kind,
        run: 1,
        values: None,
        provider_version: None,
        recorded: None,
        description: String::new(),
        checksum: Checksum::of("SELECT 1"),
        state: MigrationState::Applied,
        finished_at: Some(at.to_owned()),
        applied_by: "admin".to_owned(),
        duration_ms: None,
        error: None,
        adopted_from: None,
        statements: Vec::new(),
    }
}

/// What a state says about the ledger at [`HOST`] with this identifier and these rows.
fn state<'a>(id: Option<&str>, rows: &[(&str, &str)], is_shared: bool) -> StateLedger<'a> {
    let rows = rows.iter().map(|(version, at)| {
        let row = Value::object([
            ("checksum", Checksum::of("SELECT 1").0.into()),
            ("status", "applied".into()),
            ("applied_at", (*at).into()),
        ]);
        ((*version).to_owned(), row)
    });
    let identity = LedgerIdentity { ledger: id.map(str::to_owned), cluster: None };
    let (rows, basis) = (Cow::Owned(Value::map(rows)), Some(basis(identity, &[])));
    let name = "abc.dsql.us-east-1.on.aws:5432/dsql_migrations";
    StateLedger { name, set: "app", basis, is_planned: false, rows, is_shared }
}

/// The same state in the ledger with this name.
fn at<'a>(name: &'a str, state: StateLedger<'a>) -> StateLedger<'a> {
    StateLedger { name, ..state }
}

/// What Terraform stores with a state: the identity of the ledger, and its rows at that time.
fn basis(identity: LedgerIdentity, records: &[MigrationRecord]) -> Basis {
    Basis::new(Sources::same(None), &location(HOST), identity, &[], records)
}

/// Compares at the address of the state.
fn relation(state: &StateLedger<'_>, found: &Observation) -> LedgerMatch {
    relation_at(HOST, state, found)
}

/// Compares with a ledger that there was when the command began, if there is one.
fn relation_at(endpoint: &str, state: &StateLedger<'_>, found: &Observation) -> LedgerMatch {
    LedgerComparison::new(state, &location(endpoint), found, false).relation
}

/// Compares with a ledger that the command may have created.
fn relation_since(endpoint: &str, state: &StateLedger<'_>, found: &Observation) -> LedgerMatch {
    LedgerComparison::new(state, &location(endpoint), found, true).relation
}

#[test]
fn an_equal_identifier_or_a_row_in_common_is_the_same_ledger() {
    let rows = [("1", AT), ("2", AT)];
    for (state, found) in [
        (state(Some("x"), &rows, false), ledger(Some("x"), &[])),
        (state(Some("x"), &rows, false), ledger(Some("x"), &[("1", LATER)])),
        // Its header was removed.
        (state(Some("x"), &rows, false), ledger(Some("y"), &[("1", AT), ("2", AT), ("3", LATER)])),
        (state(None, &rows, false), ledger(Some("y"), &[("2", AT)])),
        (state(Some("x"), &rows, false), ledger(None, &[("2", AT), ("3", LATER)])),
        (state(None, &[], false), ledger(Some("y"), &[("1", AT)])),
        (state(None, &[], false), Observation::default()),
        (state(Some("x"), &[], false), Observation::default()),
    ] {
        assert_eq!(relation(&state, &found), LedgerMatch::Same, "{found:?}");
    }
}

#[test]
fn rows_that_the_state_does_not_have_belong_to_another_ledger() {
    let rows = [("1", AT)];
    for (state, found) in [
        (state(Some("x"), &rows, false), ledger(Some("y"), &[("1", LATER)])),
        (state(None, &rows, false), ledger(None, &[("1", LATER)])),
        (state(Some("x"), &rows, false), ledger(None, &[("2", AT)])),
        (state(Some("x"), &[], false), ledger(Some("y"), &[("1", AT)])),
    ] {
        assert_eq!(relation(&state, &found), LedgerMatch::Other, "{found:?}");
    }
    // Another cluster has applied the same file within the same second.
    let same_second = ledger(Some("y"), &[("1", AT)]);
    let elsewhere = state(Some("x"), &rows, false);
    assert_eq!(relation_at("other.example", &elsewhere, &same_second), LedgerMatch::Other);
    // Also behind a tunnel at the same address.
    let both = state(Some("x"), &[("1", AT), ("2", AT)], false);
    for found in [&same_second, &ledger(Some("y"), &[("1", AT), ("2", LATER)])] {
        assert_eq!(relation(&both, found), LedgerMatch::Other, "{found:?}");
    }
    let mut slower = ledger(Some("y"), &[("1", AT)]);
    slower.migrations[0].duration_ms = Some(7);
    let mut timed = state(Some("x"), &rows, false);
    for (duration, expected) in [(7_u64, LedgerMatch::Same), (8, LedgerMatch::Other)] {
        let mut row = timed.rows.get("1").unwrap().clone();
        row.set("duration_ms", duration);
        timed.rows = Cow::Owned(Value::map([("1".to_owned(), row)]));
        assert_eq!(relation(&timed, &slower), expected, "{duration}");
    }
    let mut edited = ledger(Some("y"), &[("1", AT)]);
    edited.migrations[0].checksum = Checksum::of("SELECT 2");
    assert_eq!(relation(&state(Some("x"), &rows, false), &edited), LedgerMatch::Other);
}

#[test]
fn a_cluster_is_new_if_it_had_no_ledger_when_the_command_began() {
    let rows = [("1", AT)];
    let (own, others) = (ledger(Some("y"), &[]), ledger(Some("y"), &[("2", LATER)]));
    for state in [state(Some("x"), &rows, false), state(None, &rows, false)] {
        let none = Observation::default();
        for endpoint in ["def.dsql.us-east-1.on.aws", "localhost"] {
            assert_eq!(relation_at(endpoint, &state, &none), LedgerMatch::New);
            assert_eq!(relation_since(endpoint, &state, &none), LedgerMatch::New);
            assert_eq!(relation_since(endpoint, &state, &own), LedgerMatch::New);
            // It has another ledger, in which this set has not run.
            assert_eq!(relation_at(endpoint, &state, &own), LedgerMatch::Other);
            assert_eq!(relation_at(endpoint, &state, &ledger(None, &[])), LedgerMatch::Other);
            assert_eq!(relation_since(endpoint, &state, &others), LedgerMatch::Other);
        }
    }
    // Other resources share the set of single migrations.
    let single = state(Some("x"), &rows, true);
    assert_eq!(relation_since("localhost", &single, &others), LedgerMatch::New);
    assert_eq!(relation_at("localhost", &single, &others), LedgerMatch::Other);
    // A run with another state of the former cluster has created the ledger.
    let header = "{\"layout\": 2, \"id\": \"y\", \"replaces\": \"x\"}";
    let header = LedgerHeader::parse(Some(header)).unwrap();
    let successor = Observation { ledger: LedgerState::Current(header), ..Observation::default() };
    for (id, relation) in [(Some("x"), LedgerMatch::New), (Some("z"), LedgerMatch::Other)] {
        let state = state(id, &rows, false);
        assert_eq!(relation_at("localhost", &state, &successor), relation, "{id:?}");
    }
    // A state without applied migrations has nothing to lose, and still belongs to its ledger.
    let empty = state(Some("x"), &[], false);
    assert_eq!(relation_at("localhost", &empty, &Observation::default()), LedgerMatch::Same);
    assert_eq!(relation_at("localhost", &empty, &own), LedgerMatch::Other);
}

#[test]
fn a_ledger_that_is_gone_from_the_cluster_of_the_state_is_lost() {
    let applied = state(Some("x"), &[("1", AT)], false);
    let (none, other) = (Observation::default(), ledger(Some("y"), &[]));
    for found in [&none, &other, &ledger(None, &[])] {
        assert_eq!(relation(&applied, found), LedgerMatch::Lost, "{found:?}");
        // Also if another resource of the command has created a ledger.
        assert_eq!(relation_since(HOST, &applied, found), LedgerMatch::Lost, "{found:?}");
        let fips = "abc.dsql-fips.us-east-1.on.aws";
        assert_eq!(relation_at(fips, &applied, found), LedgerMatch::Lost, "{found:?}");
    }
    let nothing_applied = state(None, &[], false);
    assert_eq!(relation(&nothing_applied, &none), LedgerMatch::Same);
    // A host name does not identify a cluster, but the schema was in the configuration.
    let before = || state(Some("x"), &[("1", AT)], false);
    for (name, relation) in [
        ("localhost:5432/dsql_migrations", LedgerMatch::New),
        ("localhost:5432/other", LedgerMatch::Lost),
        ("localhost:5433/other", LedgerMatch::New),
        ("elsewhere:5432/other", LedgerMatch::New),
    ] {
        assert_eq!(relation_at("localhost", &at(name, before()), &none), relation, "{name}");
    }
    // The bytes of a plan describe what the plan has found, and it was compared with the state.
    assert_eq!(relation_since(HOST, &before().planned(), &none), LedgerMatch::New);
}

/// Whether nothing runs, with this value of `accept_cluster`.
fn is_refused(endpoint: &str, found: &Observation, accepted: &str) -> bool {
    let state = state(Some("x"), &[("1", AT)], false);
    let location = location(endpoint);
    LedgerComparison::new(&state, &location, found, false).is_refused(Some(accepted))
}

#[test]
fn a_value_of_accept_cluster_accepts_one_ledger() {
    let other = ledger(Some("y"), &[("1", LATER)]);
    for (accepted, refused) in [("localhost", false), ("y", false), ("x", true), ("z", true)] {
        assert_eq!(is_refused("localhost", &other, accepted), refused, "{accepted}");
    }
    let named = "def.dsql.us-east-1.on.aws";
    for (accepted, refused) in [("def", false), ("y", false), (named, true), ("abc", true)] {
        assert_eq!(is_refused(named, &other, accepted), refused, "{accepted}");
    }
    // The name of a cluster that was accepted once does not accept the loss of its ledger.
    for (accepted, refused) in [("x", false), ("abc", true)] {
        assert_eq!(is_refused(HOST, &Observation::default(), accepted), refused, "{accepted}");
    }
    assert!(!is_refused("localhost", &Observation::default(), "other"), "a new cluster");
}

#[test]
fn a_set_with_another_name_is_elsewhere_if_the_identifiers_of_the_ledgers_differ() {
    let state = at("elsewhere:5432/dsql_migrations", state(Some("x"), &[("1", AT)], false));
    let is_elsewhere = |endpoint, found: &Observation, began_without| {
        let location = location(endpoint);
        LedgerComparison::new(&state, &location, found, began_without).is_elsewhere()
    };
    let (same, other) = (ledger(Some("x"), &[]), ledger(Some("y"), &[]));
    assert!(is_elsewhere("localhost", &other, false));
    assert!(!is_elsewhere("localhost", &other, true), "created by this command");
    assert!(!is_elsewhere("localhost", &same, false));
    assert!(!is_elsewhere("localhost", &Observation::default(), false));
    assert!(!is_elsewhere("elsewhere", &other, false), "its header was removed");
}

#[test]
fn the_same_ledger_on_another_cluster_is_one_whose_identifier_is_known_and_different() {
    let state = state(Some("x"), &[("1", AT)], false);
    let found = ledger(Some("x"), &[("1", AT)]);
    let behind = |identifier: &str| {
        let mut location = location("localhost");
        location.target.naming = Naming::Behind(identifier.to_owned());
        location
    };
    for (location, relation) in [
        (location(HOST), LedgerMatch::Same),
        (location("abc.dsql-fips.us-east-1.on.aws"), LedgerMatch::Same),
        (location("localhost"), LedgerMatch::Same),
        (location("vpce-1.dsql-x.us-east-1.vpce.amazonaws.com"), LedgerMatch::Same),
        (behind("abc"), LedgerMatch::Same),
        (behind("def"), LedgerMatch::SameElsewhere),
        (location("def.dsql.us-west-2.on.aws"), LedgerMatch::SameElsewhere),
    ] {
        let compared = LedgerComparison::new(&state, &location, &found, false);
        assert_eq!(compared.relation, relation, "{location:?}");
    }
}

#[test]
fn a_row_is_changed_if_it_differs_and_no_run_has_written_it() {
    let rows = [("1", AT), ("2", AT), ("3", AT), ("4", AT), ("5", AT)];
    let before: Vec<MigrationRecord> =
        rows.iter().map(|(version, at)| record(version, at)).collect();
    let mut state = state(Some("x"), &rows, false);
    state.basis = Some(basis(LedgerIdentity::default(), &before));
    assert!(state.changed_rows(&before).is_empty());

    let mut now = before;
    now.remove(0);
    now[0].state = MigrationState::Failed;
    now[1].checksum = Checksum("sha256:1".to_owned());
    now[2].finished_at = Some(LATER.to_owned());
    now[3].finished_at = Some(LATER.to_owned());
    now[3].run = 2;
    let changed = state.changed_rows(&now);
    let texts: Vec<String> = changed.iter().map(ToString::to_string).collect();
    let checksum = Checksum::of("SELECT 1");
    assert_eq!(
        texts,
        [
            format!("migration 1, applied at {AT}, no longer has a row"),
            "migration 2 was applied and is now failed".to_owned(),
            format!("the checksum of migration 3 was {checksum} and is now sha256:1"),
            format!("the time of migration 4 was {AT} and is now {LATER}"),
        ]
    );
    // Without private bytes, nothing shows that a run has written the row.
    state.basis = None;
    assert_eq!(state.changed_rows(&now).len(), 5);
}
