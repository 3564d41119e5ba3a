# One file. Its name contains the version, 0001.
resource "dsql_migration" "create_users" {
  path = "${path.module}/sql/0001_create_users.sql"
}

# SQL in the configuration. Resources that need this migration refer to it in depends_on.
resource "dsql_migration" "reporting_role" {
  version     = "0002"
  description = "create reporting role"

  sql = <<-SQL
    CREATE ROLE reporting WITH LOGIN;
    GRANT SELECT ON users TO reporting;
  SQL

  depends_on = [dsql_migration.create_users]
}
