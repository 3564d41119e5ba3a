# One file. Its name tells the version: 0001.
resource "dsql_migration" "create_users" {
  path = "${path.module}/sql/0001_create_users.sql"
}

# SQL in the configuration. A set or another migration that needs it says so with depends_on.
resource "dsql_migration" "reporting_role" {
  version     = "0002"
  description = "role for reports"

  sql = <<-SQL
    CREATE ROLE reporting WITH LOGIN;
    GRANT SELECT ON users TO reporting;
  SQL

  depends_on = [dsql_migration.create_users]
}
