-- The application.
CREATE ROLE app WITH LOGIN;
AWS IAM GRANT app TO '${app_role_arn}';
GRANT USAGE ON SCHEMA public TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;

-- Reports.
CREATE ROLE reader WITH LOGIN;
AWS IAM GRANT reader TO '${reader_role_arn}';
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
