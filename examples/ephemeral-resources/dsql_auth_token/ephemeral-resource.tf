terraform {
  required_providers {
    dsql = {
      source  = "dsql-migrate/dsql"
      version = "~> 0.1"
    }
    postgresql = {
      source  = "cyrilgdn/postgresql"
      version = "~> 1.25"
    }
  }
}

ephemeral "dsql_auth_token" "app" {
  cluster = {
    endpoint = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws"
    user     = "app"
  }
}

# Another provider logs in with the token. Neither the plan nor the state contains it.
provider "postgresql" {
  host      = ephemeral.dsql_auth_token.app.endpoint
  port      = ephemeral.dsql_auth_token.app.port
  username  = ephemeral.dsql_auth_token.app.user
  password  = ephemeral.dsql_auth_token.app.token
  database  = "postgres"
  sslmode   = "verify-full"
  superuser = false
}
