# Compares the file with what was applied.
output "is_unchanged" {
  description = "Whether the file is the one that was applied"
  value = (
    provider::dsql::checksum(file("${path.module}/migrations/0001_create_users.sql"))
    == dsql_migration_set.app.migrations["0001"].checksum
  )
}
