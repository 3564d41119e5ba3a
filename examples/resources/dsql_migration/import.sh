# The ID is the version in the ledger.
terraform import dsql_migration.create_users 0001
