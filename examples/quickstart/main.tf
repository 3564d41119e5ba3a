terraform {
  required_providers {
    dsql = {
      source = "dsql-migrate/dsql"
    }
  }
}

# The cluster and the login come from DSQL_ENDPOINT, DSQL_PORT, DSQL_CA_FILE and DSQL_TOKEN.
provider "dsql" {}

resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

output "latest_version" {
  value = dsql_migration_set.app.latest_version
}
