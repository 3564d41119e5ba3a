terraform {
  required_version = ">= 1.11"

  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}

resource "dsql_migration_set" "this" {
  for_each = var.clusters

  name      = var.name
  dir       = var.dir
  format    = var.format
  variables = each.value.variables

  wait_for_jobs = var.wait_for_jobs

  drift_schemas = var.schemas
  on_drift      = var.on_drift
  accept_drift  = each.value.accept_drift

  accept_cluster = each.value.accept_cluster

  cluster = {
    endpoint = each.value.endpoint
    port     = each.value.port
    region   = each.value.region
    user     = each.value.user
    ca_file  = each.value.ca_file
  }
}
