-- The application. Every role may use the schema public; of another one it needs USAGE.
CREATE ROLE app WITH LOGIN;
AWS IAM GRANT app TO '${app_role_arn}';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;

-- Reports.
CREATE ROLE reader WITH LOGIN;
AWS IAM GRANT reader TO '${reader_role_arn}';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
