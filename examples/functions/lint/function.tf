# Fails a `terraform test`, and warns in a plan, if DSQL would reject the file. Does not need a
# cluster.
locals {
  findings = provider::dsql::lint(file("${path.module}/migrations/0001_create_users.sql"))
}

check "dsql_accepts" {
  assert {
    condition = alltrue([for f in local.findings : f.kind != "refused"])
    error_message = join("\n", [
      for f in local.findings : "line ${f.line}: ${f.rule}: ${f.message}" if f.kind == "refused"
    ])
  }
}
