# `terraform test` applies all migrations to the cluster that the environment names, for example
# dsql-local.
run "all_migrations_are_applied" {
  assert {
    condition     = data.dsql_migration_status.app.up_to_date
    error_message = "Some migrations are pending."
  }

  assert {
    condition     = length(dsql_migration_set.app.drift) == 0
    error_message = "The schema differs from what the migrations created."
  }
}
