BEGIN;
CREATE UNIQUE INDEX ASYNC users_name ON users (name) INCLUDE (id) NULLS NOT DISTINCT;
COMMIT;

ALTER TABLE orders
  ADD CONSTRAINT total CHECK (total >= 0 AND note ~ '^[^;]*$') NOT VALID;
ALTER TABLE ASYNC orders VALIDATE CONSTRAINT total;
AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/app';
SELECT data->>'a;b', data #>> '{c,d}', 5/2, -1 - -1, a@>b FROM t WHERE x <> ALL (ARRAY[1,2]);
