output "latest_version" {
  description = "The last applied version by cluster. Depend on this output, and what you make is made after the migrations."
  value       = { for cluster, set in dsql_migration_set.this : cluster => set.latest_version }
}

output "drift" {
  description = "What was changed outside of migrations, in words, by cluster."
  value       = { for cluster, set in dsql_migration_set.this : cluster => set.drift }
}
