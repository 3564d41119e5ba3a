# One resource for each file of the directory, by version.
locals {
  files = {
    for file in fileset("${path.module}/grants", "*.sql") :
    provider::dsql::parse_version(file).version => file
  }
}

resource "dsql_migration" "grant" {
  for_each = local.files
  path     = "${path.module}/grants/${each.value}"
}
