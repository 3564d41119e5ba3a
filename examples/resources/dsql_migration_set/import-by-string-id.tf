# The ID is the name of the migration set in the ledger.
import {
  to = dsql_migration_set.app
  id = "default"
}
