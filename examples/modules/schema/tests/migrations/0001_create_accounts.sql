CREATE TABLE accounts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL
);

CREATE UNIQUE INDEX ASYNC accounts_email ON accounts (email);
