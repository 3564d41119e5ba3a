# Tables, and the roles that may use them. The migration of the roles runs again only when its file,
# an ARN or the list of migrations changes.

terraform {
  required_version = ">= 1.11"

  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
  }
}

provider "dsql" {}

# In your own configuration, pass aws_iam_role.app.arn and aws_iam_role.reader.arn. They may be
# unknown during the plan.
variable "app_role_arn" {
  description = "ARN of the IAM role that the application uses"
  type        = string
}

variable "reader_role_arn" {
  description = "ARN of the IAM role that reads reports"
  type        = string
}

resource "dsql_migration_set" "shop" {
  dir        = "${path.module}/migrations"
  repeatable = ["repeatable/*.sql"]

  variables = {
    app_role_arn    = var.app_role_arn
    reader_role_arn = var.reader_role_arn
  }

  # The purpose of this directory is to grant privileges.
  lint_ignore = ["grant"]
}

output "last_run" {
  description = "Versions that the last apply ran"
  value       = dsql_migration_set.shop.last_run
}
