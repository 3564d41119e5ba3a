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

use super::snapshot::Watched;
use crate::database::ledger_schema::LedgerSchema;

/// Returns a statement with the columns `relation, object, definition, owner`. The owner is null
/// except for privileges, whose definition is an array of `aclitem` as text.
///
/// The statement must follow [`PLAIN_NAMES`]: names in definitions are qualified only if the search
/// path contains no user schema.
pub(crate) fn describe_sql(watched: &Watched, ledger: &LedgerSchema) -> String {
    let condition = watched.condition("nspname", ledger);
    format!("{}\n{PARTS}", SETS.replace("{condition}", &condition))
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
   WHERE {condition}
), rel AS (
  SELECT c.oid, c.relkind, c.relowner, c.relacl, c.reloptions, ns.schema,
         ns.schema || '.' || quote_ident(c.relname) AS relation,
         CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' ELSE 'sequence ' END
           || ns.schema || '.' || quote_ident(c.relname) AS name
    FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'v', 'S')
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
   WHERE p.prokind = 'f'
), dom AS (
  SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typowner, t.typacl,
         ns.schema || '.' || quote_ident(t.typname) AS relation
    FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
   WHERE t.typtype = 'd'
), con AS (
  SELECT k.oid, k.contype, k.conkey, k.conrelid, k.conname, rel.relation,
         'constraint ' || rel.relation || '.' || quote_ident(k.conname) AS name
    FROM rel JOIN pg_constraint k ON k.conrelid = rel.oid
), ix AS (
  SELECT i.indexrelid, i.indrelid, i.indisunique, i.indnkeyatts, i.indnatts, i.indnullsnotdistinct,
         i.indpred, i.indisvalid, rel.relation,
         'index ' || rel.schema || '.' || quote_ident(c.relname) AS name
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
SELECT schema, 'schema ' || schema, '', NULL::text FROM ns
UNION ALL
SELECT relation, name,
       CASE relkind
         WHEN 'v' THEN coalesce('WITH (' || array_to_string(reloptions, ', ') || ') AS', 'AS')
                       || pg_get_viewdef(rel.oid)
         WHEN 'S' THEN (SELECT options FROM seq WHERE seqrelid = rel.oid)
         ELSE '' END,
       NULL
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
       NULL
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
       NULL
  FROM con
UNION ALL
SELECT relation, name,
       CASE WHEN ix.indisunique THEN 'UNIQUE ' ELSE '' END || '(' || (
         SELECT string_agg(pg_get_indexdef(ix.indexrelid, n, true), ', ' ORDER BY n)
           FROM generate_series(1, ix.indnkeyatts) AS n
       ) || ')'
       || CASE WHEN ix.indnatts > ix.indnkeyatts THEN ' INCLUDE (' || (
         SELECT string_agg(pg_get_indexdef(ix.indexrelid, n, true), ', ' ORDER BY n)
           FROM generate_series(ix.indnkeyatts + 1, ix.indnatts) AS n
       ) || ')' ELSE '' END
       || CASE WHEN ix.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END
       || CASE WHEN ix.indpred IS NULL THEN ''
            ELSE ' WHERE ' || pg_get_expr(ix.indpred, ix.indrelid) END
       || CASE WHEN ix.indisvalid THEN '' ELSE ' INVALID' END,
       NULL
  FROM ix
UNION ALL
SELECT relation, 'function ' || relation, pg_get_functiondef(fn.oid), NULL FROM fn
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
       NULL
  FROM dom
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL
  FROM rel JOIN remark ON objoid = rel.oid AND classoid = 'pg_class'::regclass AND objsubid = 0
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL
  FROM col JOIN remark
    ON objoid = col.attrelid AND classoid = 'pg_class'::regclass AND objsubid = col.attnum
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL
  FROM ix JOIN remark ON objoid = ix.indexrelid AND classoid = 'pg_class'::regclass
UNION ALL
SELECT relation, 'comment on ' || name, description, NULL
  FROM con JOIN remark ON objoid = con.oid AND classoid = 'pg_constraint'::regclass
UNION ALL
SELECT relation, 'comment on function ' || relation, description, NULL
  FROM fn JOIN remark ON objoid = fn.oid AND classoid = 'pg_proc'::regclass
UNION ALL
SELECT relation, 'comment on domain ' || relation, description, NULL
  FROM dom JOIN remark ON objoid = dom.oid AND classoid = 'pg_type'::regclass
UNION ALL
SELECT schema, 'comment on schema ' || schema, obj_description(ns.oid, 'pg_namespace'), NULL
  FROM ns WHERE obj_description(ns.oid, 'pg_namespace') IS NOT NULL
UNION ALL
SELECT relation, 'grant on ' || name, relacl::text, rolname
  FROM rel JOIN role ON role.oid = rel.relowner WHERE relacl IS NOT NULL
UNION ALL
SELECT relation, 'grant on ' || name, attacl::text, rolname
  FROM col JOIN role ON role.oid = col.relowner WHERE attacl IS NOT NULL
UNION ALL
SELECT schema, 'grant on schema ' || schema, nspacl::text, rolname
  FROM ns JOIN role ON role.oid = ns.nspowner WHERE nspacl IS NOT NULL
UNION ALL
-- If no privileges are stored, PUBLIC may execute a function and use a domain.
SELECT relation, 'grant on function ' || relation, coalesce(proacl::text, '{=X/x}'), rolname
  FROM fn JOIN role ON role.oid = fn.proowner
UNION ALL
SELECT relation, 'grant on domain ' || relation, coalesce(typacl::text, '{=U/x}'), rolname
  FROM dom JOIN role ON role.oid = dom.typowner";
