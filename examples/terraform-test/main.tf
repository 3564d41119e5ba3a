terraform {
  required_version = ">= 1.6"
  required_providers {
    dsql = {
      source = "dsql-migrate/dsql"
    }
  }
}

# Cluster and keys come from the environment: dsql-local in tests, Aurora DSQL otherwise.
provider "dsql" {}

resource "dsql_migration_set" "orders" {
  name = "orders"
  dir  = "${path.module}/migrations"
}

output "latest_version" {
  value = dsql_migration_set.orders.latest_version
}

output "drift" {
  value = dsql_migration_set.orders.drift
}
