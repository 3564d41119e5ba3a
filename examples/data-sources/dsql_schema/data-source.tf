data "dsql_schema" "app" {
  schemas = ["public"]
}

# A module can insist on what it needs.
check "users_have_an_email" {
  assert {
    condition     = contains(keys(data.dsql_schema.app.objects), "column public.users.email")
    error_message = "The table public.users has no column email."
  }
}

output "tables" {
  value = data.dsql_schema.app.tables
}
