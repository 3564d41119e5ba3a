output "latest_version" {
  description = "Version of the last applied migration, by cluster. Resources that depend on this output are created after the migrations."
  value       = { for cluster, set in dsql_migration_set.this : cluster => set.latest_version }
}

output "drift" {
  description = "Schema changes that no migration made, by cluster."
  value       = { for cluster, set in dsql_migration_set.this : cluster => set.drift }
}
