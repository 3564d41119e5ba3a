SELECT $$$$, $$;$$, $a$$$;$a$, $a$;$b$;$b;$a$, $_$;$_$, $größe$;$größe$;
SELECT $a$ ; $A$ ; $a$ AS "$a$;", price$usd FROM t$1 WHERE a = $1 AND b = $2;
CREATE FUNCTION outer_one() RETURNS text LANGUAGE sql AS $outer$
  SELECT 'it''s; $inner$' || $inner$ a; /* not closed; -- nor this $inner$;
$outer$;
-- A quote in a comment begins nothing: $$ ; ' ; " ; /*
SELECT 1$$;$$;
/* $$ ; */ SELECT $$ /* $$ ; SELECT ' $$ ' ; SELECT $$ ' $$ -- $$ ;
;
