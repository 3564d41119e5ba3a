# Requires an empty dsql-local: see the README of the module.

variables {
  clusters = {
    local = { variables = { domain = "example.com" } }
  }
  dir = "./tests/migrations"
}

run "a_plan_names_the_migrations_and_runs_nothing" {
  command = plan

  assert {
    condition = (
      dsql_migration_set.this["local"].migrations["0002"].statements ==
      "dml: INSERT INTO accounts (email) VALUES ('admin@$${domain}')\n"
    )
    error_message = "The plan does not show the statement as the file contains it."
  }
}

run "an_apply_brings_the_cluster_to_the_last_version" {
  assert {
    condition     = output.latest_version == { local = "0002" }
    error_message = "The cluster is not at version 0002."
  }

  assert {
    condition     = length(output.drift["local"]) == 0
    error_message = "The provider reports drift directly after an apply."
  }
}

run "a_second_plan_has_nothing_to_do" {
  command = plan

  assert {
    condition     = output.latest_version == { local = "0002" }
    error_message = "Something would change."
  }
}
