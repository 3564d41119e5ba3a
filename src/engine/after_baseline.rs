//! Finds the migrations after a baseline that may have run, although no object shows it. Pure.

use super::adoption::facts;
use crate::migration::{Class, Migration, Version};

/// Returns the migrations with row changes that follow a version directly and create nothing that
/// the catalog shows.
#[must_use]
pub fn unseen_after<'a>(migrations: &'a [Migration], baseline: &Version) -> Vec<&'a Migration> {
    let follows = migrations.iter().skip_while(|migration| migration.version != *baseline).skip(1);
    let unseen = follows.take_while(|migration| facts([*migration]).is_empty());
    unseen.filter(|migration| changes_rows(migration)).collect()
}

fn changes_rows(migration: &Migration) -> bool {
    let mut statements = migration.known_statements().iter();
    statements.any(|statement| {
        !statement.is_omitted() && matches!(statement.class, Class::Dml | Class::Batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats;

    #[test]
    fn row_changes_up_to_the_next_object_are_found() {
        let migrations = formats::read_files([
            ("1_a.sql", "CREATE TABLE a (id int)"),
            ("2_b.sql", "UPDATE a SET id = 1"),
            ("3_c.sql", "ALTER TABLE a ALTER COLUMN id SET DEFAULT 1"),
            ("4_d.sql", "GRANT SELECT ON a TO r; INSERT INTO a VALUES (1)"),
            ("5_e.sql", "CREATE TABLE e (id int); INSERT INTO e VALUES (1)"),
            ("6_f.sql", "DELETE FROM a"),
        ])
        .expect("complete SQL");
        let unseen = |baseline: &str| {
            let found = unseen_after(&migrations, &Version(baseline.to_owned()));
            found.into_iter().map(|it| it.version.0.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(unseen("1"), ["2", "4"]);
        assert_eq!(unseen("4"), [] as [&str; 0]);
        assert_eq!(unseen("5"), ["6"]);
        assert_eq!(unseen("7"), [] as [&str; 0]);
    }
}
