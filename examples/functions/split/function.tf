# Warns in the plan where a file holds more than one schema change.
locals {
  statements = provider::dsql::split(file("${path.module}/migrations/0001_create_users.sql"))
}

check "one_schema_change" {
  assert {
    condition     = length([for s in local.statements : s if s.class != "dml"]) <= 1
    error_message = "Keep each schema change in a file of its own."
  }
}
