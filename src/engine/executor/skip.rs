//! Decides which statements of a repeatable migration are not sent. Pure.
//!
//! Only statements that the server rejects when they are repeated, and only if the catalog shows
//! their whole effect. All others are sent, and the server's error is final.

use std::collections::BTreeSet;

use crate::migration::fact::{Fact, Facts};
use crate::migration::{Class, Statement, StatementNumber};
use crate::sql;

/// The facts that decide which of the statements are skipped.
pub(super) fn facts(statements: &[(StatementNumber, &Statement)]) -> Vec<Fact> {
    let wholes = statements.iter().filter_map(|(_, statement)| sql::whole(&statement.text));
    let facts: BTreeSet<Fact> =
        wholes.flat_map(|whole| whole.facts().cloned().collect::<Vec<_>>()).collect();
    facts.into_iter().collect()
}

/// The statements whose whole effect the catalog shows, and will still show at their turn, because
/// no statement that is sent before them changes it.
pub(super) fn skipped(
    statements: &[(StatementNumber, &Statement)],
    now: &Facts,
) -> BTreeSet<StatementNumber> {
    let mut touched: BTreeSet<Fact> = BTreeSet::new();
    let mut skipped = BTreeSet::new();
    for (number, statement) in statements {
        let whole = sql::whole(&statement.text);
        let is_held = whole.is_some_and(|whole| {
            whole.is_held(now) && whole.facts().all(|fact| !touched.contains(fact))
        });
        if is_held {
            skipped.insert(*number);
            continue;
        }
        let effect = sql::effect(&statement.text);
        if effect.is_unknown() && statement.class != Class::Dml {
            // It may drop anything that a later statement creates.
            break;
        }
        touched.extend(effect.facts());
    }
    skipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats;

    const ARN: &str = "arn:aws:iam::123456789012:role/app";

    /// The statements of a file that are skipped with a catalog that has these facts.
    fn skipped_of(text: &str, catalog: &[(&str, &str)]) -> Vec<usize> {
        let files = formats::read_files([("1_m.sql", text)]).unwrap();
        let statements: Vec<_> = files[0].numbered().collect();
        let catalog =
            catalog.iter().map(|(fact, value)| ((*fact).into(), (*value).into())).collect();
        skipped(&statements, &catalog).into_iter().map(StatementNumber::get).collect()
    }

    const ROLE: [(&str, &str); 3] = [
        ("role app", "7"),
        ("definition of role app", "t t f f"),
        ("AWS identities of role app", ARN),
    ];

    #[test]
    fn existing_roles_schemas_and_identities_are_skipped_and_nothing_else() {
        let file = format!(
            "CREATE ROLE app WITH LOGIN; CREATE SCHEMA app; AWS IAM GRANT app TO '{ARN}';
             GRANT SELECT ON t TO app; CREATE TABLE t (id int); INSERT INTO t VALUES (1);
             CREATE ROLE reader;"
        );
        assert_eq!(skipped_of(&file, &ROLE), [1, 3]);
        assert_eq!(skipped_of(&file, &[]), [] as [usize; 0]);
    }

    #[test]
    fn an_object_that_the_file_drops_first_is_created_again() {
        let file =
            format!("DROP ROLE app; CREATE ROLE app WITH LOGIN; AWS IAM GRANT app TO '{ARN}';");
        assert_eq!(skipped_of(&file, &ROLE), [] as [usize; 0]);
        let file = format!("AWS IAM REVOKE app FROM '{ARN}'; AWS IAM GRANT app TO '{ARN}';");
        assert_eq!(skipped_of(&file, &ROLE), [] as [usize; 0]);
        let other = format!("AWS IAM REVOKE app FROM 'arn:x'; AWS IAM GRANT app TO '{ARN}';");
        assert_eq!(skipped_of(&other, &ROLE), [1, 2]);
    }

    #[test]
    fn after_a_statement_of_unknown_effect_everything_is_sent() {
        let file = "DROP OWNED BY app; CREATE ROLE app WITH LOGIN;";
        assert_eq!(skipped_of(file, &ROLE), [] as [usize; 0]);
    }
}
