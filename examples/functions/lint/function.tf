# Fails a `terraform test` or warns in a plan where DSQL would refuse a file, without a cluster.
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
