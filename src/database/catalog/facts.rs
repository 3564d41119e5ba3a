//! Asks the catalog for facts. Each is one scalar subquery, so that any number of them is one query
//! and can stand in the middle of another statement.
//!
//! Names are resolved by the server, with the search path of the session, as in the statements.

use super::array::elements;
use crate::database::error::Error;
use crate::database::session::{Session, literal};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};

/// A scalar SQL expression: an array as text, each fact followed by its value, or `NULL` where the
/// catalog has none. Needs nothing of the server but subqueries.
pub(crate) fn facts_sql(facts: &[Fact]) -> String {
    let pairs: Vec<String> = facts
        .iter()
        .map(|fact| format!("{}, ({})::text", literal(&fact.to_string()), value_sql(fact)))
        .collect();
    format!("ARRAY[{}]::text[]::text", pairs.join(", "))
}

/// The answers from the text that [`facts_sql`] gives.
pub(crate) fn parse_facts(text: &str) -> Result<Facts, Error> {
    let unreadable = || Error::Answer("the facts of the catalog cannot be read".into());
    let elements = elements(text).ok_or_else(unreadable)?;
    let mut facts = Facts::new();
    for pair in elements.chunks(2) {
        match pair {
            [Some(fact), Some(value)] => drop(facts.insert(fact.clone(), value.clone())),
            [Some(_), None] => {}
            _ => return Err(unreadable()),
        }
    }
    Ok(facts)
}

impl Session {
    /// Asks for facts: one wait, no write.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn facts(&mut self, facts: &[Fact]) -> Result<Facts, Error> {
        let results = self.read(&format!("SELECT {}", facts_sql(facts))).await?;
        match results.first().and_then(|rows| rows.first()).and_then(|row| row.first()) {
            Some(Some(text)) => parse_facts(text),
            _ => Err(Error::Answer("the catalog gave no facts".into())),
        }
    }
}

/// A query with one row and one column; no row, or `NULL`, where there is no such thing.
fn value_sql(fact: &Fact) -> String {
    match fact {
        Fact::Identity(object) => identity_sql(object),
        Fact::Definition(object) => definition_sql(object),
        Fact::Owner(object) => match object {
            FactSubject::Schema(name) => {
                format!("SELECT nspowner FROM pg_namespace WHERE nspname = {}", literal(name))
            }
            FactSubject::Relation(name) => {
                format!("SELECT relowner FROM pg_class WHERE oid = {}", relation(name))
            }
            FactSubject::Domain(name) => {
                format!("SELECT typowner FROM pg_type WHERE oid = {}", domain(name))
            }
            FactSubject::Routine(name) => format!(
                "SELECT string_agg(p.oid || ' ' || p.proowner, ', ' ORDER BY p.oid) {}",
                routines(name)
            ),
            FactSubject::Column(..) | FactSubject::Constraint(..) | FactSubject::Role(_) => {
                "SELECT NULL".into()
            }
        },
        Fact::Privileges(object) => privileges_sql(object),
        Fact::Comment(object) => comment_sql(object),
        Fact::Columns(table) => format!(
            // An empty list is a table without columns; without a table there is no row.
            "SELECT coalesce((SELECT string_agg(a.attname, ',' ORDER BY a.attnum)
                FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
               FROM pg_class c WHERE c.oid = {}",
            relation(table)
        ),
        Fact::Key(index) => format!(
            "SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || t.relname || ' (' || (
                 SELECT string_agg(a.attname, ',' ORDER BY key.position)
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key(attnum, position)
                   LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum
                  WHERE key.position <= i.indnkeyatts) || ')'
               FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
              WHERE i.indexrelid = {} AND i.indpred IS NULL AND i.indexprs IS NULL",
            relation(index)
        ),
        Fact::Valid(index) => format!(
            "SELECT 'valid' FROM pg_index WHERE indexrelid = {} AND indisvalid",
            relation(index)
        ),
        Fact::Constraints(table) => format!(
            "SELECT string_agg(quote_ident(conname) || ' ' || pg_get_constraintdef(oid), '; '
                               ORDER BY conname)
               FROM pg_constraint WHERE conrelid = {}",
            relation(table)
        ),
        Fact::Indexes(table) => format!(
            "SELECT string_agg(indexrelid::regclass::text, E'\\n' ORDER BY indexrelid)
               FROM pg_index WHERE indrelid = {}",
            relation(table)
        ),
        Fact::Validated(table, name) => format!(
            "SELECT 'validated' FROM pg_constraint
              WHERE conrelid = {} AND conname = {} AND convalidated",
            relation(table),
            literal(name)
        ),
        Fact::PrivilegesIn(schema) => format!(
            "SELECT string_agg(c.relname || ' ' || array_to_string(c.relacl, ' '), '; '
                               ORDER BY c.relname)
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = {} AND c.relkind IN ('r', 'v', 'S')",
            literal(schema)
        ),
        Fact::Identities(role) => format!(
            "SELECT string_agg(arn, ' ' ORDER BY arn) FROM sys.iam_pg_role_mappings
              WHERE pg_role_name = {}",
            literal(role)
        ),
    }
}

fn identity_sql(object: &FactSubject) -> String {
    match object {
        FactSubject::Schema(name) => {
            format!("SELECT oid FROM pg_namespace WHERE nspname = {}", literal(name))
        }
        FactSubject::Relation(name) => format!("SELECT {}::oid", relation(name)),
        FactSubject::Column(table, name) => format!(
            "SELECT attnum FROM pg_attribute
              WHERE attrelid = {} AND attname = {} AND NOT attisdropped",
            relation(table),
            literal(name)
        ),
        FactSubject::Constraint(table, name) => format!(
            "SELECT oid FROM pg_constraint WHERE conrelid = {} AND conname = {}",
            relation(table),
            literal(name)
        ),
        FactSubject::Domain(name) => format!("SELECT {}", domain(name)),
        FactSubject::Routine(name) => {
            format!("SELECT string_agg(p.oid::text, ', ' ORDER BY p.oid) {}", routines(name))
        }
        FactSubject::Role(name) => {
            format!("SELECT oid FROM pg_roles WHERE rolname = {}", literal(name))
        }
    }
}

fn definition_sql(object: &FactSubject) -> String {
    match object {
        FactSubject::Schema(_) => identity_sql(object),
        FactSubject::Relation(name) => format!(
            "SELECT c.relkind::text || ' ' || coalesce(array_to_string(c.reloptions, ' '), '') || ' '
                    || CASE c.relkind
                         WHEN 'v' THEN pg_get_viewdef(c.oid)
                         WHEN 'S' THEN (SELECT concat_ws(' ', s.seqstart, s.seqincrement, s.seqmax,
                                                         s.seqmin, s.seqcache, s.seqcycle)
                                          FROM pg_sequence s WHERE s.seqrelid = c.oid)
                         ELSE '' END
               FROM pg_class c WHERE c.oid = {}",
            relation(name)
        ),
        FactSubject::Column(table, name) => format!(
            "SELECT concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
                              a.attidentity, a.attgenerated, a.attstorage,
                              (SELECT concat_ws(' ', s.seqincrement, s.seqmax, s.seqmin,
                                                s.seqcache, s.seqcycle)
                                 FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
                                WHERE d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
                                  AND d.deptype = 'i' LIMIT 1),
                              (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                                WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum))
               FROM pg_attribute a
              WHERE a.attrelid = {} AND a.attname = {} AND NOT a.attisdropped",
            relation(table),
            literal(name)
        ),
        FactSubject::Constraint(table, name) => format!(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint
              WHERE conrelid = {} AND conname = {}",
            relation(table),
            literal(name)
        ),
        FactSubject::Domain(name) => format!(
            "SELECT concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull,
                              t.typdefault,
                              (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid),
                                                 '; ' ORDER BY k.conname)
                                 FROM pg_constraint k WHERE k.contypid = t.oid))
               FROM pg_type t WHERE t.oid = {}",
            domain(name)
        ),
        FactSubject::Routine(name) => format!(
            "SELECT string_agg(p.oid || ' ' || pg_get_functiondef(p.oid), '; ' ORDER BY p.oid) {}",
            routines(name)
        ),
        FactSubject::Role(name) => format!(
            "SELECT concat_ws(' ', rolcanlogin, rolinherit, rolcreaterole, rolcreatedb)
               FROM pg_roles WHERE rolname = {}",
            literal(name)
        ),
    }
}

fn privileges_sql(object: &FactSubject) -> String {
    match object {
        FactSubject::Schema(name) => format!(
            "SELECT array_to_string(nspacl, ' ') FROM pg_namespace WHERE nspname = {}",
            literal(name)
        ),
        FactSubject::Relation(name) => format!(
            "SELECT concat_ws(' ', array_to_string(c.relacl, ' '),
                              (SELECT string_agg(a.attname || ' ' || array_to_string(a.attacl, ' '),
                                                 '; ' ORDER BY a.attnum)
                                 FROM pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL))
               FROM pg_class c WHERE c.oid = {}",
            relation(name)
        ),
        FactSubject::Domain(name) => {
            format!("SELECT array_to_string(typacl, ' ') FROM pg_type WHERE oid = {}", domain(name))
        }
        FactSubject::Routine(name) => format!(
            "SELECT string_agg(p.oid || ' ' || array_to_string(p.proacl, ' '), '; '
                               ORDER BY p.oid) {}",
            routines(name)
        ),
        FactSubject::Column(..) | FactSubject::Constraint(..) | FactSubject::Role(_) => {
            "SELECT NULL".into()
        }
    }
}

fn comment_sql(object: &FactSubject) -> String {
    match object {
        FactSubject::Schema(name) => format!(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = {}",
            literal(name)
        ),
        FactSubject::Relation(name) => {
            format!("SELECT obj_description({}::oid, 'pg_class')", relation(name))
        }
        FactSubject::Column(table, name) => format!(
            "SELECT col_description(attrelid, attnum) FROM pg_attribute
              WHERE attrelid = {} AND attname = {}",
            relation(table),
            literal(name)
        ),
        FactSubject::Constraint(table, name) => format!(
            "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint
              WHERE conrelid = {} AND conname = {}",
            relation(table),
            literal(name)
        ),
        FactSubject::Domain(name) => format!("SELECT obj_description({}, 'pg_type')", domain(name)),
        FactSubject::Routine(_) | FactSubject::Role(_) => "SELECT NULL".into(),
    }
}

/// An expression: the relation of this name, or `NULL`.
pub(crate) fn relation(name: &QualifiedName) -> String {
    format!("to_regclass({})", literal(&quoted(name)))
}

fn domain(name: &QualifiedName) -> String {
    format!("to_regtype({})::oid", literal(&quoted(name)))
}

fn routines(name: &QualifiedName) -> String {
    let condition = match &name.schema {
        Some(schema) => format!("n.nspname = {}", literal(schema)),
        None => "pg_function_is_visible(p.oid) AND n.nspname <> 'pg_catalog'".to_owned(),
    };
    format!(
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE p.proname = {} AND {condition}",
        literal(&name.name)
    )
}

/// As `to_regclass` reads it.
fn quoted(name: &QualifiedName) -> String {
    let identifier = postgres_protocol::escape::escape_identifier;
    match &name.schema {
        Some(schema) => format!("{}.{}", identifier(schema), identifier(&name.name)),
        None => identifier(&name.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        let name = QualifiedName { schema: None, name: "a\"'; DROP TABLE t".into() };
        assert_eq!(relation(&name), r#"to_regclass('"a""''; DROP TABLE t"')"#);
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let facts: Facts = [("a".to_owned(), "1, 2".to_owned())].into();
        assert_eq!(parse_facts(r#"{a,"1, 2",b,NULL}"#).unwrap(), facts);
        assert!(parse_facts("{a}").is_err() && parse_facts("{NULL,a}").is_err());
        assert_eq!(parse_facts("{}").unwrap(), Facts::new());
    }
}
