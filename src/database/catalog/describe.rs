//! The query that describes schemas.
//!
//! A dump and restore, or two renames that cancel each other, do not change any definition. Object
//! identifiers, column order, storage and statistics are omitted, and so are the details that are
//! specific to DSQL: `btree_index`, and the `INCLUDE` list of every primary key, which follows from
//! the columns of its table (seen in responses that open-source tools recorded; AWS's guide shows
//! the same in "Systems tables and commands").
//!
//! The query reads only catalogs and functions that such tools are known to have used on DSQL.
//! Privileges are returned as the text of `aclitem`, which `grants.rs` parses, because no tool is
//! known to have called `aclexplode` on DSQL. The exception is `pg_get_functiondef`, because no
//! other function returns the whole definition of a function.
//!
//! Ledgers hold the definitions, so a definition in other words is drift in every ledger. A change
//! here needs the earlier words in [`earlier_definitions_sql`].

use super::snapshot::Watched;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::literal;

/// Returns a statement with the columns `relation, object, definition, owner, identity`. The owner
/// is null except for privileges, whose definition is an array of `aclitem` as text. The identity
/// is null for what has none of its own: columns, comments and privileges.
///
/// The statement must follow [`PLAIN_NAMES`]: names in definitions are qualified only if the search
/// path contains no user schema.
pub(crate) fn describe_sql(watched: &Watched, ledger: &LedgerSchema) -> String {
    let all = || "true".to_owned();
    let sets = sets(&watched.condition("nspname"), [not_of(ledger), all(), all()]);
    format!("{sets}\n{PARTS}")
}

/// As [`describe_sql`], for the definitions that a provider of layout 1 has recorded of the indexes
/// that it described in fewer words.
pub(crate) fn earlier_definitions_sql(watched: &Watched, ledger: &LedgerSchema) -> String {
    let none = || "false".to_owned();
    let sets = sets(&watched.condition("nspname"), [not_of(ledger), none(), none()]);
    format!("{sets}\n{EARLIER_INDEXES}")
}

/// Returns the condition that a relation is not a table of the ledger. No migration changes these
/// tables, but the ledger may share its schema with tables of an application.
fn not_of(ledger: &LedgerSchema) -> String {
    let tables = ledger.layout().tables.iter();
    let names: Vec<String> = tables.map(|table| literal(table.name)).collect();
    format!(
        "NOT (ns.schema = quote_ident({}) AND c.relname IN ({}))",
        literal(ledger.name()),
        names.join(", ")
    )
}

/// As [`describe_sql`], for single objects by their identities. A table is described with all that
/// belongs to it, an index or a constraint with its table, and a foreign key with the table that it
/// refers to.
pub(super) fn describe_objects_sql(identities: &[u32]) -> String {
    // A list must not be empty, and no object has this identity.
    let list: Vec<String> = [0].iter().chain(identities).map(ToString::to_string).collect();
    let list = list.join(", ");
    let relations = format!(
        "(c.oid IN ({list})
          OR c.oid IN (SELECT indrelid FROM pg_index WHERE indexrelid IN ({list}))
          OR c.oid IN (SELECT conrelid FROM pg_constraint WHERE oid IN ({list}))
          OR c.oid IN (SELECT confrelid FROM pg_constraint
                        WHERE oid IN ({list}) OR conrelid IN ({list})))"
    );
    let conditions = [relations, format!("p.oid IN ({list})"), format!("t.oid IN ({list})")];
    format!("{}\n{PARTS}", sets("true", conditions))
}

/// Fills the conditions on schemas, and on relations, functions and domains, into the query.
fn sets(schemas: &str, [relations, functions, domains]: [String; 3]) -> String {
    let sets = SETS.replace("{schemas}", schemas).replace("{relations}", &relations);
    sets.replace("{functions}", &functions).replace("{domains}", &domains)
}

/// Makes all names in definitions qualified, for every role. Otherwise the definitions of views,
/// defaults and domains would depend on the schemas that the role may use. The setting ends with
/// the transaction. DSQL lists `search_path` among the settings of `SET LOCAL` (user guide,
/// "Accessing Aurora DSQL").
pub(crate) const PLAIN_NAMES: &str = "SET LOCAL search_path = pg_catalog";

/// The described objects and their names.
const SETS: &str = "\
WITH ns AS (
  SELECT oid, nspowner, nspacl, quote_ident(nspname) AS schema FROM pg_namespace
   WHERE {schemas}
), rel AS (
  SELECT c.oid, c.relkind, c.relowner, c.relacl, c.reloptions, ns.schema,
         ns.schema || '.' || quote_ident(c.relname) AS relation,
         CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' ELSE 'sequence ' END
           || ns.schema || '.' || quote_ident(c.relname) AS name
    FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'v', 'S') AND {relations}
     -- The sequence of an identity column is described with its column.
     AND NOT (c.relkind = 'S' AND EXISTS (
           SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'))
), col AS (
  SELECT rel.relation, a.attrelid, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity,
         a.attgenerated, a.attacl, rel.relkind, rel.relowner,
         'column ' || rel.relation || '.' || quote_ident(a.attname) AS name
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE rel.relkind IN ('r', 'v')
), seq AS (
  SELECT seqrelid, 'INCREMENT BY ' || seqincrement || ' MINVALUE ' || seqmin || ' MAXVALUE '
           || seqmax || ' START WITH ' || seqstart || ' CACHE ' || seqcache
           || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END AS options
    FROM pg_sequence
), fn AS (
  SELECT p.oid, p.proowner, p.proacl,
         ns.schema || '.' || quote_ident(p.proname) || '(' || coalesce((
             SELECT string_agg(format_type(argument.type, NULL), ', ' ORDER BY argument.position)
               FROM unnest(p.proargtypes) WITH ORDINALITY AS argument(type, position)), '')
           || ')' AS relation
    FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
   WHERE p.prokind = 'f' AND {functions}
), dom AS (
  SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typowner, t.typacl,
         ns.schema || '.' || quote_ident(t.typname) AS relation
    FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
   WHERE t.typtype = 'd' AND {domains}
), con AS (
  SELECT k.oid, k.contype, k.conkey, k.conrelid, k.conname, rel.relation,
         'constraint ' || rel.relation || '.' || quote_ident(k.conname) AS name
    FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid
), ix AS (
  SELECT i.indexrelid, i.indisunique, i.indisvalid, rel.relation,
         'index ' || rel.schema || '.' || quote_ident(c.relname) AS name,
         substr(pg_get_indexdef(i.indexrelid), length(
           'CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '
             || quote_ident(c.relname) || ' ON ' || rel.relation || ' ') + 1) AS definition
    FROM rel
    JOIN pg_index i ON i.indrelid = rel.oid
    JOIN pg_class c ON c.oid = i.indexrelid
   -- The index of a key is described by its constraint.
   WHERE NOT EXISTS (SELECT FROM pg_constraint k
                      WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
), remark AS (
  SELECT objoid, classoid, objsubid, description FROM pg_description
), role AS (
  SELECT oid, rolname FROM pg_roles
)";

/// One row for each object.
const PARTS: &str = "\
SELECT schema, 'schema ' || schema, '', NULL::text, ns.oid::text FROM ns
UNION ALL
SELECT relation, name,
       CASE relkind
         WHEN 'v' THEN coalesce('WITH (' || array_to_string(reloptions, ', ') || ') AS', 'AS')
                       || pg_get_viewdef(rel.oid)
         WHEN 'S' THEN (SELECT options FROM seq WHERE seqrelid = rel.oid)
         ELSE '' END,
       NULL, rel.oid::text
  FROM rel
UNION ALL
SELECT relation, name,
       format_type(col.atttypid, col.atttypmod)
         || CASE WHEN col.attnotnull THEN ' NOT NULL' ELSE '' END
         || CASE WHEN col.attidentity = '' THEN ''
              ELSE CASE col.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY ('
                     ELSE ' GENERATED BY DEFAULT AS IDENTITY (' END
                || coalesce((SELECT options FROM seq JOIN pg_depend d ON d.objid = seq.seqrelid
                     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                       AND d.refobjid = col.attrelid AND d.refobjsubid = col.attnum
                       AND d.deptype = 'i'), '') || ')' END
         || CASE WHEN d.adbin IS NULL THEN ''
              WHEN col.attgenerated = 's'
              THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
              ELSE ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END,
       NULL, NULL
  FROM col
  LEFT JOIN pg_attrdef d ON d.adrelid = col.attrelid AND d.adnum = col.attnum
 WHERE col.relkind = 'r'
UNION ALL
SELECT relation, name,
       CASE WHEN con.contype = 'p'
         THEN 'PRIMARY KEY (' || (
           SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY key.position)
             FROM unnest(con.conkey) WITH ORDINALITY AS key(attnum, position)
             JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = key.attnum
         ) || ')'
         ELSE pg_get_constraintdef(con.oid) END,
       NULL, con.oid::text
  FROM con
UNION ALL
SELECT relation, name,
       CASE WHEN ix.indisunique THEN 'UNIQUE ' ELSE '' END
       || CASE WHEN ix.definition LIKE 'USING btree\\_index (%'
            THEN substr(ix.definition, length('USING btree_index ') + 1)
            WHEN ix.definition LIKE 'USING btree (%'
            THEN substr(ix.definition, length('USING btree ') + 1)
            ELSE ix.definition END
       || CASE WHEN ix.indisvalid THEN '' ELSE ' INVALID' END,
       NULL, ix.indexrelid::text
  FROM ix
UNION ALL
SELECT relation, 'function ' || relation, pg_get_functiondef(fn.oid), NULL, fn.oid::text
  FROM fn
UNION ALL
SELECT relation, 'domain ' || relation,
       format_type(dom.typbasetype, dom.typtypmod)
         || CASE WHEN dom.typnotnull THEN ' NOT NULL' ELSE '' END
         || coalesce(' DEFAULT ' || dom.typdefault, '')
         -- Not separate objects, because DSQL cannot add a constraint to an existing domain.
         || coalesce((
              SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' '
                                || pg_get_constraintdef(k.oid), '' ORDER BY k.conname)
                FROM pg_constraint k WHERE k.contypid = dom.oid), ''),
       NULL, dom.oid::text
  FROM dom
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL, NULL
  FROM rel JOIN remark ON objoid = rel.oid AND classoid = 'pg_class'::regclass AND objsubid = 0
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL, NULL
  FROM col JOIN remark
    ON objoid = col.attrelid AND classoid = 'pg_class'::regclass AND objsubid = col.attnum
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL, NULL
  FROM ix JOIN remark ON objoid = ix.indexrelid AND classoid = 'pg_class'::regclass
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL, NULL
  FROM con JOIN remark ON objoid = con.oid AND classoid = 'pg_constraint'::regclass
UNION ALL
SELECT relation, 'comment on function ' || relation, description, NULL, NULL
  FROM fn JOIN remark ON objoid = fn.oid AND classoid = 'pg_proc'::regclass
UNION ALL
SELECT relation, 'comment on domain ' || relation, description, NULL, NULL
  FROM dom JOIN remark ON objoid = dom.oid AND classoid = 'pg_type'::regclass
UNION ALL
SELECT schema, 'comment on schema ' || schema, obj_description(ns.oid, 'pg_namespace'), NULL,
       NULL
  FROM ns WHERE obj_description(ns.oid, 'pg_namespace') IS NOT NULL
UNION ALL
SELECT relation, 'grant on ' || name, relacl::text, rolname, NULL
  FROM rel JOIN role ON role.oid = rel.relowner WHERE relacl IS NOT NULL
UNION ALL
SELECT relation, 'grant on ' || name, attacl::text, rolname, NULL
  FROM col JOIN role ON role.oid = col.relowner WHERE attacl IS NOT NULL
UNION ALL
SELECT schema, 'grant on schema ' || schema, nspacl::text, rolname, NULL
  FROM ns JOIN role ON role.oid = ns.nspowner WHERE nspacl IS NOT NULL
UNION ALL
-- If no privileges are stored, PUBLIC may execute a function and use a domain.
SELECT relation, 'grant on function ' || relation, coalesce(proacl::text, '{=X/x}'), rolname, NULL
  FROM fn JOIN role ON role.oid = fn.proowner
UNION ALL
SELECT relation, 'grant on domain ' || relation, coalesce(typacl::text, '{=U/x}'), rolname, NULL
  FROM dom JOIN role ON role.oid = dom.typowner";

/// The indexes whose definition layout 1 described in fewer words: without the order of nulls, a
/// collation, an operator class or a method, and with fewer parentheses around an expression.
const EARLIER_INDEXES: &str = "\
SELECT relation, name,
       CASE WHEN indisunique THEN 'UNIQUE ' ELSE '' END || earlier
         || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END, NULL, NULL
  FROM (
    SELECT ix.relation, ix.name, ix.definition, ix.indisunique, ix.indisvalid,
           '(' || (
             SELECT string_agg(pg_get_indexdef(ix.indexrelid, n, true), ', ' ORDER BY n)
               FROM generate_series(1, i.indnkeyatts) AS n
           ) || ')'
           || CASE WHEN i.indnatts > i.indnkeyatts THEN ' INCLUDE (' || (
             SELECT string_agg(pg_get_indexdef(ix.indexrelid, n, true), ', ' ORDER BY n)
               FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS n
           ) || ')' ELSE '' END
           || CASE WHEN i.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END
           || CASE WHEN i.indpred IS NULL THEN ''
                ELSE ' WHERE ' || pg_get_expr(i.indpred, i.indrelid) END AS earlier
      FROM ix JOIN pg_index i ON i.indexrelid = ix.indexrelid
  ) AS described
 WHERE definition NOT IN ('USING btree ' || earlier, 'USING btree_index ' || earlier)";
