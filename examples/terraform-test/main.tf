terraform {
  required_version = ">= 1.11"

  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}

# The environment names the cluster and the AWS credentials: dsql-local in tests, Aurora DSQL
# otherwise.
provider "dsql" {}

resource "dsql_migration_set" "orders" {
  name = "orders"
  dir  = "${path.module}/migrations"
}

output "latest_version" {
  description = "Version of the last applied migration"
  value       = dsql_migration_set.orders.latest_version
}

output "drift" {
  description = "Schema changes that no migration made"
  value       = dsql_migration_set.orders.drift
}
