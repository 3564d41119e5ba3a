# The ID is the name of the migration set in the ledger.
terraform import dsql_migration_set.app default
