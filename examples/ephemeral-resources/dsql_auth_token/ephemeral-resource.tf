ephemeral "dsql_auth_token" "app" {
  cluster = {
    endpoint = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws"
    user     = "app"
  }
}

# Another provider logs in with it; the token is in neither plan nor state.
provider "postgresql" {
  host      = ephemeral.dsql_auth_token.app.endpoint
  username  = ephemeral.dsql_auth_token.app.user
  password  = ephemeral.dsql_auth_token.app.token
  database  = "postgres"
  sslmode   = "verify-full"
  superuser = false
}
