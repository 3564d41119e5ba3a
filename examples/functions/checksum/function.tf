# Whether the file is still what was applied.
output "is_unchanged" {
  value = (
    provider::dsql::checksum(file("${path.module}/migrations/0001_create_users.sql"))
    == dsql_migration_set.app.migrations["0001"].checksum
  )
}
