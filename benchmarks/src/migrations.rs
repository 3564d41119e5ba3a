//! The same migrations as each contender wants them, and what they leave.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files of one number of migrations.
pub(crate) struct Migrations {
    pub(crate) count: usize,
    /// A directory with one file a migration.
    pub(crate) provider: PathBuf,
    /// A directory with one file a statement: sqlx sends a file as one message, in which DSQL
    /// accepts one schema change.
    pub(crate) sqlx: PathBuf,
    /// One file.
    pub(crate) psql: PathBuf,
}

impl Migrations {
    /// Writes the files.
    pub(crate) fn write(count: usize, dir: &Path) -> io::Result<Self> {
        let dir = dir.join(count.to_string());
        let (provider, sqlx, psql) = (dir.join("provider"), dir.join("sqlx"), dir.join("all.sql"));
        fs::create_dir_all(&provider)?;
        fs::create_dir_all(&sqlx)?;
        let mut all = String::new();
        for number in 1..=count {
            let statements = statements(number).map(|statement| statement + ";\n");
            for (nth, statement) in (1..).zip(&statements) {
                let name = format!("{number:04}{nth}_t{number:04}.sql");
                fs::write(sqlx.join(name), format!("-- no-transaction\n{statement}"))?;
            }
            let text = statements.concat();
            fs::write(provider.join(format!("{number:04}_t{number:04}.sql")), &text)?;
            all += &text;
        }
        fs::write(&psql, all)?;
        Ok(Self { count, provider, sqlx, psql })
    }

    /// The expected result: each table with its rows, its columns and its valid index, in the lines
    /// that [`Migrations::questions`] returns.
    pub(crate) fn outcome(&self) -> String {
        let rows = (1..=self.count).flat_map(|table| {
            (1..=5).map(move |id| format!("t{table:04}|{id}|row {id}|{}\n", id * 10))
        });
        let columns = (1..=self.count).flat_map(|table| {
            ["id|bigint|t", "a|text|t", "b|bigint|f"].map(|it| format!("t{table:04}|{it}\n"))
        });
        let indexes = (1..=self.count).flat_map(|table| {
            ["b|b|t", "pkey|id|t"].map(|it| format!("t{table:04}|t{table:04}_{it}\n"))
        });
        rows.chain(columns).chain(indexes).collect()
    }

    /// The questions to psql, unaligned and without headings.
    pub(crate) fn questions(&self) -> String {
        let tables: Vec<usize> = (1..=self.count).collect();
        let rows = tables.chunks(100).map(|tables| {
            let rows = tables.iter().map(|it| format!("SELECT 't{it:04}' t, * FROM t{it:04}"));
            format!("{} ORDER BY t, id;\n", rows.collect::<Vec<_>>().join(" UNION ALL "))
        });
        let catalog = r"
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind = 'r' AND c.relname ~ '^t\d{4}$' AND a.attnum > 0
             ORDER BY c.relname, a.attnum;
            SELECT t.relname, c.relname, pg_get_indexdef(i.indexrelid, 1, true), i.indisvalid
              FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
              JOIN pg_class t ON t.oid = i.indrelid
             WHERE t.relname ~ '^t\d{4}$' ORDER BY t.relname, c.relname;";
        rows.chain([catalog.to_owned()]).collect()
    }
}

fn statements(number: usize) -> [String; 3] {
    let table = format!("t{number:04}");
    let rows: Vec<String> = (1..=5).map(|id| format!("({id}, 'row {id}', {})", id * 10)).collect();
    [
        format!("CREATE TABLE {table} (id bigint PRIMARY KEY, a text NOT NULL, b bigint)"),
        format!("CREATE INDEX ASYNC {table}_b ON {table} (b)"),
        format!("INSERT INTO {table} (id, a, b) VALUES {}", rows.join(", ")),
    ]
}
