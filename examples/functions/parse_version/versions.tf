terraform {
  required_version = ">= 1.11"

  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}
