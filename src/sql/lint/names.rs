//! The names of dsql-lint's rules: its variants in snake case, as in its JSON output.
//!
//! The match deliberately has no `_` arm, so that the provider does not compile with a new version
//! of dsql-lint that has a new rule. Before adding the rule, check that DSQL rejects the statements
//! that it reports.

use dsql_lint::LintRule;

macro_rules! names {
    ($($variant:ident => $name:literal,)*) => {
        /// Returns the name of a rule.
        pub(super) fn name(rule: LintRule) -> &'static str {
            match rule {
                $(LintRule::$variant => $name,)*
            }
        }

        /// All names.
        pub(super) static NAMES: &[&str] = &[$($name,)*];

        #[cfg(test)]
        pub(super) static VARIANTS: &[LintRule] = &[$(LintRule::$variant,)*];
    };
}

names! {
    SerialType => "serial_type",
    ArrayType => "array_type",
    ForeignKey => "foreign_key",
    ForeignKeyMatchPartial => "foreign_key_match_partial",
    ForeignKeyEnforced => "foreign_key_enforced",
    ForeignKeyNotValid => "foreign_key_not_valid",
    CheckNotValid => "check_not_valid",
    TempTable => "temp_table",
    PartitionBy => "partition_by",
    Inherits => "inherits",
    CreateTableAs => "create_table_as",
    Tablespace => "tablespace",
    IdentityType => "identity_type",
    IdentityNotNull => "identity_not_null",
    IdentityCache => "identity_cache",
    IdentityCacheMissing => "identity_cache_missing",
    NumericBounds => "numeric_bounds",
    IndexAsync => "index_async",
    IndexConcurrently => "index_concurrently",
    IndexUsing => "index_using",
    IndexSortDirection => "index_sort_direction",
    IndexPartial => "index_partial",
    IndexVolatileFunction => "index_volatile_function",
    Truncate => "truncate",
    SequenceType => "sequence_type",
    SequenceCache => "sequence_cache",
    SequenceCacheMissing => "sequence_cache_missing",
    StatisticsTarget => "statistics_target",
    AddColumnConstraint => "add_column_constraint",
    Collation => "collation",
    TransactionIsolation => "transaction_isolation",
    SetTransaction => "set_transaction",
    AtUnsupportedAlterColumnSetType => "at_unsupported_alter_column_set_type",
    AtUnsupportedAlterColumnSetNotNull => "at_unsupported_alter_column_set_not_null",
    AtUnsupportedAlterColumnAddGenerated => "at_unsupported_alter_column_add_generated",
    AtUnsupportedAddCheck => "at_unsupported_add_check",
    AtUnsupportedAddPrimaryKey => "at_unsupported_add_primary_key",
    AtUnsupportedAddUnique => "at_unsupported_add_unique",
    AtUnsupportedDropConstraint => "at_unsupported_drop_constraint",
    AtUnsupportedPrimaryKeyUsingIndex => "at_unsupported_primary_key_using_index",
    AtUnsupportedUniqueUsingIndex => "at_unsupported_unique_using_index",
    AtUnsupportedRowLevelSecurity => "at_unsupported_row_level_security",
    AtUnsupportedReplicaIdentity => "at_unsupported_replica_identity",
    ValidateConstraintAsync => "validate_constraint_async",
    AtUnsupportedRewriteRule => "at_unsupported_rewrite_rule",
    UnsupportedTempView => "unsupported_temp_view",
    UnsupportedMaterializedView => "unsupported_materialized_view",
    UnsupportedCreateTrigger => "unsupported_create_trigger",
    UnsupportedCreateExtension => "unsupported_create_extension",
    UnsupportedCreateFunctionNonSql => "unsupported_create_function_non_sql",
    UnsupportedCreateProcedure => "unsupported_create_procedure",
    UnsupportedCreateDatabase => "unsupported_create_database",
    UnsupportedCreatePolicy => "unsupported_create_policy",
    UnsupportedSavepoint => "unsupported_savepoint",
    UnsupportedReleaseSavepoint => "unsupported_release_savepoint",
    UnsupportedRollbackToSavepoint => "unsupported_rollback_to_savepoint",
    UnsupportedDeclareCursor => "unsupported_declare_cursor",
    UnsupportedCreateType => "unsupported_create_type",
    UnsupportedCreateServer => "unsupported_create_server",
    UnsupportedVacuum => "unsupported_vacuum",
    UnsupportedAlterIndex => "unsupported_alter_index",
    UnsupportedAlterViewAsQuery => "unsupported_alter_view_as_query",
    UnsupportedCopyFromFile => "unsupported_copy_from_file",
    UnsupportedLockTable => "unsupported_lock_table",
    UnsupportedAlterAggregate => "unsupported_alter_aggregate",
    UnsupportedAlterFunctionProperty => "unsupported_alter_function_property",
    UnsupportedAlterPolicy => "unsupported_alter_policy",
    UnsupportedAlterType => "unsupported_alter_type",
    UnsupportedAlterRoleProperty => "unsupported_alter_role_property",
    UnsupportedAlterRoleSet => "unsupported_alter_role_set",
    UnsupportedAlterUser => "unsupported_alter_user",
    UnsupportedDropMaterializedView => "unsupported_drop_materialized_view",
    UnsupportedDropType => "unsupported_drop_type",
    UnsupportedDropTrigger => "unsupported_drop_trigger",
    UnsupportedDropPolicy => "unsupported_drop_policy",
    UnsupportedListen => "unsupported_listen",
    UnsupportedUnlisten => "unsupported_unlisten",
    UnsupportedNotify => "unsupported_notify",
    UnsupportedLoad => "unsupported_load",
    UnsupportedPrepare => "unsupported_prepare",
    UnsupportedDeallocate => "unsupported_deallocate",
    UnsupportedDiscard => "unsupported_discard",
    UnsupportedPartitionOf => "unsupported_partition_of",
    UnsupportedOnCommit => "unsupported_on_commit",
    UnsupportedCreateTableWithStorageParameters => "unsupported_create_table_with_storage_parameters",
    MultiDdlTransaction => "multi_ddl_transaction",
    MixedDdlDmlTransaction => "mixed_ddl_dml_transaction",
    SerialSequenceIdiom => "serial_sequence_idiom",
    AlterAddUniqueCollapse => "alter_add_unique_collapse",
    AlterAddPrimaryKeyCollapse => "alter_add_primary_key_collapse",
    PrimaryKeyRemoval => "primary_key_removal",
    IdentityAddGeneratedCollapse => "identity_add_generated_collapse",
    AlterColumnSetCompressionStrip => "alter_column_set_compression_strip",
    MysqlUnsignedWidened => "mysql_unsigned_widened",
    MysqlEnumToVarchar => "mysql_enum_to_varchar",
    MysqlSetToText => "mysql_set_to_text",
    MysqlAutoIncrementToIdentity => "mysql_auto_increment_to_identity",
    MysqlOnUpdateDropped => "mysql_on_update_dropped",
    MysqlInvalidDefaultDropped => "mysql_invalid_default_dropped",
    MysqlIndexPrefixDropped => "mysql_index_prefix_dropped",
    MysqlIndexRenamed => "mysql_index_renamed",
    MysqlDataStatementDropped => "mysql_data_statement_dropped",
    ParseError => "parse_error",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_variant_in_snake_case() {
        for rule in VARIANTS {
            let mut snake = String::new();
            for (index, character) in format!("{rule:?}").char_indices() {
                if index > 0 && character.is_ascii_uppercase() {
                    snake.push('_');
                }
                snake.push(character.to_ascii_lowercase());
            }
            assert_eq!(name(*rule), snake);
        }
    }
}
