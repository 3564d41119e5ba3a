//! Random directories of valid migrations, and random faults.
//!
//! All choices depend on a seed, so a failure can be reproduced. For more rounds and other seeds:
//!
//! ```sh
//! CRASH_ROUNDS=500 CRASH_SEED=$RANDOM cargo test --test crash random -- --nocapture
//! ```
//!
//! A failure prints the directory, the faults, and the seed and round that generated them.

use dsql_local::{Cluster, Matcher};
use fastrand::Rng;

use crate::cases::Case;
use crate::common::session;
use crate::matrix::{Undisturbed, runtime, sessions_left, start, undisturbed};
use crate::ways::{Way, ways};

pub(crate) fn rounds(rounds: u64) {
    /// A cluster is replaced after this number of rounds, because its journal only grows.
    const ROUNDS_PER_CLUSTER: u64 = 40;

    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect(name));
    let seed: u64 = number("CRASH_SEED").unwrap_or(1);
    let rounds = number("CRASH_ROUNDS").unwrap_or(rounds);
    eprintln!("CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    runtime().block_on(async {
        let (mut statements, mut faults) = (0, 0);
        let mut cluster = start().await;
        for round in 0..rounds {
            if round % ROUNDS_PER_CLUSTER == ROUNDS_PER_CLUSTER - 1 {
                let old = std::mem::replace(&mut cluster, start().await);
                old.stop().await;
            }
            let mut random = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(round));
            let case = Directory::random(&mut random).case();
            let texts = case.texts.clone();
            let case = Box::pin(undisturbed(&cluster, case)).await;
            let plan = Faults::random(&mut random, case.spots.len());
            statements +=
                case.set.migrations.iter().map(|file| file.statements.len()).sum::<usize>();
            match Box::pin(run_with_faults(&cluster, &case, &plan)).await {
                Ok(fired) => faults += fired,
                Err(error) => panic!(
                    "CRASH_SEED={seed}, round {round}: {error}\n{plan:?}\n{}",
                    texts
                        .iter()
                        .map(|(name, text)| format!("-- {name}\n{text}\n"))
                        .collect::<String>()
                ),
            }
        }
        eprintln!("{rounds} directories, {statements} statements, {faults} faults");
        cluster.stop().await;
    });
}

/// Some faults that a run survives, followed by one of any kind.
#[derive(Debug)]
struct Faults {
    first: Vec<(usize, Way)>,
    last: (usize, Way),
}

impl Faults {
    fn random(random: &mut Rng, statements: usize) -> Self {
        let all = ways();
        let survived: Vec<Way> =
            all.iter().filter(|way| matches!(way, Way::Fault(_))).cloned().collect();
        let pick = |random: &mut Rng, ways: &[Way]| {
            (random.usize(1..=statements), ways[random.usize(..ways.len())].clone())
        };
        let first = (0..random.usize(..3)).map(|_| pick(random, &survived)).collect();
        Self { first, last: pick(random, &all) }
    }
}

/// Interrupts a run, completes it with another one, and checks the result. Returns the number of
/// faults.
async fn run_with_faults(
    cluster: &Cluster,
    case: &Undisturbed,
    faults: &Faults,
) -> Result<usize, String> {
    sessions_left(cluster, 0).await;
    let mut first = session(cluster).await;
    case.case.reset(&mut first).await;
    let since = cluster.received();
    let before = cluster.fired_faults().len();
    for (nth, way) in &faults.first {
        cluster.inject(Matcher::any().nth(*nth), way.fault());
    }
    let (nth, way) = &faults.last;
    let matcher = Matcher::any().nth(*nth);
    let interrupted = way.interrupt(cluster, first, &case.set, matcher).await;
    let fired = cluster.fired_faults().len() - before;
    let mut next = session(cluster).await;
    let checked = match case.run_again(&mut next).await {
        Ok(()) => {
            // Granting or revoking a privilege again has no effect.
            let is_idempotent = |sql: &str| sql.starts_with("GRANT") || sql.starts_with("REVOKE");
            case.check(cluster, &mut next, since, is_idempotent).await
        }
        Err(error) => Err(error),
    };
    checked.map_err(|error| format!("{error}\nafter {:?}", interrupted.result))?;
    Ok(fired)
}

const VARIABLES: &[(&str, &str)] = &[("number", "3000000000"), ("word", "people")];
const REPEATABLE: &str = "R__random.sql";

/// A directory that is being generated, with the objects that exist after its statements so far.
struct Directory<'r> {
    random: &'r mut Rng,
    /// The number of names so far, which makes each name unique.
    names: usize,
    tables: Vec<Table>,
    views: Vec<String>,
    /// The statements that drop the objects in the schema `app`.
    others: Vec<String>,
    has_app: bool,
    has_reader: bool,
}

struct Table {
    name: String,
    columns: Vec<String>,
    /// Whether a view reads it, so that it cannot be dropped.
    is_read: bool,
}

impl<'r> Directory<'r> {
    fn random(random: &'r mut Rng) -> Self {
        Self {
            random,
            names: 0,
            tables: Vec::new(),
            views: Vec::new(),
            others: Vec::new(),
            has_app: false,
            has_reader: false,
        }
    }

    fn case(mut self) -> Case {
        let files = self.random.usize(1..=4);
        let mut texts = Vec::new();
        for file in 1..=files {
            let count = self.random.usize(1..=7);
            let statements: Vec<String> = (0..count).map(|_| self.statement()).collect();
            texts.push((format!("{file:04}_random.sql"), statements.join(";\n") + ";\n"));
        }
        let repeatable = self.repeatable();
        let has_one = repeatable.is_some();
        texts.extend(repeatable.map(|text| (REPEATABLE.to_owned(), text)));
        Case {
            name: "random",
            texts,
            variables: VARIABLES,
            repeatable: has_one.then_some(REPEATABLE),
            makes_ledger: self.random.bool(),
            ..Case::default()
        }
    }

    /// A repeatable migration for one of the remaining tables.
    fn repeatable(&mut self) -> Option<String> {
        if self.tables.is_empty() || self.random.bool() {
            return None;
        }
        let name = self.tables[self.random.usize(..self.tables.len())].name.clone();
        let new = self.name("r");
        Some(format!(
            "CREATE OR REPLACE VIEW {new} AS SELECT id FROM {name};\n\
             UPDATE {name} SET id = id + ${{number}};\n\
             COMMENT ON TABLE {name} IS '${{word}} {new}';\n"
        ))
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn statement(&mut self) -> String {
        if self.tables.is_empty() || self.random.u8(..8) == 0 {
            return self.create_table();
        }
        let table = self.random.usize(..self.tables.len());
        if self.random.bool() { self.on_rows(table) } else { self.on_schema(table) }
    }

    fn create_table(&mut self) -> String {
        let name = self.name("t");
        let sql = format!("CREATE TABLE {name} (id bigint PRIMARY KEY, a int, b text)");
        let columns = vec!["a".to_owned(), "b".to_owned()];
        self.tables.push(Table { name, columns, is_read: false });
        sql
    }

    fn on_rows(&mut self, table: usize) -> String {
        let id = 10 * self.names;
        self.names += 1;
        let name = self.tables[table].name.clone();
        // Two rows in each batch.
        let two = |what: &str, rest: &str| {
            format!(
                "-- dsql:batch\n{what} WHERE id IN (SELECT id FROM {name} WHERE {rest} LIMIT 2)"
            )
        };
        match self.random.u8(..9) {
            0 => format!("UPDATE {name} SET id = id + {id}00000"),
            1 => format!("DELETE FROM {name} WHERE id % 7 = {}", self.names % 7),
            2 => {
                let other = self.random.usize(..self.tables.len());
                let other = &self.tables[other].name;
                format!("INSERT INTO {name} (id) SELECT {id}0000000 + count(*) FROM {other}")
            }
            // Ends a transaction between row changes.
            3 => format!("INSERT INTO {name} (id) VALUES ({id}); COMMIT"),
            4 => format!("INSERT INTO {name} (id, a) VALUES ({id} + ${{number}}, 5)"),
            5 => two(&format!("UPDATE {name} SET a = {id}"), &format!("a IS DISTINCT FROM {id}")),
            6 => two(&format!("DELETE FROM {name}"), &format!("id % 5 = {}", self.names % 5)),
            _ => format!("INSERT INTO {name} (id) VALUES ({id}), ({id} + 1)"),
        }
    }

    fn on_schema(&mut self, at: usize) -> String {
        let new = self.name("n");
        let last = self.tables[at].columns.len() - 1;
        let name = self.tables[at].name.clone();
        let column = self.tables[at].columns[last].clone();
        match self.random.u8(..18) {
            0 => format!("CREATE INDEX ASYNC {new} ON {name} ({column})"),
            1 => format!("CREATE INDEX ASYNC ON {name} (id, {column})"),
            2 => format!("CREATE UNIQUE INDEX ASYNC {new} ON {name} (id)"),
            3 => {
                self.tables[at].columns.push(new.clone());
                format!("ALTER TABLE {name} ADD COLUMN {new} int")
            }
            4 => {
                self.tables[at].columns[last].clone_from(&new);
                format!("ALTER TABLE {name} RENAME COLUMN {column} TO {new}")
            }
            5 => {
                self.tables[at].name.clone_from(&new);
                format!("ALTER TABLE {name} RENAME TO {new}")
            }
            6 if !self.tables[at].is_read => {
                self.tables.remove(at);
                format!("DROP TABLE {name}")
            }
            7 => {
                self.tables[at].is_read = true;
                self.views.push(new.clone());
                format!("CREATE VIEW {new} AS SELECT id FROM {name}")
            }
            8 if !self.views.is_empty() => {
                let view = self.views.remove(self.random.usize(..self.views.len()));
                format!("DROP VIEW {view}")
            }
            9 => format!("COMMENT ON TABLE {name} IS '${{word}} {new}'"),
            10 => format!(
                "ALTER TABLE {name} ADD CONSTRAINT {new} CHECK (id > 0) NOT VALID;\n\
                 ALTER TABLE ASYNC {name} VALIDATE CONSTRAINT {new}"
            ),
            11 => format!("ANALYZE {name}"),
            12 if self.has_reader => format!("GRANT SELECT ON {name} TO reader"),
            13 if self.has_reader => format!("REVOKE SELECT ON {name} FROM reader"),
            12 | 13 => {
                self.has_reader = true;
                "CREATE ROLE reader".to_owned()
            }
            _ if !self.has_app => {
                self.has_app = true;
                "CREATE SCHEMA app".to_owned()
            }
            14 => {
                self.others.push(format!("DROP SEQUENCE app.{new}"));
                format!("CREATE SEQUENCE app.{new} CACHE 1")
            }
            15 => {
                self.others.push(format!("DROP DOMAIN app.{new}"));
                format!("CREATE DOMAIN app.{new} AS text CHECK (value <> '')")
            }
            16 => {
                self.others.push(format!("DROP FUNCTION app.{new}(int)"));
                let body = "LANGUAGE sql AS 'SELECT n * 2'";
                format!("CREATE FUNCTION app.{new}(n int) RETURNS int {body}")
            }
            _ if !self.others.is_empty() => {
                self.others.remove(self.random.usize(..self.others.len()))
            }
            _ => format!("ALTER TABLE {name} ALTER COLUMN id SET DEFAULT {}", self.names),
        }
    }
}
