# Tables, and beside them the roles that may use them. The roles run again whenever their file, an ARN or the
# list of migrations changes, and only then.

terraform {
  required_providers {
    dsql = {
      source = "dsql-migrate/dsql"
    }
  }
}

provider "dsql" {}

# In a configuration of your own these are aws_iam_role.app.arn and aws_iam_role.reader.arn. They need not be
# known when the plan is made.
variable "app_role_arn" {
  type = string
}

variable "reader_role_arn" {
  type = string
}

resource "dsql_migration_set" "shop" {
  dir        = "${path.module}/migrations"
  repeatable = ["repeatable/*.sql"]

  variables = {
    app_role_arn    = var.app_role_arn
    reader_role_arn = var.reader_role_arn
  }

  # Grants are what this directory is for.
  lint_ignore = ["grant"]
}

output "last_run" {
  value = dsql_migration_set.shop.last_run
}
