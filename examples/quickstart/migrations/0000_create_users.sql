CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX ASYNC "users_email_unique" ON "users" ("email");
--> statement-breakpoint
INSERT INTO "users" ("id", "email") VALUES ('00000000-0000-4000-8000-000000000001', 'ada@example.com');
