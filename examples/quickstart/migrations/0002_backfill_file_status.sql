ALTER TABLE "files" ADD COLUMN "status" text;
--> statement-breakpoint
UPDATE "files" SET "status" = 'stored' WHERE "status" IS NULL;
