-- The first line; with a semicolon and an apostrophe's tail.
/* A block; /* nested; */ still a comment; */
CREATE TABLE users ( -- the key; really
  id uuid PRIMARY KEY, /* don't; */
  name text
) /* after the last token */ ; -- after the semicolon; on its line
;
-- Nothing but a comment;
;

-- dsql:batch
UPDATE users SET name = 'a--b;/*' -- not closed by this line
WHERE name = 'c'
