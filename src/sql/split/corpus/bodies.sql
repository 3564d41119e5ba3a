CREATE FUNCTION a(x int DEFAULT (1)) RETURNS int LANGUAGE sql
BEGIN ATOMIC
  -- END; in a comment
  SELECT 'END;' /* END; */;
  SELECT CASE x WHEN 1 THEN (CASE WHEN true THEN 2 END) ELSE 3 END;
END;
create or replace procedure b() language sql begin atomic; end;
CREATE PROCEDURE c(begin int, atomic int) LANGUAGE sql BEGIN ATOMIC
  INSERT INTO t (begin, "end") VALUES (begin, atomic);
  UPDATE t SET a = $$ END; $$;
END ; SELECT 1;
CREATE FUNCTION d() RETURNS int LANGUAGE sql RETURN (SELECT 1);
CREATE TABLE begin (atomic int, "end" int); BEGIN; SELECT atomic FROM begin; END;
CREATE FUNCTION "create function begin atomic"() RETURNS int AS 'SELECT 1;' LANGUAGE sql;
DROP FUNCTION a
