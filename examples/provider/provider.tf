terraform {
  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}

# Logs in as admin with a token that is created from the AWS credentials in the environment.
provider "dsql" {
  endpoint = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws"
}
