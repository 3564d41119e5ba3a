INSERT INTO accounts (email) VALUES ('admin@${domain}');
