resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

data "dsql_migration_status" "app" {
  dir = "${path.module}/migrations"

  # Read the status after the migrations have run.
  depends_on = [dsql_migration_set.app]
}

# Every plan and apply warns while the files and the ledger differ.
check "migrations" {
  assert {
    condition     = data.dsql_migration_status.app.up_to_date
    error_message = <<-EOT
      Pending: ${join(", ", data.dsql_migration_status.app.pending)}
      Changed: ${join(", ", data.dsql_migration_status.app.changed)}
      Missing: ${join(", ", data.dsql_migration_status.app.missing)}
    EOT
  }
}

output "latest_version" {
  description = "Version of the last applied migration"
  value       = data.dsql_migration_status.app.latest_version
}
