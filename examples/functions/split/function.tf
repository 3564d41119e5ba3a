# Warns in the plan if the file contains more than one schema change.
locals {
  statements = provider::dsql::split(file("${path.module}/migrations/0001_create_users.sql"))
}

check "one_schema_change" {
  assert {
    condition     = length([for s in local.statements : s if s.class != "dml"]) <= 1
    error_message = "Move each schema change to its own file."
  }
}
