//! Reads facts from the catalog. Each fact is a scalar subquery, so that any number of them fit
//! into one query, and can be part of another statement.
//!
//! The server resolves names with the search path of the session, as it does in the statements.

use super::array::elements;
use crate::database::error::Error;
use crate::database::session::{Rows, Session, literal};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};

/// Returns a scalar SQL expression: an array as text, in which each fact is followed by its value,
/// or by `NULL` if it has none. It requires nothing from the server except subqueries.
pub(crate) fn facts_sql(facts: &[Fact]) -> String {
    let pairs: Vec<String> = facts
        .iter()
        .map(|fact| format!("{}, ({})::text", literal(&fact.to_string()), value_sql(fact)))
        .collect();
    format!("ARRAY[{}]::text[]::text", pairs.join(", "))
}

/// Parses the text that the expression of [`facts_sql`] returns.
pub(crate) fn parse_facts(text: &str) -> Result<Facts, Error> {
    let invalid = || Error::Answer("the facts of the catalog cannot be parsed".into());
    let elements = elements(text).ok_or_else(invalid)?;
    let pair = |pair: &[Option<String>]| match pair {
        [Some(fact), Some(value)] => Some(Ok((fact.clone(), value.clone()))),
        [Some(_), None] => None,
        _ => Some(Err(invalid())),
    };
    elements.chunks(2).filter_map(pair).collect()
}

/// Parses the result of a query for one expression of [`facts_sql`].
pub(crate) fn facts_of_rows(rows: &Rows) -> Result<Facts, Error> {
    match rows.first().and_then(|row| row.first()) {
        Some(Some(text)) => parse_facts(text),
        _ => Err(Error::Answer("the catalog returned no facts".into())),
    }
}

impl Session {
    /// Reads facts from the catalog; read-only, one round trip.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](crate::database::retry::READ).
    pub async fn facts(&mut self, facts: &[Fact]) -> Result<Facts, Error> {
        let mut results = self.read(&format!("SELECT {}", facts_sql(facts))).await?;
        facts_of_rows(&results.pop().unwrap_or_default())
    }
}

/// Returns a query for the value of a fact: one row with one column. The result is `NULL` or has no
/// row if the fact has no value.
fn value_sql(fact: &Fact) -> String {
    match fact {
        Fact::Identity(object) => identity_sql(object),
        Fact::Definition(object) => definition_sql(object),
        Fact::Owner(object) => owner_sql(object),
        Fact::Privileges(object) => privileges_sql(object),
        Fact::Comment(object) => comment_sql(object),
        Fact::Columns(table) => format!(
            // A table without columns has an empty list; a missing table has no row.
            "SELECT coalesce((SELECT string_agg(a.attname, ',' ORDER BY a.attnum)
                FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
               FROM pg_class c WHERE c.oid = {}",
            relation(table)
        ),
        Fact::Valid(index) => format!(
            "SELECT 'valid' FROM pg_index WHERE indexrelid = {} AND indisvalid",
            relation(index)
        ),
        Fact::ConstraintIds(table) => format!(
            "SELECT coalesce(string_agg(k.oid::text, ' ' ORDER BY k.oid), '')
               FROM pg_class c LEFT JOIN pg_constraint k ON k.conrelid = c.oid
              WHERE c.oid = {}",
            relation(table)
        ),
        Fact::IndexIds(table) => format!(
            "SELECT coalesce(string_agg(i.indexrelid::text, ' ' ORDER BY i.indexrelid), '')
               FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid
              WHERE c.oid = {}",
            relation(table)
        ),
        Fact::PartOf(name) => part_of_sql(&relation(name)),
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
        Fact::CurrentRole => "SELECT oid FROM pg_roles WHERE rolname = current_user".to_owned(),
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

fn owner_sql(object: &FactSubject) -> String {
    match object {
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

/// Returns the query for [`Fact::PartOf`] of the relation with this OID.
pub(super) fn part_of_sql(oid: &str) -> String {
    format!(
        "SELECT CASE r.relkind WHEN 'r' THEN r.relname ELSE coalesce(
                  (SELECT t.relname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
                    WHERE x.indexrelid = r.oid),
                  (SELECT t.relname FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1),
                  '') END::text
           FROM pg_class r WHERE r.oid = {oid}"
    )
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

/// Returns an expression for the relation with this name. Its value is `NULL` if there is none.
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

/// Quotes a name for `to_regclass`.
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
    fn special_characters_in_names_are_quoted() {
        let name = QualifiedName { schema: None, name: "a\"'; DROP TABLE t".into() };
        assert_eq!(relation(&name), r#"to_regclass('"a""''; DROP TABLE t"')"#);
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let facts = Facts::from_iter([("a".to_owned(), "1, 2".to_owned())]);
        assert_eq!(parse_facts(r#"{a,"1, 2",b,NULL}"#).unwrap(), facts);
        assert!(parse_facts("{a}").is_err() && parse_facts("{NULL,a}").is_err());
        assert_eq!(parse_facts("{}").unwrap(), Facts::default());
    }

    /// A fact of every kind and about every kind of object, each with the text that identifies it
    /// in the ledger.
    fn every_fact() -> Vec<(Fact, &'static str)> {
        let name = |name: &str| QualifiedName { schema: None, name: name.into() };
        let odd = QualifiedName { schema: Some("App".into()), name: "a \"b\".c".into() };
        let table = FactSubject::Relation(name("t"));
        vec![
            (Fact::Identity(FactSubject::Schema("App".into())), r#"schema "App""#),
            (Fact::Identity(FactSubject::Relation(odd)), r#"relation "App"."a ""b"".c""#),
            (Fact::Identity(FactSubject::Column(name("t"), "C".into())), r#"column t."C""#),
            (Fact::Identity(FactSubject::Constraint(name("t"), "k".into())), "constraint k of t"),
            (Fact::Identity(FactSubject::Domain(name("d"))), "domain d"),
            (Fact::Identity(FactSubject::Routine(name("f"))), "function f"),
            (Fact::Identity(FactSubject::Role("app".into())), "role app"),
            (Fact::Definition(table.clone()), "definition of relation t"),
            (Fact::Owner(table.clone()), "owner of relation t"),
            (Fact::Privileges(table.clone()), "privileges on relation t"),
            (Fact::Comment(table), "comment on relation t"),
            (Fact::Columns(name("t")), "columns of t"),
            (Fact::Valid(name("i")), "validity of index i"),
            (Fact::ConstraintIds(name("t")), "identities of the constraints of t"),
            (Fact::IndexIds(name("t")), "identities of the indexes of t"),
            (Fact::PartOf(name("i")), "table of i"),
            (Fact::Validated(name("t"), "k".into()), "validity of constraint k of t"),
            (Fact::PrivilegesIn("App".into()), r#"privileges on the relations of "App""#),
            (Fact::Identities("app".into()), "AWS identities of role app"),
            (Fact::CurrentRole, "current role"),
        ]
    }

    #[test]
    fn the_stored_text_of_every_fact_never_changes() {
        let mut stored = String::from(r#"{"fact of a newer version","x","key of i","t (a)""#);
        for (index, (fact, text)) in every_fact().into_iter().enumerate() {
            assert_eq!(fact.to_string(), text);
            assert!(facts_sql(&[fact]).starts_with(&format!("ARRAY['{text}', (SELECT ")), "{text}");
            let element = text.replace('"', "\\\"");
            stored.push_str(&format!(",\"{element}\",\"{index}\""));
        }
        stored.push('}');
        let facts = parse_facts(&stored).expect("an array");
        for (index, (fact, _)) in every_fact().into_iter().enumerate() {
            assert_eq!(facts.get(&fact), Some(index.to_string().as_str()), "{fact}");
        }
    }
}
