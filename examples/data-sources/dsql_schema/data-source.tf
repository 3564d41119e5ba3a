data "dsql_schema" "app" {
  schemas = ["public"]
}

# A module can check that the objects it needs exist.
check "users_have_an_email" {
  assert {
    condition     = contains(keys(data.dsql_schema.app.objects), "column public.users.email")
    error_message = "The table public.users has no column email."
  }
}

output "tables" {
  description = "Tables of the application"
  value       = data.dsql_schema.app.tables
}
