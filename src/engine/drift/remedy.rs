//! The SQL that reverts a change in a new migration, as far as DSQL supports it.
//!
//! Sources for the supported statements: AWS's user guide, "Supported subsets of SQL" (`ALTER
//! TABLE`, `CREATE INDEX`, `CREATE DOMAIN`); for what it does not describe, the recorded responses
//! that `dsql-local` returns.

mod definition;

use self::definition::{Column, Domain, split_plain};
use super::{Change, ChangeKind, OtherSet};
use crate::database::{Aspect, CatalogObject, ObjectKind, schema_of, unquoted};
use crate::migration::quoted_literal;

/// How to revert a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// With these statements, in this order.
    Sql(Vec<String>),
    /// With these statements, except for what the sentence describes.
    Partly(Vec<String>, &'static str),
    /// Not with statements about this object alone. The sentence describes what to do instead.
    Words(&'static str),
    /// Not before the next apply of another migration set, which this set may leave to it.
    AfterApply(OtherSet),
}

impl Change {
    /// Returns what a new migration has to do to restore the object as the last run left it, with
    /// its comments and privileges.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        if let Some(other) = &self.other {
            return Remedy::AfterApply(other.clone());
        }
        let of_part = |(object, from): &(CatalogObject, String)| {
            let (relation, object) = (self.relation.clone(), object.clone());
            let kind = ChangeKind::Removed { from: from.clone() };
            let removed = Self { relation, object, kind, attached: Vec::new(), other: None };
            match removed.own_remedy() {
                Remedy::Sql(sql) | Remedy::Partly(sql, _) => sql,
                Remedy::Words(_) | Remedy::AfterApply(_) => Vec::new(),
            }
        };
        match self.own_remedy() {
            Remedy::Sql(mut sql) if self.is_recreated(&sql) => {
                sql.extend(self.public_privileges());
                sql.extend(self.attached.iter().filter(|it| !is_default(it)).flat_map(of_part));
                Remedy::Sql(sql)
            }
            remedy => remedy,
        }
    }

    /// Whether the statements recreate the object, so that it loses its comments and privileges.
    fn is_recreated(&self, sql: &[String]) -> bool {
        let kinds = [ObjectKind::Constraint, ObjectKind::Index, ObjectKind::View];
        matches!(self.kind, ChangeKind::Removed { .. })
            || sql.len() > 1 && kinds.iter().any(|kind| self.object.is(kind))
            || sql.iter().any(|sql| sql.starts_with("REVOKE "))
    }

    /// Revokes the privileges that `PUBLIC` has on every new function and domain.
    fn public_privileges(&self) -> Option<String> {
        let kinds = [ObjectKind::Function, ObjectKind::Domain];
        let is_granted = kinds.iter().any(|kind| self.object.is(kind));
        let is_revoked = is_granted && !self.attached.iter().any(is_default);
        is_revoked.then(|| format!("REVOKE ALL {} FROM PUBLIC", on(&self.object)))
    }

    /// The remedy without comments and privileges that are attached to the object.
    fn own_remedy(&self) -> Remedy {
        let name = self.object.name.as_str();
        match &self.object.aspect {
            Aspect::Definition => {}
            Aspect::Comment => return self.comment(),
            Aspect::Privileges { grantee } => return self.privileges(grantee),
        }
        match (&self.object.kind, &self.kind) {
            (ObjectKind::Column, _) => self.column(name),
            (ObjectKind::Constraint, _) => self.constraint(name),
            (ObjectKind::Index, _) => self.index(name),
            (ObjectKind::View, _) => self.view(name),
            (ObjectKind::Other(_), _) => MANUAL,
            (ObjectKind::Schema, ChangeKind::Added(_)) => drop("SCHEMA", name),
            (ObjectKind::Schema, _) => one(&format!("CREATE SCHEMA {name}")),
            (ObjectKind::Table, ChangeKind::Added(_)) => drop("TABLE", name),
            (ObjectKind::Table, _) => Remedy::Words(
                "the rows of the table are lost: restore a backup, or write a migration that \
                 creates the table again as the earlier migrations did",
            ),
            (_, ChangeKind::NotValid(_)) => MANUAL,
            (ObjectKind::Function, ChangeKind::Added(_)) => drop("FUNCTION", name),
            (
                ObjectKind::Function,
                ChangeKind::Removed { from } | ChangeKind::Changed { from, .. },
            ) => one(from.trim()),
            (ObjectKind::Domain, ChangeKind::Added(_)) => drop("DOMAIN", name),
            (ObjectKind::Domain, ChangeKind::Removed { from }) => {
                one(&format!("CREATE DOMAIN {name} AS {from}"))
            }
            (ObjectKind::Domain, ChangeKind::Changed { from, to }) => {
                changed_domain(name, &Domain::parse(from), &Domain::parse(to))
            }
            (ObjectKind::Sequence, ChangeKind::Added(_)) => drop("SEQUENCE", name),
            (ObjectKind::Sequence, ChangeKind::Removed { from }) => {
                one(&format!("CREATE SEQUENCE {name} {from}"))
            }
            (ObjectKind::Sequence, ChangeKind::Changed { from, .. }) => {
                one(&format!("ALTER SEQUENCE {name} {}", without_start(from)))
            }
        }
    }

    fn column(&self, name: &str) -> Remedy {
        let Some((table, column)) = self.part(name) else { return MANUAL };
        match &self.kind {
            ChangeKind::Added(_) => one(&format!("ALTER TABLE {table} DROP COLUMN {column}")),
            ChangeKind::Removed { from } => {
                let from = Column::parse(from);
                if from.is_generated || from.not_null {
                    return Remedy::Words(
                        "Aurora DSQL can only add columns that are nullable and not generated: \
                         create a new table, copy the rows, and rename the table. The values of \
                         the column are lost",
                    );
                }
                let default = from.default.map_or(String::new(), |default| {
                    format!(", ALTER COLUMN {column} SET DEFAULT {default}")
                });
                one(&format!("ALTER TABLE {table} ADD COLUMN {column} {}{default}", from.ty))
            }
            ChangeKind::Changed { from, to } => {
                changed_column(table, column, &Column::parse(from), &Column::parse(to))
            }
            ChangeKind::NotValid(_) => MANUAL,
        }
    }

    fn constraint(&self, name: &str) -> Remedy {
        let Some((table, constraint)) = self.part(name) else { return MANUAL };
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}");
        let validate = format!("ALTER TABLE ASYNC {table} VALIDATE CONSTRAINT {constraint}");
        let add = |from: &str| -> Option<Vec<String>> {
            if let Some(index) = from.strip_prefix("UNIQUE ") {
                return Some(vec![
                    format!("CREATE UNIQUE INDEX ASYNC {constraint} ON {table} {index}"),
                    format!(
                        "ALTER TABLE {table} ADD CONSTRAINT {constraint} UNIQUE USING INDEX \
                         {constraint}"
                    ),
                ]);
            }
            if from.starts_with("PRIMARY KEY") {
                return None;
            }
            // What is recorded as NOT VALID stays so.
            let not_valid = from.strip_suffix(" NOT VALID");
            let definition = not_valid.unwrap_or(from);
            let add =
                format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition} NOT VALID");
            let validate = not_valid.is_none().then(|| validate.clone());
            Some(std::iter::once(add).chain(validate).collect())
        };
        let key = Remedy::Words(
            "Aurora DSQL cannot change a primary key: create a new table, copy the rows, and \
             rename the table",
        );
        match &self.kind {
            ChangeKind::Added(to) if to.starts_with("PRIMARY KEY") => key,
            ChangeKind::Added(_) => Remedy::Sql(vec![drop]),
            ChangeKind::Removed { from } => add(from).map_or(key, Remedy::Sql),
            ChangeKind::Changed { from, to }
                if to.strip_suffix(" NOT VALID").is_some_and(|to| to == from) =>
            {
                Remedy::Sql(vec![validate])
            }
            ChangeKind::Changed { from, .. } => add(from).map_or(key, |mut add| {
                add.insert(0, drop);
                Remedy::Sql(add)
            }),
            ChangeKind::NotValid(_) => Remedy::Sql(vec![validate]),
        }
    }

    fn index(&self, name: &str) -> Remedy {
        let table = &self.relation;
        let drop = format!("DROP INDEX {name}");
        // An index is in the schema of its table, and `CREATE INDEX` takes its name without schema.
        let short = name.strip_prefix(schema_of(name)).and_then(|rest| rest.strip_prefix('.'));
        let create = |definition: &str| {
            let definition = definition.strip_suffix(" INVALID").unwrap_or(definition);
            let (unique, rest) = match definition.strip_prefix("UNIQUE ") {
                Some(rest) => ("UNIQUE ", rest),
                None => ("", definition),
            };
            let short = short.unwrap_or(name);
            format!("CREATE {unique}INDEX ASYNC {short} ON {table} {rest}")
        };
        match &self.kind {
            ChangeKind::Added(_) => Remedy::Sql(vec![drop]),
            ChangeKind::Removed { from } => Remedy::Sql(vec![create(from)]),
            ChangeKind::Changed { from, .. } | ChangeKind::NotValid(from) => {
                Remedy::Sql(vec![drop, create(from)])
            }
        }
    }

    fn view(&self, name: &str) -> Remedy {
        let create = |from: &str| {
            let from = from.trim().trim_end_matches(';');
            let (options, query) = match from.strip_prefix("AS") {
                Some(query) => (String::new(), query),
                None => match from.split_once(") AS") {
                    Some((options, query)) => (format!("{options}) "), query),
                    None => (String::new(), from),
                },
            };
            format!("CREATE VIEW {name} {options}AS{query}")
        };
        match &self.kind {
            ChangeKind::Added(_) => drop("VIEW", name),
            ChangeKind::Removed { from } => Remedy::Sql(vec![create(from)]),
            ChangeKind::Changed { from, .. } => {
                Remedy::Sql(vec![format!("DROP VIEW {name}"), create(from)])
            }
            ChangeKind::NotValid(_) => MANUAL,
        }
    }

    fn comment(&self) -> Remedy {
        let text = match &self.kind {
            ChangeKind::Added(_) => "NULL".to_owned(),
            ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => quoted_literal(from),
            ChangeKind::NotValid(_) => return MANUAL,
        };
        let target = match self.object.kind {
            ObjectKind::Constraint => match self.part(&self.object.name) {
                Some((table, constraint)) => format!("ON CONSTRAINT {constraint} ON {table}"),
                None => return MANUAL,
            },
            _ => on(&self.object),
        };
        one(&format!("COMMENT {target} IS {text}"))
    }

    fn privileges(&self, grantee: &str) -> Remedy {
        let name = &self.object.name;
        let (on, columns) = match self.object.kind {
            ObjectKind::Column => match self.part(name) {
                Some((table, column)) => (format!("ON TABLE {table}"), format!(" ({column})")),
                None => return MANUAL,
            },
            // GRANT has the keyword TABLE for views as well.
            ObjectKind::View => (format!("ON TABLE {name}"), String::new()),
            _ => (on(&self.object), String::new()),
        };
        // Only the difference: REVOKE of a privilege on a table also revokes it on the columns.
        let (from, now) = match &self.kind {
            ChangeKind::Added(now) => ("", now.as_str()),
            ChangeKind::Removed { from } => (from.as_str(), ""),
            ChangeKind::Changed { from, to } => (from.as_str(), to.as_str()),
            ChangeKind::NotValid(_) => return MANUAL,
        };
        let (had, has) = (split_privileges(from), split_privileges(now));
        let without = |all: &[&str], others: &[&str], with_option: bool| {
            // The columns are repeated for each privilege.
            let privileges: Vec<String> = all
                .iter()
                .filter(|it| !others.contains(it) && it.ends_with(OPTION) == with_option)
                .map(|it| format!("{}{columns}", it.trim_end_matches(OPTION)))
                .collect();
            (!privileges.is_empty()).then(|| privileges.join(", "))
        };
        let mut sql = Vec::new();
        for with_option in [true, false] {
            let revoked = without(&has, &had, with_option);
            sql.extend(revoked.map(|list| format!("REVOKE {list} {on} FROM {grantee}")));
        }
        for (with_option, option) in [(true, OPTION), (false, "")] {
            let granted = without(&had, &has, with_option);
            sql.extend(granted.map(|list| format!("GRANT {list} {on} TO {grantee}{option}")));
        }
        Remedy::Sql(sql)
    }

    /// Splits the name of a part, such as `public.users.email`, into the table and its own name.
    fn part<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        let part = name.strip_prefix(&self.relation)?.strip_prefix('.')?;
        Some((&name[..self.relation.len()], part))
    }
}

const OPTION: &str = " WITH GRANT OPTION";

/// Splits a list such as `SELECT, INSERT`.
fn split_privileges(list: &str) -> Vec<&str> {
    list.split(", ").filter(|privilege| !privilege.is_empty()).collect()
}

/// Whether these are the privileges that a new function or domain has by default.
fn is_default((object, _): &(CatalogObject, String)) -> bool {
    matches!(&object.aspect, Aspect::Privileges { grantee } if grantee == "PUBLIC")
        && matches!(object.kind, ObjectKind::Function | ObjectKind::Domain)
}

const MANUAL: Remedy = Remedy::Words("examine the object and restore it manually");

fn one(sql: &str) -> Remedy {
    Remedy::Sql(vec![sql.to_owned()])
}

fn drop(kind: &str, name: &str) -> Remedy {
    one(&format!("DROP {kind} {name}"))
}

/// The target of `COMMENT`, `GRANT` and `REVOKE`, for example `ON TABLE x`.
fn on(object: &CatalogObject) -> String {
    format!("ON {} {}", object.kind.as_str().to_uppercase(), object.name)
}

/// Returns the options that `ALTER SEQUENCE` was seen to accept on DSQL: all except `START`.
fn without_start(options: &str) -> String {
    match options.split_once(" START WITH ") {
        Some((before, after)) => {
            let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{before} {rest}")
        }
        None => options.to_owned(),
    }
}

fn changed_column(table: &str, column: &str, from: &Column<'_>, to: &Column<'_>) -> Remedy {
    if from.ty != to.ty || from.is_generated != to.is_generated || from.is_generated {
        return Remedy::Words(
            "Aurora DSQL cannot change the type or the generation of a column: create a new table, \
             copy the rows, and rename the table",
        );
    }
    let mut sql = Vec::new();
    if from.default != to.default {
        sql.push(match from.default {
            Some(default) => {
                format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default}")
            }
            None => format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT"),
        });
    }
    match (from.not_null, to.not_null) {
        (false, true) => {
            sql.push(format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"));
        }
        (true, false) => {
            let name = format!("{}_not_null", unquoted(column).replace(' ', "_"));
            sql.push(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"
            ));
            sql.push(format!("ALTER TABLE ASYNC {table} VALIDATE CONSTRAINT {name}"));
            return Remedy::Partly(
                sql,
                "Aurora DSQL does not support SET NOT NULL: a constraint has the same effect, and \
                 the column is reported until the drift is accepted",
            );
        }
        _ => {}
    }
    Remedy::Sql(sql)
}

fn changed_domain(name: &str, from: &Domain<'_>, to: &Domain<'_>) -> Remedy {
    let is_stricter = (from.not_null && !to.not_null)
        || from.constraints.iter().any(|constraint| !to.constraints.contains(constraint));
    if from.ty != to.ty || is_stricter {
        return Remedy::Words(
            "Aurora DSQL cannot change the type of a domain or add a constraint to it: create a new \
             domain, and move the columns to it",
        );
    }
    let alter = |what: &str| format!("ALTER DOMAIN {name} {what}");
    let mut sql = Vec::new();
    if from.default != to.default {
        sql.push(match from.default {
            Some(default) => alter(&format!("SET DEFAULT {default}")),
            None => alter("DROP DEFAULT"),
        });
    }
    if to.not_null && !from.not_null {
        sql.push(alter("DROP NOT NULL"));
    }
    let added = to.constraints.iter().filter(|constraint| !from.constraints.contains(constraint));
    for constraint in added {
        let name = split_plain(constraint, " CHECK ")[0];
        // The form that DSQL was seen to accept.
        sql.push(alter(&format!("DROP CONSTRAINT IF EXISTS {name}")));
    }
    Remedy::Sql(sql)
}

#[cfg(test)]
mod tests;
