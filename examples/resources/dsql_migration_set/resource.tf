# All migrations of a directory: files such as 0001_create_users.sql, or a directory of drizzle-kit.
resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

# A second set on another cluster, with longer limits.
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
  value = dsql_migration_set.app.drift
}
