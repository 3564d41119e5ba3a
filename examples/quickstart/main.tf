terraform {
  required_version = ">= 1.11"

  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}

# The cluster and the login come from DSQL_ENDPOINT, DSQL_PORT, DSQL_CA_FILE and DSQL_TOKEN.
provider "dsql" {}

resource "dsql_migration_set" "app" {
  dir = "${path.module}/migrations"
}

output "latest_version" {
  description = "Version of the last applied migration"
  value       = dsql_migration_set.app.latest_version
}
