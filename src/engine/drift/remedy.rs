//! What a new migration would have to say to take a change back, within what DSQL accepts.
//!
//! Which statements those are: AWS's user guide, "Supported subsets of SQL" (`ALTER TABLE`,
//! `CREATE INDEX`, `CREATE DOMAIN`), and for what it does not say the recorded answers that
//! `dsql-local` gives.

mod definition;

use self::definition::{Column, Domain, split_plain};
use super::{Change, ChangeKind};
use crate::database::{schema_of, unquoted};

/// How a change can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// With these statements, one after the other.
    Sql(Vec<String>),
    /// With these statements, but for what the words tell.
    Partly(Vec<String>, &'static str),
    /// With more than DSQL's statements can say about the object alone.
    Words(&'static str),
}

impl Change {
    /// What a new migration would have to say to bring the object back to what the last run left,
    /// with the comments and rights that it had.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let of_part = |(object, from): &(String, String)| {
            let (relation, object) = (self.relation.clone(), object.clone());
            let kind = ChangeKind::Removed { from: from.clone() };
            match (Self { relation, object, kind, attached: Vec::new() }).of_itself() {
                Remedy::Sql(sql) | Remedy::Partly(sql, _) => sql,
                Remedy::Words(_) => Vec::new(),
            }
        };
        match self.of_itself() {
            Remedy::Sql(mut sql) if self.is_made_anew(&sql) => {
                sql.extend(self.rights_of_everybody());
                sql.extend(self.attached.iter().filter(|it| !is_default(it)).flat_map(of_part));
                Remedy::Sql(sql)
            }
            remedy => remedy,
        }
    }

    fn is_made_anew(&self, sql: &[String]) -> bool {
        let kinds = ["constraint ", "index ", "view "];
        matches!(self.kind, ChangeKind::Removed { .. })
            || sql.len() > 1 && kinds.iter().any(|kind| self.object.starts_with(kind))
            || sql.iter().any(|sql| sql.starts_with("REVOKE "))
    }

    /// A new function may be executed, and a new domain used, by everybody, until that is revoked.
    fn rights_of_everybody(&self) -> Option<String> {
        let is_open = ["function ", "domain "].iter().any(|kind| self.object.starts_with(kind));
        let on = format!("on {}", self.object);
        let closed = is_open && !self.attached.iter().any(is_default);
        closed.then(|| format!("REVOKE ALL {} FROM PUBLIC", as_sql(&on)))
    }

    fn of_itself(&self) -> Remedy {
        let (kind, name) = self.object.split_once(' ').unwrap_or((&self.object, ""));
        match kind {
            "column" => self.column(name),
            "constraint" => self.constraint(name),
            "index" => self.index(name),
            "table" => match &self.kind {
                ChangeKind::Added(_) => drop("TABLE", name),
                _ => Remedy::Words(
                    "its rows are gone with it: restore a backup, or write a migration that \
                     creates it again as the earlier ones did",
                ),
            },
            "view" => self.view(name),
            "function" => match &self.kind {
                ChangeKind::Added(_) => drop("FUNCTION", name),
                ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => one(from.trim()),
                ChangeKind::NotValid(_) => NOTHING,
            },
            "domain" => match &self.kind {
                ChangeKind::Added(_) => drop("DOMAIN", name),
                ChangeKind::Removed { from } => one(&format!("CREATE DOMAIN {name} AS {from}")),
                ChangeKind::Changed { from, to } => {
                    changed_domain(name, &Domain::parse(from), &Domain::parse(to))
                }
                ChangeKind::NotValid(_) => NOTHING,
            },
            "sequence" => match &self.kind {
                ChangeKind::Added(_) => drop("SEQUENCE", name),
                ChangeKind::Removed { from } => one(&format!("CREATE SEQUENCE {name} {from}")),
                ChangeKind::Changed { from, .. } => {
                    one(&format!("ALTER SEQUENCE {name} {}", without_start(from)))
                }
                ChangeKind::NotValid(_) => NOTHING,
            },
            "schema" => match &self.kind {
                ChangeKind::Added(_) => drop("SCHEMA", name),
                _ => one(&format!("CREATE SCHEMA {name}")),
            },
            "comment" => self.comment(name),
            "grant" => self.grant(name),
            _ => NOTHING,
        }
    }

    fn column(&self, name: &str) -> Remedy {
        let Some((table, column)) = self.part(name) else { return NOTHING };
        match &self.kind {
            ChangeKind::Added(_) => one(&format!("ALTER TABLE {table} DROP COLUMN {column}")),
            ChangeKind::Removed { from } => {
                let from = Column::parse(from);
                if from.is_generated || from.not_null {
                    return Remedy::Words(
                        "Aurora DSQL adds only nullable columns that are not generated: make a new \
                         table, copy the rows, and rename it. The column's values are gone",
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
            ChangeKind::NotValid(_) => NOTHING,
        }
    }

    fn constraint(&self, name: &str) -> Remedy {
        let Some((table, constraint)) = self.part(name) else { return NOTHING };
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}");
        let validate = format!("ALTER TABLE ASYNC {table} VALIDATE CONSTRAINT {constraint}");
        let add = |from: &str| {
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
            let definition = from.strip_suffix(" NOT VALID").unwrap_or(from);
            Some(vec![
                format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition} NOT VALID"),
                validate.clone(),
            ])
        };
        let key = Remedy::Words(
            "Aurora DSQL does not change a primary key: make a new table, copy the rows, and \
             rename it",
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
        // An index lives in the schema of its table, and its name is written without it.
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
            ChangeKind::NotValid(_) => NOTHING,
        }
    }

    fn comment(&self, name: &str) -> Remedy {
        let text = match &self.kind {
            ChangeKind::Added(_) => "NULL".to_owned(),
            ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => {
                format!("'{}'", from.replace('\'', "''"))
            }
            ChangeKind::NotValid(_) => return NOTHING,
        };
        let target = match name.strip_prefix("on constraint ") {
            Some(constraint) => match self.part(constraint) {
                Some((table, constraint)) => format!("ON CONSTRAINT {constraint} ON {table}"),
                None => return NOTHING,
            },
            None => as_sql(name),
        };
        one(&format!("COMMENT {target} IS {text}"))
    }

    fn grant(&self, name: &str) -> Remedy {
        let Some((on, to)) = name.rsplit_once(" to ") else { return NOTHING };
        let (on, columns) = match on.strip_prefix("on column ") {
            Some(column) => match self.part(column) {
                Some((table, column)) => (format!("ON TABLE {table}"), format!(" ({column})")),
                None => return NOTHING,
            },
            // Tables and views are granted on alike, and GRANT knows only the one word.
            None => (as_sql(&on.replacen("on view ", "on table ", 1)), String::new()),
        };
        // Only what differs: REVOKE of a right on a table also takes it from the columns.
        let (from, now) = match &self.kind {
            ChangeKind::Added(now) => ("", now.as_str()),
            ChangeKind::Removed { from } => (from.as_str(), ""),
            ChangeKind::Changed { from, to } => (from.as_str(), to.as_str()),
            ChangeKind::NotValid(_) => return NOTHING,
        };
        let (had, has) = (rights(from), rights(now));
        let without = |all: &[&str], others: &[&str], with_option: bool| {
            // Each right names the columns anew.
            let rights: Vec<String> = all
                .iter()
                .filter(|right| !others.contains(right) && right.ends_with(OPTION) == with_option)
                .map(|right| format!("{}{columns}", right.trim_end_matches(OPTION)))
                .collect();
            (!rights.is_empty()).then(|| rights.join(", "))
        };
        let mut sql = Vec::new();
        for with_option in [true, false] {
            let revoked = without(&has, &had, with_option);
            sql.extend(revoked.map(|rights| format!("REVOKE {rights} {on} FROM {to}")));
        }
        for (with_option, option) in [(true, OPTION), (false, "")] {
            let granted = without(&had, &has, with_option);
            sql.extend(granted.map(|rights| format!("GRANT {rights} {on} TO {to}{option}")));
        }
        Remedy::Sql(sql)
    }

    /// Table and name of a part such as `public.users.email`.
    fn part<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        let part = name.strip_prefix(&self.relation)?.strip_prefix('.')?;
        Some((&name[..self.relation.len()], part))
    }
}

const OPTION: &str = " WITH GRANT OPTION";

/// `SELECT, INSERT`, taken apart.
fn rights(list: &str) -> Vec<&str> {
    list.split(", ").filter(|right| !right.is_empty()).collect()
}

/// The rights that a new function or domain has by itself.
fn is_default((object, _): &(String, String)) -> bool {
    let kinds = ["grant on function ", "grant on domain "];
    object.ends_with(" to PUBLIC") && kinds.iter().any(|kind| object.starts_with(kind))
}

const NOTHING: Remedy = Remedy::Words("look at the object and restore it by hand");

fn one(sql: &str) -> Remedy {
    Remedy::Sql(vec![sql.to_owned()])
}

fn drop(kind: &str, name: &str) -> Remedy {
    one(&format!("DROP {kind} {name}"))
}

/// `on table x` as SQL writes it: `ON TABLE x`.
fn as_sql(target: &str) -> String {
    let mut words = target.splitn(3, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (on, kind, name) = (next(), next(), next());
    format!("{} {} {name}", on.to_uppercase(), kind.to_uppercase())
}

/// The options of a sequence that `ALTER SEQUENCE` was seen to take on DSQL: all but `START`.
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
            "Aurora DSQL does not change a column's type or generation: make a new table, copy the \
             rows, and rename it",
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
                "Aurora DSQL has no SET NOT NULL: a constraint does the same, and the column is told \
                 until the drift is accepted",
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
            "Aurora DSQL neither changes the type of a domain nor adds a constraint to it: make a \
             new one, and move the columns over",
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
        // The form that DSQL was seen to take.
        sql.push(alter(&format!("DROP CONSTRAINT IF EXISTS {name}")));
    }
    Remedy::Sql(sql)
}

#[cfg(test)]
mod tests;
