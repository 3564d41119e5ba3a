//! Tests of the comparison, and of what a run records.

use super::*;
use crate::database::{
    Build, BuildState, Holder, JobId, LedgerStatement, Observation, UnrecordedRun,
};
use crate::migration::{StatementNumber, Version};

fn snapshot(relations: &[(&str, &[(&str, &str)])]) -> Snapshot {
    let objects = |list: &[(&str, &str)]| {
        list.iter().map(|(object, text)| ((*object).into(), (*text).to_owned())).collect()
    };
    Snapshot {
        relations: relations.iter().map(|(r, list)| ((*r).to_owned(), objects(list))).collect(),
    }
}

const SCHEMA: (&str, &[(&str, &str)]) = ("public", &[("schema public", "")]);
const USERS: (&str, &[(&str, &str)]) =
    ("public.users", &[("table public.users", ""), ("column public.users.id", "uuid not null")]);
const USERS_WITH_NICK: (&str, &[(&str, &str)]) = (
    "public.users",
    &[
        ("table public.users", ""),
        ("column public.users.id", "uuid not null"),
        ("column public.users.nick", "text"),
    ],
);
const NOTES: (&str, &[(&str, &str)]) =
    ("public.notes", &[("table public.notes", ""), ("column public.notes.id", "uuid")]);

fn found(recorded: &Snapshot, live: &Snapshot) -> Vec<Change> {
    changes(recorded, live, &["public".to_owned()])
}

fn words(recorded: &Snapshot, live: &Snapshot) -> Vec<String> {
    found(recorded, live).iter().map(ToString::to_string).collect()
}

#[test]
fn each_change_is_described() {
    let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
    let live = snapshot(&[
        SCHEMA,
        (
            "public.users",
            &[
                ("table public.users", ""),
                ("column public.users.id", "text not null"),
                ("column public.users.nick", "text"),
            ],
        ),
        ("public.extra", &[("table public.extra", ""), ("column public.extra.id", "uuid")]),
    ]);
    assert_eq!(
        words(&recorded, &live),
        [
            "table public.notes was dropped",
            "column public.users.id was changed from \"uuid not null\" to \"text not null\"",
            "column public.users.nick was added: text",
            "table public.extra was added",
        ]
    );
}

#[test]
fn equal_schemas_and_schemas_that_were_never_recorded_have_no_changes() {
    let live = snapshot(&[SCHEMA, USERS]);
    assert!(found(&live, &live).is_empty());
    assert!(found(&Snapshot::default(), &live).is_empty());
}

#[test]
fn a_table_in_a_schema_that_was_recorded_empty_is_drift() {
    let recorded = snapshot(&[SCHEMA]);
    assert_eq!(words(&recorded, &snapshot(&[SCHEMA, USERS])), ["table public.users was added"]);
}

#[test]
fn a_run_records_its_own_changes_and_does_not_accept_earlier_drift_of_the_same_table() {
    let recorded = snapshot(&[SCHEMA, USERS]);
    let before = snapshot(&[SCHEMA, USERS_WITH_NICK]);
    let mut after = before.clone();
    after
        .relations
        .get_mut("public.users")
        .unwrap()
        .insert("column public.users.age".into(), "integer".into());
    after.relations.extend(snapshot(&[NOTES]).relations);

    let recorded = record_run(&recorded, &before, &after, |_| true);

    assert_eq!(words(&recorded, &after), ["column public.users.nick was added: text"]);
}

#[test]
fn the_first_run_records_the_whole_schema() {
    let before = snapshot(&[SCHEMA, NOTES]);
    let after = snapshot(&[SCHEMA, NOTES, USERS]);
    assert_eq!(*record_run(&Snapshot::default(), &before, &after, |_| true), after);
}

#[test]
fn a_table_that_a_run_drops_is_removed_from_the_record() {
    let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
    let after = snapshot(&[SCHEMA, USERS]);
    let new = record_run(&recorded, &recorded, &after, |_| true);
    assert_eq!(*new, after);
    assert_eq!(changed_relations(&recorded, &new), [("public.notes", None)]);
}

#[test]
fn a_note_restores_the_schema_before_a_dead_run() {
    let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
    for before in
        [recorded.clone(), snapshot(&[SCHEMA, USERS_WITH_NICK, NOTES]), snapshot(&[SCHEMA, USERS])]
    {
        let note = note(&recorded, &before, &[]);
        assert_eq!(from_note(&recorded, &note, &[]).unwrap(), before, "{note}");
        let accepted = ["public".to_owned()];
        assert_eq!(from_note(&recorded, &note, &accepted).unwrap(), recorded, "{note}");
    }
    assert_eq!(note(&recorded, &recorded, &[]), "{}");
    let unrecorded = Snapshot::default();
    assert_eq!(note(&unrecorded, &recorded, &[]), "{}", "nothing is recorded to differ from");
    assert!(from_note(&recorded, "no json", &[]).is_err());
}

#[test]
fn different_schemas_have_different_fingerprints() {
    let fingerprint = |relations: &[_]| fingerprint(snapshot(relations).objects());
    let users = fingerprint(&[SCHEMA, USERS]);
    assert_eq!(users, fingerprint(&[USERS, SCHEMA]));
    assert_ne!(users, fingerprint(&[SCHEMA, USERS_WITH_NICK]));
    assert!(users.starts_with("sha256:") && users.len() == 71, "{users}");
}

#[test]
fn only_the_watched_schemas_are_compared() {
    let recorded = snapshot(&[SCHEMA]);
    let live = snapshot(&[SCHEMA, ("other", &[("schema other", "")]), USERS]);
    assert_eq!(words(&recorded, &live), ["table public.users was added"]);
    let other = changes(&recorded, &live, &["other".to_owned()]);
    assert_eq!(other.len(), 1);
    assert_eq!(other[0].to_string(), "schema other was added");
}

#[test]
fn an_invalid_object_is_reported_even_if_a_run_left_it_or_it_was_never_recorded() {
    let live = snapshot(&[
        SCHEMA,
        (
            "public.users",
            &[
                ("constraint public.users.adult", "CHECK ((age > 17)) NOT VALID"),
                ("index public.users_email", "UNIQUE (email) INVALID"),
                ("index public.users_nick", "(nick)"),
            ],
        ),
    ]);
    let expected = [
        "constraint public.users.adult is NOT VALID: existing rows have not been checked against it",
        "index public.users_email is INVALID: queries do not use it, and it may be incomplete",
    ];
    assert_eq!(words(&live, &live), expected);
    assert_eq!(words(&Snapshot::default(), &live), expected);
}

#[test]
fn an_index_that_became_invalid_is_reported_once() {
    let with = |definition| {
        snapshot(&[SCHEMA, ("public.users", &[("index public.users_email", definition)])])
    };
    assert_eq!(
        words(&with("(email)"), &with("(email) INVALID")),
        ["index public.users_email was changed from \"(email)\" to \"(email) INVALID\""]
    );
}

#[test]
fn a_run_does_not_accept_a_schema_that_was_added_outside_of_migrations() {
    let recorded = snapshot(&[SCHEMA]);
    let before = snapshot(&[SCHEMA, ("other", &[("schema other", "")])]);
    let mut after = before.clone();
    after.relations.extend(snapshot(&[USERS]).relations);
    let recorded = record_run(&recorded, &before, &after, |_| true);
    assert_eq!(words(&recorded, &after), [] as [&str; 0]);
    assert_eq!(changes(&recorded, &after, &["other".to_owned()]).len(), 1);
}

#[test]
fn only_the_accepted_schemas_are_recorded() {
    let recorded = snapshot(&[SCHEMA, NOTES]);
    let other: (&str, &[(&str, &str)]) = ("other", &[("schema other", "")]);
    let live = snapshot(&[SCHEMA, USERS, other]);
    let note = note(&recorded, &live, &["public".to_owned()]);
    let before = from_note(&recorded, &note, &[]).unwrap();
    assert_eq!(*record_run(&recorded, &before, &live, |_| true), snapshot(&[SCHEMA, USERS]));
}

#[test]
fn a_run_does_not_record_what_another_one_has_not_finished() {
    let recorded = snapshot(&[SCHEMA, USERS]);
    let after = snapshot(&[SCHEMA, USERS_WITH_NICK, NOTES]);
    let mut statements = Statements::default();
    statements.add_text("CREATE TABLE notes (id int)");
    let now = record_run(&recorded, &recorded, &after, |part| statements.may_have_changed(part));
    assert_eq!(*now, snapshot(&[SCHEMA, USERS, NOTES]));
}

/// A run of the set `other` that began with these differences.
fn unrecorded(before: &[(&str, &[(&str, &str)])], is_alive: bool) -> UnrecordedRun {
    let holder = Holder {
        who: "admin, x".into(),
        until: "2026-11-23T12:00:00Z".into(),
        remaining: std::time::Duration::from_secs(9),
    };
    let before = snapshot(before);
    UnrecordedRun { set: "other".into(), is_own: false, holder: is_alive.then_some(holder), before }
}

fn running() -> Build {
    let (state, object, details) = (BuildState::Running, None, None);
    Build { state, object, oid: None, started_at: None, status: None, details }
}

fn open(summary: &str) -> LedgerStatement {
    LedgerStatement {
        set: "other".into(),
        is_own: false,
        version: Version("3".into()),
        number: StatementNumber::of_index(0),
        summary: summary.into(),
        class: crate::migration::Class::Ddl.into(),
        object: None,
        build: Some(running()),
        job: Some(JobId("j1".into())),
        is_done: false,
        has_failed: false,
        is_unrecorded: false,
        text: None,
    }
}

/// The drift, and what explains the rest.
fn settled(observation: &Observation) -> (Vec<String>, Vec<String>) {
    let settled = settle(observation);
    let Differences { drift, unfinished, .. } = settled.changes(&["public".to_owned()]);
    let unfinished = unfinished.iter().map(|it| format!("{} ({})", it.change, it.by));
    (drift.iter().map(ToString::to_string).collect(), unfinished.collect())
}

#[test]
fn a_difference_is_explained_by_a_run_that_began_without_it() {
    let added = "table public.notes was added";
    let mut observation = Observation {
        recorded: snapshot(&[SCHEMA, USERS]),
        live: snapshot(&[SCHEMA, USERS, NOTES]),
        ..Observation::default()
    };
    let drift = |observation: &Observation| settled(observation).0;
    assert_eq!(drift(&observation), [added]);
    observation.runs = vec![unrecorded(&[NOTES], true)];
    assert_eq!(drift(&observation), [added], "it was there before");
    observation.runs.push(unrecorded(&[], true));
    let explained =
        format!("{added} (the apply of migration set other that is in progress, by admin, x)");
    assert_eq!(settled(&observation), (vec![], vec![explained]));
    assert_eq!(*settle(&observation).live, observation.recorded, "as if nothing had happened");
    observation.runs = vec![unrecorded(&[], false)];
    assert_eq!(drift(&observation), [added], "a run that has ended explains nothing");

    // The run has validated a constraint that was recorded as NOT VALID.
    let users = |definition| {
        let objects: &[(&str, &str)] =
            &[("table public.users", ""), ("constraint public.users.adult", definition)];
        snapshot(&[SCHEMA, ("public.users", objects)])
    };
    let validated = Observation {
        recorded: users("CHECK ((age > 17)) NOT VALID"),
        live: users("CHECK ((age > 17))"),
        runs: vec![unrecorded(&[], true)],
        ..Observation::default()
    };
    assert_eq!(drift(&validated), [""; 0]);

    // The run does not explain what was dropped before it.
    observation.live = snapshot(&[SCHEMA]);
    observation.runs = vec![unrecorded(&[("public.users", &[])], true)];
    assert_eq!(drift(&observation), ["table public.users was dropped"]);
    observation.runs = vec![unrecorded(&[], true)];
    assert_eq!(drift(&observation), [""; 0]);
}

#[test]
fn an_open_statement_explains_what_it_names_and_what_was_not_there_before_its_run() {
    let index: (&str, &[(&str, &str)]) = (
        "public.users",
        &[("table public.users", ""), ("index public.users_nick", "(nick) INVALID")],
    );
    let mut observation = Observation {
        recorded: snapshot(&[SCHEMA, index]),
        live: snapshot(&[SCHEMA, index]),
        ..Observation::default()
    };
    let invalid =
        "index public.users_nick is INVALID: queries do not use it, and it may be incomplete";
    assert_eq!(settled(&observation), (vec![invalid.to_owned()], vec![]), "no job builds it");
    observation.statements = vec![open("CREATE INDEX ASYNC users_nick ON users (nick)")];
    let by = format!("{invalid} (statement 1 of migration 3 of migration set other, job j1)");
    assert_eq!(settled(&observation), (vec![], vec![by]));
    observation.statements = vec![open("CREATE INDEX ASYNC notes_age ON notes (age)")];
    assert_eq!(settled(&observation).0, [invalid]);

    observation.recorded = snapshot(&[SCHEMA]);
    observation.live = snapshot(&[SCHEMA, NOTES]);
    observation.statements = vec![open("CREATE TABLE notes (id int)")];
    assert_eq!(settled(&observation).0, [""; 0]);
    observation.runs = vec![unrecorded(&[NOTES], false)];
    assert_eq!(settled(&observation).0, ["table public.notes was added"], "of someone else");
}

#[test]
fn a_job_that_has_failed_builds_nothing() {
    let with_index: (&str, &[(&str, &str)]) = (
        "public.users",
        &[("table public.users", ""), ("index public.users_nick", "(nick) INVALID")],
    );
    let text = "CREATE INDEX ASYNC users_nick ON users (nick)";
    let mut observation = Observation {
        recorded: snapshot(&[SCHEMA, ("public.users", &[("table public.users", "")])]),
        live: snapshot(&[SCHEMA, with_index]),
        runs: vec![unrecorded(&[], false)],
        statements: vec![LedgerStatement { build: None, ..open(text) }],
        ..Observation::default()
    };
    let added = "index public.users_nick was added: (nick) INVALID";
    let drift = settle(&observation).changes(&["public".to_owned()]).drift;
    assert_eq!(drift[0].to_string(), added);
    assert_eq!(
        drift[0].remedy(),
        Remedy::AfterApply(OtherSet::Unrecorded("other".into())),
        "nobody drops it"
    );
    // The apply of the set itself repeats it.
    observation.statements[0].is_own = true;
    let by = "(statement 1 of migration 3 of migration set other, whose job j1 has failed)";
    assert_eq!(settled(&observation), (vec![], vec![format!("{added} {by}")]));
    observation.statements[0].build = Some(running());
    assert!(settled(&observation).1[0].ends_with("other, job j1)"));
}

#[test]
fn what_a_run_that_has_ended_may_have_made_has_no_remedy_until_its_set_is_applied() {
    let mut observation = Observation {
        recorded: snapshot(&[SCHEMA, USERS]),
        live: snapshot(&[SCHEMA, USERS, NOTES]),
        runs: vec![unrecorded(&[], false)],
        ..Observation::default()
    };
    let remedy = |observation: &Observation| {
        settle(observation).changes(&["public".to_owned()]).drift[0].remedy()
    };
    let drop = Remedy::Sql(vec!["DROP TABLE public.notes".into()]);
    assert_eq!(remedy(&observation), drop);
    let done = |text: &str| LedgerStatement { is_done: true, is_unrecorded: true, ..open(text) };
    for text in ["CREATE TABLE ${p}tes (id uuid)", "ALTER TABLE users RENAME TO notes"] {
        observation.statements = vec![done(text)];
        assert_eq!(
            remedy(&observation),
            Remedy::AfterApply(OtherSet::Unrecorded("other".into())),
            "{text}"
        );
    }
    for text in ["CREATE TABLE others (id uuid)", "ALTER TABLE users RENAME TO people"] {
        observation.statements = vec![done(text)];
        assert_eq!(remedy(&observation), drop, "{text}");
    }
    observation.statements = vec![done("CREATE TABLE notes (id uuid)")];
    observation.runs = vec![unrecorded(&[NOTES], false)];
    assert_eq!(remedy(&observation), drop, "it was there before");
    observation.runs = vec![unrecorded(&[], false)];
    let key = ("public.notes".to_owned(), "table public.notes".into());
    observation.remade.insert(key);
    assert_eq!(remedy(&observation), drop, "someone else has made another table");
}

#[test]
fn a_constraint_that_is_recorded_as_not_valid_is_not_drift() {
    const CHECK: &str = "CHECK ((age > 17))";
    let not_valid = format!("{CHECK} NOT VALID");
    let with = |definition: &str| {
        let objects: &[(&str, &str)] =
            &[("table public.users", ""), ("constraint public.users.adult", definition)];
        snapshot(&[SCHEMA, ("public.users", objects)])
    };
    let found = |recorded: Snapshot, live: Snapshot| {
        let observation = Observation { recorded, live, ..Observation::default() };
        let Differences { drift, not_valid, .. } =
            settle(&observation).changes(&["public".to_owned()]);
        assert_eq!(settle(&observation).changes(&["other".to_owned()]).drift, []);
        (drift, not_valid.len())
    };
    assert_eq!(found(with(&not_valid), with(&not_valid)), (vec![], 1));
    assert_eq!(found(Snapshot::default(), with(&not_valid)), (vec![], 1));
    // Someone has validated it.
    assert_eq!(found(with(&not_valid), with(CHECK)), (vec![], 0));
    let observation =
        Observation { recorded: with(&not_valid), live: with(CHECK), ..Observation::default() };
    assert_eq!(*settle(&observation).live, observation.recorded, "as if nothing had happened");
    // What differs otherwise is drift, and its remedy leaves the recorded definition.
    let (drift, left) = found(with(&not_valid), with("CHECK ((age > 18))"));
    let add = format!("ALTER TABLE public.users ADD CONSTRAINT adult {not_valid}");
    let drop = "ALTER TABLE public.users DROP CONSTRAINT adult".to_owned();
    assert_eq!((drift[0].remedy(), left), (Remedy::Sql(vec![drop, add.clone()]), 0));
    let without = snapshot(&[SCHEMA, ("public.users", &[("table public.users", "")])]);
    assert_eq!(found(with(&not_valid), without.clone()).0[0].remedy(), Remedy::Sql(vec![add]));
    assert_eq!(found(without, with(&not_valid)).0.len(), 1);
    assert_eq!(found(with(CHECK), with(&not_valid)).0.len(), 1);
}

/// A schema with every kind of object, and with kinds that only a newer version describes, as the
/// ledger stores it.
const STORED: &str = concat!(
    r#"{"public":{"comment on schema public":"all of it","grant on schema public to PUBLIC":"USAGE","#,
    r#""schema public":""},"#,
    r#""public.\"Odd to name\"":{"column public.\"Odd to name\".\"order by\"":"text","#,
    r#""comment on column public.\"Odd to name\".\"order by\"":"x","#,
    r#""grant on table public.\"Odd to name\" to \"a to b\"":"SELECT","#,
    r#""table public.\"Odd to name\"":""},"#,
    r#""public.f(integer, text)":{"comment on function public.f(integer, text)":"doubles","#,
    r#""function public.f(integer, text)":"CREATE OR REPLACE FUNCTION …\n","#,
    r#""grant on function public.f(integer, text) to PUBLIC":"EXECUTE"},"#,
    r#""public.mail":{"comment on domain public.mail":"an address","domain public.mail":"text","#,
    r#""grant on domain public.mail to app":"USAGE WITH GRANT OPTION"},"#,
    r#""public.queue":{"comment on sequence public.queue":"q","#,
    r#""grant on sequence public.queue to app":"USAGE","sequence public.queue":"INCREMENT BY 1"},"#,
    r#""public.users":{"column public.users.email":"text NOT NULL","#,
    r#""column public.users.id":"uuid NOT NULL","#,
    r#""comment on column public.users.email":"it's shown","#,
    r#""comment on constraint public.users.adult":"the law","#,
    r#""comment on index public.users_email":"for the list","#,
    r#""comment on policy public.users.own":"mine","comment on table public.users":"people","#,
    r#""constraint public.users.adult":"CHECK ((age > 17)) NOT VALID","#,
    r#""grant on column public.users.email to app":"SELECT","#,
    r#""grant on policy public.users.own to app":"USE","#,
    r#""grant on table public.users to app":"SELECT, INSERT","#,
    r#""index public.users_email":"UNIQUE (email) INVALID","#,
    r#""policy public.users.own":"USING (true)","statistics":"none","table public.users":""},"#,
    r#""public.v":{"comment on column public.v.id":"key","comment on view public.v":"seen","#,
    r#""grant on view public.v to app":"SELECT","view public.v":"AS SELECT 1;"}}"#,
);

#[test]
fn the_stored_text_of_every_kind_of_object_and_its_fingerprint_never_change() {
    let stored = Snapshot::from_json(STORED).expect("JSON");
    assert_eq!(stored.to_json(), STORED);
    assert_eq!(
        fingerprint(stored.objects()),
        "sha256:1f733596ffc4c4337c8399a6f1c334b552aae62e6385b1f6f1a609f2a380031c"
    );
    let recorded = snapshot(&[("public.gone", &[("table public.gone", "")])]);
    let note = note(&recorded, &stored, &[]);
    let gone = STORED.replacen(r#""public.mail""#, r#""public.gone":{},"public.mail""#, 1);
    assert_eq!(note, gone);
    assert_eq!(from_note(&recorded, &note, &[]).expect("a note"), stored);
}

#[test]
fn changes_of_every_kind_of_object_come_in_the_order_in_which_their_remedies_can_run() {
    let stored = Snapshot::from_json(STORED).expect("JSON");
    let mut live = stored.clone();
    for objects in live.relations.values_mut() {
        objects.retain(|_, definition| definition.is_empty());
    }
    let objects = [
        "policy public.users.own",
        "statistics",
        "domain public.mail",
        "sequence public.queue",
        "column public.\"Odd to name\".\"order by\"",
        "column public.users.email",
        "column public.users.id",
        "function public.f(integer, text)",
        "constraint public.users.adult",
        "index public.users_email",
        "view public.v",
        "comment on schema public",
        "comment on column public.\"Odd to name\".\"order by\"",
        "comment on function public.f(integer, text)",
        "comment on domain public.mail",
        "comment on sequence public.queue",
        "comment on column public.users.email",
        "comment on constraint public.users.adult",
        "comment on index public.users_email",
        "comment on policy public.users.own",
        "comment on table public.users",
        "comment on column public.v.id",
        "comment on view public.v",
        "grant on schema public to PUBLIC",
        "grant on table public.\"Odd to name\" to \"a to b\"",
        "grant on function public.f(integer, text) to PUBLIC",
        "grant on domain public.mail to app",
        "grant on sequence public.queue to app",
        "grant on column public.users.email to app",
        "grant on policy public.users.own to app",
        "grant on table public.users to app",
        "grant on view public.v to app",
    ];
    assert_eq!(words(&stored, &live), objects.map(|object| format!("{object} was dropped")));
}

#[test]
fn a_dropped_history_table_is_not_drift_and_one_that_exists_again_is() {
    let history = |column: &'static str| {
        snapshot(&[
            SCHEMA,
            ("public.h", &[("table public.h", ""), ("column public.h.id", column)]),
            USERS,
        ])
    };
    let mut observation = Observation {
        recorded: history("bigint"),
        live: snapshot(&[SCHEMA, USERS]),
        ..Observation::default()
    };
    let schemas = ["public".to_owned()];
    let drift = |observation: &Observation| {
        let differences = settle(observation).changes(&schemas);
        assert_eq!(differences.unfinished, []);
        differences.drift.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(drift(&observation), ["table public.h was dropped"]);
    observation.dropped_history.insert("public.h".to_owned());
    assert_eq!(drift(&observation), [] as [&str; 0]);
    observation.live = snapshot(&[SCHEMA]);
    assert_eq!(drift(&observation), ["table public.users was dropped"]);
    observation.live = history("text");
    let changed = "column public.h.id was changed from \"bigint\" to \"text\"";
    assert_eq!(drift(&observation), [changed]);
    let kept = |part: &SchemaPart<'_>| is_of_dropped_history(&observation, part);
    let recorded =
        record_run(&observation.recorded, &observation.recorded, &observation.live, kept);
    assert_eq!(*recorded, observation.recorded, "a change is not recorded");
    observation.live = snapshot(&[SCHEMA]);
    let kept = |part: &SchemaPart<'_>| is_of_dropped_history(&observation, part);
    let recorded =
        record_run(&observation.recorded, &observation.recorded, &observation.live, kept);
    assert_eq!(*recorded, snapshot(&[SCHEMA, USERS]));
}
