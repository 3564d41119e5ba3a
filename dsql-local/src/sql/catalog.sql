-- The catalog as DSQL shows it. Read after bootstrap.sql in the same way: an empty line after a
-- semicolon ends a chunk.
--
-- PostgreSQL finds its catalogs and functions by OID, and only clients look for names. So a catalog
-- or a function can move into dsql_internal, and a new one with its name can return what DSQL
-- returns. Clients get DSQL's version with or without `pg_catalog.` before the name; the rules of
-- bootstrap.sql use the originals in dsql_internal.

SET allow_system_table_mods = on;

-- Versions (recorded: Dreamescaper/dsql-emulator, environment.json) -------------------------------

UPDATE pg_proc SET pronamespace = 'dsql_internal'::regnamespace
  WHERE oid IN ('pg_catalog.version()'::regprocedure, 'pg_catalog.current_setting(text)'::regprocedure,
                'pg_catalog.pg_get_indexdef(oid)'::regprocedure, 'pg_catalog.pg_get_indexdef(oid, int, bool)'::regprocedure,
                'pg_catalog.pg_get_constraintdef(oid)'::regprocedure, 'pg_catalog.pg_get_constraintdef(oid, bool)'::regprocedure);

CREATE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'PostgreSQL 16' $$;

CREATE FUNCTION pg_catalog.current_setting(setting text) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT CASE lower(setting) WHEN 'server_version' THEN '16.15' WHEN 'server_version_num' THEN '160015'
         ELSE dsql_internal.current_setting(setting) END
$$;

-- The clock, which a test can set. `CURRENT_TIMESTAMP` and similar keywords are not functions and
-- stay as they are.
CREATE FUNCTION dsql_internal.skew() RETURNS interval LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT skew FROM dsql_internal.control
$$;

UPDATE pg_proc SET pronamespace = 'dsql_internal'::regnamespace, proname = 'machine_' || proname
  WHERE oid IN ('pg_catalog.now()'::regprocedure, 'pg_catalog.transaction_timestamp()'::regprocedure,
                'pg_catalog.statement_timestamp()'::regprocedure, 'pg_catalog.clock_timestamp()'::regprocedure);

CREATE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT dsql_internal.machine_now() + dsql_internal.skew()
$$;

CREATE FUNCTION pg_catalog.transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT dsql_internal.machine_transaction_timestamp() + dsql_internal.skew()
$$;

CREATE FUNCTION pg_catalog.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT dsql_internal.machine_statement_timestamp() + dsql_internal.skew()
$$;

CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT dsql_internal.machine_clock_timestamp() + dsql_internal.skew()
$$;

CREATE FUNCTION sys.dsql_major_version() RETURNS int LANGUAGE sql STABLE AS $$ SELECT 1 $$;

-- Job IDs are UUIDs in base32 without padding (RFC 4648, lower case): 26 characters of 5 bits each,
-- where the last two bits are zero.
CREATE FUNCTION sys.uuid_to_base32_str(id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT string_agg(substr('abcdefghijklmnopqrstuvwxyz234567',
                           1 + (substring(('x' || replace(id::text, '-', ''))::bit(128) || B'00' FROM n * 5 + 1 FOR 5))::bit(5)::int, 1),
                    '' ORDER BY n)
  FROM generate_series(0, 25) AS n
$$;

CREATE FUNCTION sys.base32_str_to_uuid(id text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  bits bit varying := B'';
BEGIN
  IF id !~ '^[a-z2-7]{26}$' THEN
    PERFORM dsql_internal.refuse('22P02', 'Unable to convert text to UUID');
  END IF;
  FOR n IN 1..26 LOOP
    bits := bits || (strpos('abcdefghijklmnopqrstuvwxyz234567', substr(id, n, 1)) - 1)::bit(5);
  END LOOP;
  RETURN (SELECT string_agg(lpad(to_hex(substring(bits FROM n * 8 + 1 FOR 8)::bit(8)::int), 2, '0'), '' ORDER BY n)
          FROM generate_series(0, 15) AS n)::uuid;
END $$;

-- Indexes -----------------------------------------------------------------------------------------

-- The method is `btree_index`, and a primary key stores the whole row (recorded:
-- winebarrel/pistachio, awslabs/dsql-migration-toolkit).

-- Numbers of the columns that a primary key stores in addition to its own.
CREATE FUNCTION dsql_internal.included(relation oid, key int2[]) RETURNS int2[] LANGUAGE sql STABLE AS $$
  SELECT coalesce(array_agg(a.attnum ORDER BY a.attnum), '{}') FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnum = ANY (key)
$$;

UPDATE pg_class SET relnamespace = 'dsql_internal'::regnamespace WHERE oid = 'pg_catalog.pg_index'::regclass;
UPDATE pg_type SET typnamespace = 'dsql_internal'::regnamespace WHERE typname IN ('pg_index', '_pg_index') AND typnamespace = 11;

-- A view of one table is updatable, which the jobs rely on.
CREATE VIEW pg_catalog.pg_index AS
  SELECT indexrelid, indrelid,
         CASE WHEN indisprimary THEN (indnatts + cardinality(dsql_internal.included(indrelid, indkey::int2[])))::int2
              ELSE indnatts END AS indnatts,
         indnkeyatts, indisunique, indnullsnotdistinct, indisprimary, indisexclusion, indimmediate, indisclustered,
         indisvalid, indcheckxmin, indisready, indislive, indisreplident,
         CASE WHEN indisprimary
              THEN array_to_string(indkey::int2[] || dsql_internal.included(indrelid, indkey::int2[]), ' ')::int2vector
              ELSE indkey END AS indkey,
         indcollation, indclass, indoption, indexprs, indpred
  FROM dsql_internal.pg_index;
GRANT SELECT ON pg_catalog.pg_index TO PUBLIC;

CREATE FUNCTION dsql_internal.include_clause(index oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT ' INCLUDE (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
  FROM dsql_internal.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
  WHERE i.indexrelid = index AND i.indisprimary AND a.attnum = ANY (dsql_internal.included(i.indrelid, i.indkey::int2[]))
$$;

CREATE FUNCTION dsql_internal.index_as_dsql(index oid, definition text) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT regexp_replace(definition, ' USING btree ', ' USING btree_index ') || coalesce(dsql_internal.include_clause(index), '')
$$;

CREATE FUNCTION pg_catalog.pg_get_indexdef(oid) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT dsql_internal.index_as_dsql($1, dsql_internal.pg_get_indexdef($1))
$$;

-- With the number of a column, this is the definition of that column only.
CREATE FUNCTION pg_catalog.pg_get_indexdef(oid, int, bool) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT CASE $2 WHEN 0 THEN dsql_internal.index_as_dsql($1, dsql_internal.pg_get_indexdef($1, $2, $3))
         ELSE dsql_internal.pg_get_indexdef($1, $2, $3) END
$$;

-- DEFERRABLE cannot follow: DSQL supports it for foreign keys only.
CREATE FUNCTION dsql_internal.constraint_as_dsql("constraint" oid, definition text) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT definition || coalesce((SELECT dsql_internal.include_clause(c.conindid) FROM pg_catalog.pg_constraint c
                                 WHERE c.oid = "constraint" AND c.contype = 'p'), '')
$$;

CREATE FUNCTION pg_catalog.pg_get_constraintdef(oid) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT dsql_internal.constraint_as_dsql($1, dsql_internal.pg_get_constraintdef($1))
$$;

CREATE FUNCTION pg_catalog.pg_get_constraintdef(oid, bool) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT dsql_internal.constraint_as_dsql($1, dsql_internal.pg_get_constraintdef($1, $2))
$$;

CREATE OR REPLACE VIEW pg_catalog.pg_indexes AS
  SELECT n.nspname AS schemaname, t.relname AS tablename, i.relname AS indexname, s.spcname AS tablespace,
         pg_catalog.pg_get_indexdef(i.oid) AS indexdef
  FROM dsql_internal.pg_index x JOIN pg_catalog.pg_class t ON t.oid = x.indrelid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = i.reltablespace
  WHERE t.relkind IN ('r', 'm', 'p') AND i.relkind IN ('i', 'I');

-- What DSQL does not have -------------------------------------------------------------------------

-- Only the text search configuration `simple` exists (recorded: Dreamescaper/dsql-emulator,
-- queries.json).
DO $$
DECLARE
  configuration text;
BEGIN
  FOR configuration IN SELECT cfgname FROM pg_catalog.pg_ts_config WHERE cfgname <> 'simple' LOOP
    EXECUTE format('DROP TEXT SEARCH CONFIGURATION pg_catalog.%I', configuration);
  END LOOP;
END $$;

CREATE OR REPLACE VIEW pg_catalog.pg_available_extensions AS
  SELECT e.name, e.default_version, x.extversion AS installed_version, e.comment
  FROM pg_catalog.pg_available_extensions() e (name, default_version, comment)
  LEFT JOIN pg_catalog.pg_extension x ON x.extname = e.name
  WHERE false;

-- What only the emulator has ----------------------------------------------------------------------

UPDATE pg_class SET relnamespace = 'dsql_internal'::regnamespace WHERE oid = 'pg_catalog.pg_namespace'::regclass;
UPDATE pg_type SET typnamespace = 'dsql_internal'::regnamespace WHERE typname IN ('pg_namespace', '_pg_namespace') AND typnamespace = 11;

CREATE VIEW pg_catalog.pg_namespace AS
  SELECT oid, nspname, nspowner, nspacl FROM dsql_internal.pg_namespace WHERE nspname <> 'dsql_internal';
GRANT SELECT ON pg_catalog.pg_namespace TO PUBLIC;

-- Comments are stored by the OID of the catalog and requested by its name: the catalog's own OID,
-- not that of a view.
CREATE OR REPLACE FUNCTION pg_catalog.obj_description(oid, name) RETURNS text LANGUAGE sql STABLE STRICT AS $$
  SELECT description FROM pg_catalog.pg_description
  WHERE objoid = $1 AND objsubid = 0
    AND classoid = (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname = $2 AND c.relkind = 'r'
                    AND c.relnamespace IN ('pg_catalog'::regnamespace, 'dsql_internal'::regnamespace))
$$;

CREATE OR REPLACE VIEW pg_catalog.pg_roles AS
  SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
         '********'::text AS rolpassword, rolvaliduntil, rolbypassrls, setconfig AS rolconfig, pg_authid.oid
  FROM pg_catalog.pg_authid LEFT JOIN pg_catalog.pg_db_role_setting s ON pg_authid.oid = s.setrole AND s.setdatabase = 0
  WHERE rolname <> 'dsql_internal';

CREATE OR REPLACE VIEW information_schema.schemata AS
  SELECT current_database()::information_schema.sql_identifier AS catalog_name,
         n.nspname::information_schema.sql_identifier AS schema_name,
         u.rolname::information_schema.sql_identifier AS schema_owner,
         NULL::information_schema.sql_identifier AS default_character_set_catalog,
         NULL::information_schema.sql_identifier AS default_character_set_schema,
         NULL::information_schema.sql_identifier AS default_character_set_name,
         NULL::information_schema.character_data AS sql_path
  FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_authid u ON u.oid = n.nspowner
  WHERE n.nspname <> 'dsql_internal'
    AND (pg_has_role(n.nspowner, 'USAGE') OR has_schema_privilege(n.oid, 'CREATE, USAGE'));

