resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}
