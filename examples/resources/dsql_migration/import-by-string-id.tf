# The ID is the version in the ledger.
import {
  to = dsql_migration.create_users
  id = "0001"
}
