resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

data "dsql_migration_status" "app" {
  dir = "${path.module}/migrations"

  # Read after the migrations, not before.
  depends_on = [dsql_migration_set.app]
}

# Each plan and apply warns if something is left to do.
check "migrations" {
  assert {
    condition     = data.dsql_migration_status.app.up_to_date
    error_message = "Pending: ${join(", ", data.dsql_migration_status.app.pending)}"
  }
}

output "latest_version" {
  value = data.dsql_migration_status.app.latest_version
}
