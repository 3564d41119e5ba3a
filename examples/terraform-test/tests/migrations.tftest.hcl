# Requires an empty dsql-local. dsql-local/README.md describes how to start one.

run "plan_names_the_migrations" {
  command = plan

  assert {
    condition     = keys(dsql_migration_set.orders.migrations) == tolist(["0001", "0002"])
    error_message = "The directory contains migrations that this test does not expect."
  }
}

run "apply_runs_them" {
  assert {
    condition     = output.latest_version == "0002"
    error_message = "The last migration is not applied."
  }

  assert {
    condition     = alltrue([for migration in dsql_migration_set.orders.migrations : migration.applied_by == "admin"])
    error_message = "A migration was not applied by admin."
  }
}

run "nothing_is_left_to_do" {
  command = plan

  assert {
    condition     = length(output.drift) == 0
    error_message = "The schema differs from what the migrations created."
  }
}
