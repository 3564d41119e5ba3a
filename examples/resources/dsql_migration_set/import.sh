# The id is the name of the set in the ledger.
terraform import dsql_migration_set.app default
