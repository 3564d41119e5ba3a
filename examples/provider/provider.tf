terraform {
  required_providers {
    dsql = {
      source = "dsql-migrate/dsql"
    }
  }
}

# Logs in as admin, with a token made from the AWS credentials of the environment.
provider "dsql" {
  endpoint = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws"
}
