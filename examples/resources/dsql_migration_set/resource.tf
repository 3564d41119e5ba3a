# All migrations of a directory, for example files such as 0001_create_users.sql, or a directory that
# drizzle-kit wrote.
resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

# A second migration set, on another cluster and with longer time limits.
resource "dsql_migration_set" "reports" {
  name = "reports"
  dir  = "${path.module}/reports"

  cluster = {
    endpoint = "zyxwvutsrqponmlkjihgfedcba.dsql.eu-west-1.on.aws"
    user     = "migrator"
  }

  timeouts = {
    create = "2h"
    update = "2h"
  }
}

# A scheduled plan can report this value.
output "drift" {
  description = "Schema changes that no migration made"
  value       = dsql_migration_set.app.drift
}
