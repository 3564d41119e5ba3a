-- CreateTable
CREATE TABLE "User" (
    "id" TEXT NOT NULL,
    "note" TEXT DEFAULT E'it\'s; ok',

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);--> statement-breakpoint
ALTER TABLE "User" ADD CONSTRAINT "c" CHECK ("User"."note" ~* '^(?:[^;]|\\;)*$');
/* ; */
CREATE UNIQUE INDEX ASYNC "User_note;key" ON "User" USING btree ("note");;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO "app;reader";
AWS IAM GRANT "app;reader" TO 'arn:aws:iam::123456789012:role/app;x';
INSERT INTO j VALUES ('{"a": [";", "\";"]}'::jsonb -> 'a', '\x00;'::bytea, B'01', X'1F;', 1e-5, .5);
WITH a AS (SELECT 1; SELECT 2) SELECT 3
