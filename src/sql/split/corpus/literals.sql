INSERT INTO t VALUES ('a;b', 'it''s; fine', E'quote \'; and \\', U&'\0061;', B'1;', N';');
INSERT INTO "odd;""name" ("--", U&"\0061;") VALUES ('\', 'no escape;');SELECT $1;
SELECT $$it's; "raw" -- /*$$, $body$ $$ ; $other$ ; $body$, a$b$c;
SELECT E'one\''
  '; two\'; three', 'Grüße; 日本語;', "Größe;" FROM größe$1; SELECT 1--2;
;
