-- DSQL's rules, inside PostgreSQL, so that transactions, rollbacks and error states are
-- PostgreSQL's own.
--
-- Read by `postgres --single -j`: an empty line after a semicolon ends a chunk, so no function may
-- contain one. Everything is in the schemas dsql_internal and sys. The superuser is called
-- dsql_internal too; the rules do not apply to it.

CREATE SCHEMA dsql_internal;
CREATE SCHEMA sys;
GRANT USAGE ON SCHEMA dsql_internal, sys TO PUBLIC;

-- The role that AWS creates: it is not a superuser, owns public, and may create schemas and roles.
CREATE ROLE admin LOGIN CREATEROLE;

-- The emulator's own connection does not wait for locks but tries again later.
ALTER ROLE dsql_internal SET lock_timeout = '50ms';
ALTER SCHEMA public OWNER TO admin;
GRANT CREATE ON DATABASE postgres TO admin;

-- Refusals ----------------------------------------------------------------------------------------

-- The relay runs this instead of a statement that DSQL refuses.
CREATE FUNCTION dsql_internal.refuse(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', message USING ERRCODE = code;
END $$;

CREATE FUNCTION dsql_internal.refuse(code text, message text, detail text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', message USING ERRCODE = code, DETAIL = detail;
END $$;

-- Counters of the current transaction: custom settings, which are reset at its end and by a
-- rollback to a savepoint.
CREATE FUNCTION dsql_internal.counter(name text) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('dsql_internal.' || name, true), ''), '0')::int
$$;

CREATE FUNCTION dsql_internal.set_counter(name text, value int) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('dsql_internal.' || name, value::text, true)
$$;

-- Whether a relation is newer than the snapshot of the transaction: PostgreSQL finds its name, but
-- not its rows.
CREATE FUNCTION dsql_internal.is_hidden(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  relation oid := to_regclass(name);
BEGIN
  RETURN relation IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = relation);
END $$;

-- One DDL statement in a transaction, and no DML with it -------------------------------------------

CREATE FUNCTION dsql_internal.count_ddl() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF session_user = 'dsql_internal' OR dsql_internal.counter('own_ddl') > 0 THEN
    RETURN;
  END IF;
  IF dsql_internal.counter('ddl') > 0 THEN
    PERFORM dsql_internal.refuse('0A000', 'multiple ddl statements not supported in a transaction');
  END IF;
  IF dsql_internal.counter('dml') > 0 THEN
    PERFORM dsql_internal.refuse('0A000', 'ddl and dml are not supported in the same transaction');
  END IF;
  PERFORM dsql_internal.set_counter('ddl', 1);
END $$;

CREATE FUNCTION dsql_internal.before_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dsql_internal.count_ddl();
END $$;

-- Event triggers do not fire for roles, which belong to no database. The relay rewrites such
-- statements to this call.
CREATE PROCEDURE dsql_internal.shared_ddl(statement text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dsql_internal.count_ddl();
  EXECUTE statement;
END $$;

-- 3,000 rows in a transaction, counted at the statement -------------------------------------------

-- 10 MiB in a transaction, counted like the rows and refused at COMMIT; the relay calls this
-- function first (recorded: awslabs/agent-plugins, skill dsql). In addition to the row, each change
-- counts PostgreSQL's header of 24 bytes and 80 more, which matches the two figures that are known.
-- What index entries add is not published.
CREATE FUNCTION dsql_internal.before_commit() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  bytes int := dsql_internal.counter('bytes');
BEGIN
  IF bytes > 10485760 THEN
    PERFORM dsql_internal.refuse('54000', 'transaction size limit 10mb exceeded',
                                 format('Current transaction size %smb > 10mb', ceil(bytes / 1048576.0)));
  END IF;
END $$;

-- Adds the changes of a statement to those of its transaction.
CREATE FUNCTION dsql_internal.count_changes(changed bigint, bytes bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF session_user = 'dsql_internal' THEN
    RETURN;
  END IF;
  IF dsql_internal.counter('ddl') > 0 THEN
    PERFORM dsql_internal.refuse('0A000', 'ddl and dml are not supported in the same transaction');
  END IF;
  bytes := bytes + 80 * changed;
  changed := changed + dsql_internal.counter('rows');
  IF changed > 3000 THEN
    PERFORM dsql_internal.refuse('54000', 'transaction row limit exceeded');
  END IF;
  -- Limited, because the sum has to stay an int.
  bytes := least(bytes + dsql_internal.counter('bytes'), 2000000000);
  PERFORM dsql_internal.set_counter('rows', changed::int), dsql_internal.set_counter('bytes', bytes::int),
          dsql_internal.set_counter('dml', 1);
  -- A statement outside of a block is its own COMMIT.
  IF dsql_internal.counter('block') = 0 THEN
    PERFORM dsql_internal.before_commit();
  END IF;
END $$;

-- PostgreSQL compiles this function again for each table and processes all of its plans at each
-- schema change. It therefore has few, and those for short rows are in another function.
CREATE FUNCTION dsql_internal.count_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed bigint;
  bytes bigint;
  longest bigint;
  field record;
  is_long boolean;
BEGIN
  SELECT count(*), coalesce(sum(size), 0), coalesce(max(size), 0) INTO changed, bytes, longest
    FROM (SELECT pg_column_size(changed_rows.*) AS size FROM changed_rows) AS sizes;
  IF longest > 1900 AND TG_OP <> 'DELETE' AND session_user <> 'dsql_internal' THEN
    -- Find the column of a row that may contain a value of more than 1 MiB. This is not a function
    -- of its own, because `changed_rows` is visible only here.
    IF longest > 1048576 THEN
      FOR field IN SELECT attname, format_type(atttypid, NULL) AS type FROM pg_catalog.pg_attribute
                   WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped AND attlen = -1 ORDER BY attnum LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM changed_rows WHERE pg_column_size(%I) > 1048576)', field.attname) INTO is_long;
        IF is_long THEN
          PERFORM dsql_internal.refuse('54000',
            format('datatype limit greater than 1048576 bytes not supported for %s', field.type));
        END IF;
      END LOOP;
    END IF;
    -- A key can have about 1,981 bytes for its columns and those of the primary key, minus 7 for
    -- each column after the first.
    FOR field IN
      SELECT string_agg(format(CASE WHEN a.attlen > 0 THEN '%3$s' WHEN a.atttypid = 'numeric'::regtype THEN 'coalesce(pg_column_size(%1$I), 0)'
                                    ELSE 'coalesce(octet_length(%1$I%2$s), 0)' END,
                               a.attname, CASE WHEN a.atttypid = 'bytea'::regtype THEN '' ELSE '::text' END, a.attlen), ' + ')
               || format(' + 7 * %s', count(*) - 1) AS size
      FROM dsql_internal.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
      WHERE i.indrelid = TG_RELID AND (a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
        OR a.attnum = ANY (SELECT unnest((p.indkey::int2[])[0:p.indnkeyatts - 1]) FROM dsql_internal.pg_index p
                           WHERE p.indrelid = TG_RELID AND p.indisprimary))
      GROUP BY i.indexrelid LOOP
      EXECUTE format('SELECT EXISTS (SELECT FROM changed_rows WHERE %s > 1981)', field.size) INTO is_long;
      IF is_long THEN
        PERFORM dsql_internal.refuse('54000', 'key size too large');
      END IF;
    END LOOP;
    IF longest > 2097152 THEN
      PERFORM dsql_internal.refuse('54000', 'maximum row size exceeded');
    END IF;
  END IF;
  PERFORM dsql_internal.count_changes(changed, bytes);
  RETURN NULL;
END $$;

-- A trigger with a transition table is for one event, so there are three. They are marked as
-- internal, so that tools do not list them.
CREATE FUNCTION dsql_internal.watch_rows(relation regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  event text;
BEGIN
  PERFORM dsql_internal.set_counter('own_ddl', 1);
  FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE'] LOOP
    EXECUTE format(
      'CREATE TRIGGER %I AFTER %s ON %s REFERENCING %s TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION dsql_internal.count_rows()',
      'dsql_internal_' || lower(event), event, relation, CASE event WHEN 'DELETE' THEN 'OLD' ELSE 'NEW' END);
  END LOOP;
  UPDATE pg_catalog.pg_trigger SET tgisinternal = true
    WHERE tgrelid = relation AND tgfoid = 'dsql_internal.count_rows'::regproc;
  PERFORM dsql_internal.set_counter('own_ddl', 0);
END $$;

-- Creates a private copy of a table from the snapshot of the transaction, on which a statement
-- computes the response that it would have returned (see rules/shadow.rs). The relay removes it by
-- rolling back the savepoint of the statement. Identity columns take their values from the
-- sequences of the original.
CREATE FUNCTION dsql_internal.copy_table(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
  original regclass := name;
  copy text := format('pg_temp.%I', (SELECT relname FROM pg_catalog.pg_class WHERE oid = original));
  field record;
BEGIN
  PERFORM dsql_internal.set_counter('own_ddl', 1);
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY)', copy, original);
  FOR field IN SELECT attname, pg_get_serial_sequence(original::text, attname) AS sequence FROM pg_catalog.pg_attribute
               WHERE attrelid = original AND attidentity <> '' LOOP
    EXECUTE format('ALTER TABLE %s ALTER %I SET DEFAULT dsql_internal.next_value(%L)', copy, field.attname, field.sequence);
  END LOOP;
  EXECUTE (SELECT format('INSERT INTO %s (%s) SELECT %2$s FROM %s', copy, string_agg(quote_ident(attname), ', '), original)
           FROM pg_catalog.pg_attribute
           WHERE attrelid = original AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
  EXECUTE format('GRANT ALL ON %s TO PUBLIC', copy);
  PERFORM dsql_internal.set_counter('own_ddl', 0);
END $$;

CREATE FUNCTION dsql_internal.next_value(sequence text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT nextval(sequence) $$;

-- Column types that DSQL can store. A domain counts as its base type.
CREATE FUNCTION dsql_internal.is_storable(type oid) RETURNS boolean LANGUAGE sql STABLE AS $$
  WITH RECURSIVE base(type) AS (
    SELECT $1
    UNION ALL
    SELECT t.typbasetype FROM base JOIN pg_catalog.pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
  )
  SELECT bool_or(base.type IN (
    'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype, 'numeric'::regtype,
    'bool'::regtype, 'bpchar'::regtype, 'varchar'::regtype, 'text'::regtype, 'date'::regtype, 'time'::regtype,
    'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'interval'::regtype, 'uuid'::regtype,
    'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype)) FROM base
$$;

-- Types that DSQL can store, but not in a key.
CREATE FUNCTION dsql_internal.refuse_key(index oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  type text;
BEGIN
  SELECT format_type(a.atttypid, NULL) INTO type
    FROM dsql_internal.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid
    WHERE i.indexrelid = index AND a.attnum <= i.indnkeyatts
      AND a.atttypid IN ('timetz'::regtype, 'interval'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype)
    ORDER BY a.attnum LIMIT 1;
  IF type IS NOT NULL THEN
    PERFORM dsql_internal.refuse('0A000', format('datatype %s is not supported in a key', type));
  END IF;
END $$;

-- A primary key exists as long as its table. When it is dropped, its row in pg_constraint no longer
-- exists.
CREATE TABLE dsql_internal.primary_keys (key oid PRIMARY KEY);

CREATE FUNCTION dsql_internal.remember_primary_key(relation oid) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
  INSERT INTO dsql_internal.primary_keys
    SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid = relation AND contype = 'p'
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION dsql_internal.is_primary_key(key oid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT EXISTS (SELECT FROM dsql_internal.primary_keys p WHERE p.key = $1)
$$;

CREATE FUNCTION dsql_internal.on_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  gone text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE dsql_internal.is_primary_key(objid)) THEN
    RETURN;
  END IF;
  SELECT address_names[3] INTO gone FROM pg_event_trigger_dropped_objects() WHERE original AND object_type = 'table column';
  PERFORM dsql_internal.refuse('0A000', CASE WHEN gone IS NULL THEN 'unsupported ALTER TABLE DROP CONSTRAINT statement'
                                        ELSE format('cannot drop primary key column %s', gone) END);
END $$;

-- Limits of objects -------------------------------------------------------------------------------

-- From the AWS documentation, "Cluster quotas and database limits". Where a cluster was observed to
-- behave differently, from that observation (recorded: awslabs/agent-plugins, skill dsql).
CREATE FUNCTION dsql_internal.refuse_many_indexes(index oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT indnkeyatts FROM dsql_internal.pg_index WHERE indexrelid = index) > 8 THEN
    PERFORM dsql_internal.refuse('54011', 'more than 8 column keys in an index are not supported');
  END IF;
  IF (SELECT count(*) FROM dsql_internal.pg_index
      WHERE indrelid = (SELECT indrelid FROM dsql_internal.pg_index WHERE indexrelid = index)) > 24 THEN
    PERFORM dsql_internal.refuse('54000', 'more than 24 indexes per table are not allowed');
  END IF;
  -- The declared sizes of the columns; text and numeric without a size have none.
  IF (SELECT sum(CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN atttypmod - 4
                      WHEN attlen > 0 THEN attlen ELSE 0 END)
      FROM pg_catalog.pg_attribute a JOIN dsql_internal.pg_index i ON i.indexrelid = a.attrelid
      WHERE a.attrelid = index AND a.attnum <= i.indnkeyatts AND (a.attlen > 0 OR a.atttypmod > 4)) > 2000 THEN
    PERFORM dsql_internal.refuse('54000', 'key size greater than 2000 bytes not supported');
  END IF;
END $$;

CREATE FUNCTION dsql_internal.refuse_sizes(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  too_long text;
  columns int;
  index oid;
BEGIN
  SELECT CASE atttypid WHEN 'bpchar'::regtype THEN '4096 bytes not supported for char' ELSE '65535 bytes not supported for varchar' END
    INTO too_long FROM pg_catalog.pg_attribute
    WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
      AND (atttypid = 'bpchar'::regtype AND atttypmod - 4 > 4096 OR atttypid = 'varchar'::regtype AND atttypmod - 4 > 65535)
    ORDER BY attnum LIMIT 1;
  IF too_long IS NOT NULL THEN
    PERFORM dsql_internal.refuse('54000', 'Datatype limit greater than ' || too_long);
  END IF;
  SELECT count(*) INTO columns FROM pg_catalog.pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped;
  IF columns > 256 THEN
    PERFORM dsql_internal.refuse('54011', CASE
      WHEN EXISTS (SELECT FROM dsql_internal.pg_index WHERE indrelid = relation AND indisprimary)
      THEN 'cannot use more than 256 columns in an index' ELSE 'tables can have at most 255 columns' END);
  END IF;
  -- No command creates the indexes of inline constraints, so they are checked here.
  FOR index IN SELECT indexrelid FROM dsql_internal.pg_index WHERE indrelid = relation ORDER BY 1 LOOP
    PERFORM dsql_internal.refuse_key(index), dsql_internal.refuse_many_indexes(index);
  END LOOP;
END $$;

-- `numeric` without a size is numeric(18,6) (AWS documentation, "Supported data types").
CREATE FUNCTION dsql_internal.size_numerics(relation oid) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
  UPDATE pg_catalog.pg_attribute SET atttypmod = (18 << 16 | 6) + 4
    WHERE attrelid = relation AND atttypid = 'numeric'::regtype AND atttypmod = -1 AND attnum > 0 AND NOT attisdropped
$$;

CREATE FUNCTION dsql_internal.refuse_many(kind text, object oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  -- The user's schemas: sys, dsql_internal and PostgreSQL's own existed before.
  own oid[] := ARRAY(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'sys', 'dsql_internal'));
  objects bigint;
BEGIN
  IF kind = 'schema' THEN
    IF cardinality(own) > 11 THEN
      PERFORM dsql_internal.refuse('54000', 'more than 10 schemas not allowed');
    END IF;
  ELSIF kind = 'statistics object' THEN
    SELECT count(*) INTO objects FROM pg_catalog.pg_statistic_ext
      WHERE stxrelid = (SELECT stxrelid FROM pg_catalog.pg_statistic_ext WHERE oid = object);
    IF objects > 5 THEN
      PERFORM dsql_internal.refuse('54000', 'more than 5 extended statistics per table are not allowed');
    END IF;
  ELSIF kind IN ('table', 'view', 'sequence') THEN
    SELECT count(*) INTO objects FROM pg_catalog.pg_class
      WHERE relnamespace = ANY (own) AND relkind = CASE kind WHEN 'table' THEN 'r' WHEN 'view' THEN 'v' ELSE 'S' END;
    IF kind = 'table' AND objects > 1000 THEN
      PERFORM dsql_internal.refuse('54000', 'creating more than 1000 tables not allowed');
    ELSIF kind = 'view' AND objects > 5000 THEN
      PERFORM dsql_internal.refuse('54000', 'creating more than 5000 views not allowed');
    -- DSQL's limit is 512 KiB of an internal form: between 131 and 524 KiB of text were observed to
    -- be too long, depending on the query.
    ELSIF kind = 'view' AND length(pg_catalog.pg_get_viewdef(object)) > 524288 THEN
      PERFORM dsql_internal.refuse('54000', 'view definition too large');
    ELSIF kind = 'sequence' AND objects > 5000 THEN
      PERFORM dsql_internal.refuse('54000', 'creating more than 5000 sequences is not allowed');
    END IF;
  END IF;
END $$;

CREATE FUNCTION dsql_internal.after_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  command record;
  unstorable text;
BEGIN
  IF session_user = 'dsql_internal' OR dsql_internal.counter('own_ddl') > 0 THEN
    RETURN;
  END IF;
  FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
    IF command.object_type = 'table' AND command.command_tag IN ('CREATE TABLE', 'ALTER TABLE') THEN
      SELECT format_type(a.atttypid, NULL) INTO unstorable FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = command.objid AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT dsql_internal.is_storable(a.atttypid)
        ORDER BY a.attnum LIMIT 1;
      IF unstorable IS NOT NULL THEN
        PERFORM dsql_internal.refuse('0A000', format('datatype %s not supported', unstorable));
      END IF;
      PERFORM dsql_internal.refuse_sizes(command.objid), dsql_internal.size_numerics(command.objid);
      IF command.command_tag = 'CREATE TABLE' THEN
        PERFORM dsql_internal.watch_rows(command.objid), dsql_internal.remember_primary_key(command.objid);
      END IF;
    ELSIF command.command_tag = 'CREATE INDEX' THEN
      PERFORM dsql_internal.refuse_key(command.objid), dsql_internal.refuse_many_indexes(command.objid);
      PERFORM dsql_internal.set_counter('created_index', command.objid::int);
    END IF;
    PERFORM dsql_internal.refuse_many(command.object_type, command.objid);
  END LOOP;
END $$;

CREATE EVENT TRIGGER dsql_before_ddl ON ddl_command_start EXECUTE FUNCTION dsql_internal.before_ddl();
CREATE EVENT TRIGGER dsql_after_ddl ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE', 'CREATE INDEX', 'CREATE VIEW', 'CREATE SEQUENCE', 'CREATE STATISTICS')
  EXECUTE FUNCTION dsql_internal.after_ddl();
CREATE EVENT TRIGGER dsql_on_drop ON sql_drop WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION dsql_internal.on_drop();

-- Asynchronous jobs -------------------------------------------------------------------------------

-- What a test sets: how far the cluster's clock is ahead, and whether jobs are paused. One row.
CREATE TABLE dsql_internal.control (
  skew interval NOT NULL DEFAULT '0',
  jobs_held boolean NOT NULL DEFAULT false
);
INSERT INTO dsql_internal.control DEFAULT VALUES;

-- The cluster's clock, by which jobs run and expire, as defined in catalog.sql.
CREATE FUNCTION dsql_internal.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT clock_timestamp() $$;

CREATE TABLE dsql_internal.jobs (
  job_id text PRIMARY KEY,
  status text NOT NULL DEFAULT 'submitted',
  details text,
  job_type text NOT NULL,
  object_id oid NOT NULL,
  -- NULL for the cleanup after a dropped object.
  object_name text,
  start_time timestamptz NOT NULL DEFAULT dsql_internal.now(),
  update_time timestamptz,
  -- What the job was submitted for. The object may have been replaced or dropped when the job runs.
  table_name text,
  constraint_name text,
  -- Known at submission: why a build will fail.
  failure text
);

-- Jobs that will fail: each row applies to the next job of an object, and then names that job.
CREATE TABLE dsql_internal.job_faults (
  rule bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  object_name text NOT NULL,
  details text NOT NULL,
  job_id text
);

CREATE VIEW sys.jobs AS
  SELECT j.job_id, j.status, j.details, j.job_type, 1259::oid AS class_id, j.object_id,
         (SELECT j.object_name FROM pg_catalog.pg_class c WHERE c.oid = j.object_id) AS object_name,
         j.start_time, j.update_time
  FROM dsql_internal.jobs j;
GRANT SELECT ON sys.jobs TO PUBLIC;

-- 26 characters: 16 random bytes in base32, where the last character carries only three bits.
CREATE FUNCTION dsql_internal.job_id() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(substr('abcdefghijklmnopqrstuvwxyz234567', 1 + floor(random() * 32)::int, 1), '')
         || substr('aeimquy4', 1 + floor(random() * 8)::int, 1)
  FROM generate_series(1, 25)
$$;

CREATE FUNCTION dsql_internal.qualified_name(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = relation
$$;

CREATE FUNCTION dsql_internal.submit(type text, object oid, relation oid, constraint_name text, failure text)
RETURNS text LANGUAGE sql SECURITY DEFINER AS $$
  DELETE FROM dsql_internal.jobs
    WHERE status IN ('completed', 'failed') AND update_time < dsql_internal.now() - interval '30 minutes';
  -- Notifies the emulator's own connection when the transaction commits.
  NOTIFY dsql_internal_jobs;
  INSERT INTO dsql_internal.jobs (job_id, job_type, object_id, object_name, table_name, constraint_name, failure)
    VALUES (dsql_internal.job_id(), type, object, dsql_internal.qualified_name(object),
            dsql_internal.qualified_name(relation), constraint_name, failure)
    RETURNING job_id
$$;

CREATE FUNCTION dsql_internal.mark_building(index oid, is_duplicate boolean) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
  UPDATE pg_catalog.pg_index
    SET indisvalid = false, indisready = NOT is_duplicate, indisunique = indisunique OR is_duplicate
    WHERE indexrelid = index
$$;

-- The relay rewrites CREATE INDEX ASYNC to this. The definition runs in the client's own
-- transaction and with the client's privileges, so that mistakes are found at submission and
-- ROLLBACK removes both the index and the job. `without_unique` is the definition to use if the
-- rows contain a duplicate: DSQL accepts the statement nevertheless and leaves an invalid unique
-- index behind.
CREATE FUNCTION dsql_internal.create_index_async(definition text, without_unique text)
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  index oid;
  failure text;
BEGIN
  PERFORM dsql_internal.set_counter('created_index', 0);
  BEGIN
    EXECUTE definition;
  EXCEPTION WHEN unique_violation THEN
    failure := 'found duplicate key(s) while validating index uniqueness';
    EXECUTE without_unique;
  END;
  index := dsql_internal.counter('created_index');
  -- The name in IF NOT EXISTS is taken: no row, no job.
  IF index = 0 THEN
    RETURN;
  END IF;
  IF (SELECT count(*) FROM pg_catalog.pg_index
      WHERE indrelid = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = index)) > 24 THEN
    -- Invalid indexes count too, and so do primary keys and unique constraints.
    PERFORM dsql_internal.refuse('54000', 'more than 24 indexes per table are not allowed');
  END IF;
  PERFORM dsql_internal.mark_building(index, failure IS NOT NULL);
  RETURN NEXT dsql_internal.submit('INDEX_BUILD', index,
    (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = index), NULL, failure);
END $$;

-- CREATE INDEX without ASYNC, which works on an empty table after `SET disable_sync_create_index =
-- off` (AWS documentation, "Accessing Aurora DSQL"). The error of DSQL for a table with rows is not
-- recorded.
CREATE PROCEDURE dsql_internal.create_index(definition text) LANGUAGE plpgsql AS $$
DECLARE
  relation regclass;
  has_rows boolean;
  unsupported CONSTANT text := 'unsupported mode. please use CREATE INDEX ASYNC.';
BEGIN
  IF coalesce(current_setting('dsql.disable_sync_create_index', true), 'on')::boolean THEN
    PERFORM dsql_internal.refuse('0A000', unsupported);
  END IF;
  PERFORM dsql_internal.set_counter('created_index', 0);
  EXECUTE definition;
  SELECT indrelid INTO relation FROM pg_catalog.pg_index WHERE indexrelid = dsql_internal.counter('created_index');
  IF relation IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', relation) INTO has_rows;
    IF has_rows THEN
      PERFORM dsql_internal.refuse('0A000', unsupported);
    END IF;
  END IF;
END $$;

-- ALTER TABLE .. ENABLE and DISABLE TRIGGER, which DSQL accepts without effect: there are no
-- triggers, and those that count rows are not the user's.
CREATE PROCEDURE dsql_internal.switch_triggers(relation regclass) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM dsql_internal.count_ddl();
END $$;

-- ADD COLUMN with a constraint: if the type is also unsupported, DSQL reports the type (recorded:
-- Dreamescaper/dsql-emulator, backlog.json).
CREATE PROCEDURE dsql_internal.refuse_column(type text) LANGUAGE plpgsql AS $$
BEGIN
  IF to_regtype(type) IS NULL THEN
    PERFORM dsql_internal.refuse('42704', format('type "%s" does not exist', type));
  ELSIF NOT dsql_internal.is_storable(to_regtype(type)) THEN
    PERFORM dsql_internal.refuse('0A000', format('datatype %s not supported', to_regtype(type)));
  END IF;
  PERFORM dsql_internal.refuse('0A000', 'ALTER TABLE ADD COLUMN with constraint not supported');
END $$;

-- ALTER TABLE ASYNC .. VALIDATE CONSTRAINT. run_jobs() runs the validation itself.
CREATE FUNCTION dsql_internal.validate_async(relation regclass, name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  -- PostgreSQL truncates every name to 63 bytes.
  name := name::pg_catalog.name;
  PERFORM dsql_internal.count_ddl();
  IF NOT (SELECT pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = relation) THEN
    PERFORM dsql_internal.refuse('42501', format('must be owner of table %s', relation));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = relation AND conname = name) THEN
    PERFORM dsql_internal.refuse('42704', format('constraint "%s" of relation "%s" does not exist', name, relation));
  END IF;
  RETURN NEXT dsql_internal.submit('VALIDATE_CONSTRAINT', relation, relation, name, NULL);
END $$;

-- DROP TABLE and DROP INDEX submit a cleanup job, whose ID no client receives.
CREATE FUNCTION dsql_internal.on_drop_of_storage() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF session_user <> 'dsql_internal' THEN
    PERFORM dsql_internal.submit('DROP', objid, NULL, NULL, NULL) FROM pg_event_trigger_dropped_objects()
      WHERE original AND object_type IN ('table', 'index');
  END IF;
END $$;

CREATE EVENT TRIGGER dsql_on_drop_of_storage ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP INDEX')
  EXECUTE FUNCTION dsql_internal.on_drop_of_storage();

-- Ends one job and returns its status and details for `sys.jobs`; the details are NULL after a
-- success.
CREATE FUNCTION dsql_internal.finish(job dsql_internal.jobs, OUT status text, OUT details text) LANGUAGE plpgsql AS $$
DECLARE
  fault dsql_internal.job_faults;
BEGIN
  status := 'completed';
  IF job.job_type = 'DROP' THEN
    RETURN;
  END IF;
  SELECT * INTO fault FROM dsql_internal.job_faults f
    WHERE f.job_id IS NULL AND f.object_name = job.object_name ORDER BY rule LIMIT 1;
  IF FOUND THEN
    UPDATE dsql_internal.job_faults f SET job_id = job.job_id WHERE f.rule = fault.rule;
    status := 'failed';
    details := fault.details;
  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = job.object_id) THEN
    -- Dropping an object cancels its job, and DSQL calls that completed.
    details := CASE job.job_type
      WHEN 'ANALYZE' THEN 'Skipped job for nonexistent table.'
      ELSE format('relation "%s" does not exist',
        CASE WHEN to_regclass(job.table_name) IS NULL THEN job.table_name ELSE job.object_name END)
    END;
  ELSIF job.failure IS NOT NULL THEN
    status := 'failed';
    details := job.failure;
  ELSIF job.job_type = 'INDEX_BUILD' THEN
    UPDATE pg_catalog.pg_index SET indisvalid = true WHERE indexrelid = job.object_id;
  ELSIF job.job_type = 'ANALYZE' THEN
    EXECUTE format('ANALYZE %s', job.object_id::regclass);
  ELSE
    BEGIN
      EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', job.object_id::regclass, job.constraint_name);
    EXCEPTION WHEN check_violation OR foreign_key_violation OR undefined_object THEN
      status := 'failed';
      details := SQLERRM;
    END;
  END IF;
END $$;

-- Advances every job as far as the clock allows. Returns how many jobs have not ended, without
-- paused ones, and how many have made an index or a constraint valid.
CREATE FUNCTION dsql_internal.run_jobs(delay interval, OUT pending bigint, OUT changes bigint) LANGUAGE plpgsql AS $$
DECLARE
  job dsql_internal.jobs;
  result record;
BEGIN
  pending := 0;
  changes := 0;
  IF (SELECT jobs_held FROM dsql_internal.control) THEN
    RETURN;
  END IF;
  UPDATE dsql_internal.jobs SET status = 'processing', update_time = dsql_internal.now()
    WHERE status = 'submitted' AND start_time + delay / 2 <= dsql_internal.now();
  FOR job IN SELECT * FROM dsql_internal.jobs
             WHERE status = 'processing' AND start_time + delay <= dsql_internal.now() ORDER BY start_time LOOP
    BEGIN
      result := dsql_internal.finish(job);
      UPDATE dsql_internal.jobs SET status = result.status, details = result.details, update_time = dsql_internal.now()
        WHERE job_id = job.job_id;
      IF job.job_type IN ('INDEX_BUILD', 'VALIDATE_CONSTRAINT') AND result.status = 'completed' AND result.details IS NULL THEN
        changes := changes + 1;
      END IF;
    EXCEPTION WHEN lock_not_available OR serialization_failure THEN
      -- Another session holds the table. The job runs at the next tick.
    END;
  END LOOP;
  pending := (SELECT count(*) FROM dsql_internal.jobs WHERE status IN ('submitted', 'processing'));
END $$;

-- COMMIT gives each check a new snapshot, and makes PostgreSQL reject the call inside a transaction
-- block, as DSQL does.
CREATE PROCEDURE sys.wait_for_job(job_id text, INOUT succeeded boolean DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
  current text;
BEGIN
  IF job_id !~ '^[a-z2-7]{26}$' THEN
    PERFORM dsql_internal.refuse('22P02', 'Unable to convert text to UUID');
  END IF;
  LOOP
    COMMIT;
    SELECT j.status INTO current FROM sys.jobs j WHERE j.job_id = wait_for_job.job_id;
    EXIT WHEN current IS NULL OR current IN ('completed', 'failed');
    PERFORM pg_sleep(0.01);
  END LOOP;
  succeeded := coalesce(current = 'completed', false);
END $$;

-- AWS IAM GRANT -----------------------------------------------------------------------------------

CREATE SEQUENCE dsql_internal.iam_oids START 26000;
CREATE TABLE dsql_internal.iam_grants (
  iam_oid oid PRIMARY KEY DEFAULT nextval('dsql_internal.iam_oids')::oid,
  arn text NOT NULL,
  role oid NOT NULL,
  grantor oid NOT NULL,
  UNIQUE (arn, role)
);

CREATE VIEW sys.iam_pg_role_mappings AS
  SELECT g.iam_oid, g.arn, g.role AS pg_role_oid, r.rolname AS pg_role_name,
         g.grantor AS grantor_pg_role_oid, o.rolname AS grantor_pg_role_name
  FROM dsql_internal.iam_grants g JOIN pg_catalog.pg_roles r ON r.oid = g.role
  LEFT JOIN pg_catalog.pg_roles o ON o.oid = g.grantor;
GRANT SELECT ON sys.iam_pg_role_mappings TO PUBLIC;

CREATE PROCEDURE dsql_internal.iam_grant(role_name text, arn text) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM dsql_internal.count_ddl();
  IF session_user <> 'admin' THEN
    PERFORM dsql_internal.refuse('42501', 'permission denied');
  END IF;
  IF iam_grant.arn !~ '^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+' THEN
    PERFORM dsql_internal.refuse('22023', 'IAM role must look like an IAM ARN');
  END IF;
  IF NOT (SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE oid = role_name::regrole) THEN
    PERFORM dsql_internal.refuse('22023', format('role %s must have the LOGIN attribute', role_name));
  END IF;
  INSERT INTO dsql_internal.iam_grants (arn, role, grantor)
    VALUES (iam_grant.arn, role_name::regrole, session_user::regrole) ON CONFLICT DO NOTHING;
END $$;

CREATE PROCEDURE dsql_internal.iam_revoke(role_name text, arn text) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM dsql_internal.count_ddl();
  IF session_user <> 'admin' THEN
    PERFORM dsql_internal.refuse('42501', 'permission denied');
  END IF;
  DELETE FROM dsql_internal.iam_grants g WHERE g.arn = iam_revoke.arn AND g.role = role_name::regrole;
END $$;

-- The databases that only CREATE DATABASE needs, which DSQL does not have. They are a third of the
-- size, so copies are faster without them.
UPDATE pg_catalog.pg_database SET datistemplate = false;

DROP DATABASE template0;

DROP DATABASE template1;

