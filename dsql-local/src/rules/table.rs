//! The statements that DSQL refuses in every transaction and with every catalog, as data.
//!
//! A refusal applies to a node at a certain position in squawk's syntax tree. The source of its
//! text is the function that creates the row: `recorded` on a cluster, or `derived` from the form
//! of the recorded texts. All have the SQLSTATE 0A000.

use squawk_syntax::SyntaxKind::{self, *};

pub(super) struct Refusal {
    /// The refused node last, preceded by its parent, that node's parent, and so on as far as they
    /// matter.
    pub(super) path: &'static [SyntaxKind],
    pub(super) text: &'static str,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the source, and a test counts it")
    )]
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Recorded,
    Derived,
}

const fn recorded(path: &'static [SyntaxKind], text: &'static str) -> Refusal {
    Refusal { path, text, source: Source::Recorded }
}

const fn derived(path: &'static [SyntaxKind], text: &'static str) -> Refusal {
    Refusal { path, text, source: Source::Derived }
}

pub(super) const ADD_COLUMN_WITH_CONSTRAINT: &str =
    "ALTER TABLE ADD COLUMN with constraint not supported";
const LOCKING: &str = "locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported";
const SET_TRANSACTION: &str = "setting configuration parameter \"TRANSACTION\" not supported";

pub(super) static REFUSALS: &[Refusal] = &[
    // Transactions.
    recorded(&[TRANSACTION_MODE_LIST, SERIALIZABLE], "Unsupported isolation level: SERIALIZABLE"),
    recorded(
        &[TRANSACTION_MODE_LIST, READ_COMMITTED],
        "Unsupported isolation level: READ COMMITTED",
    ),
    recorded(
        &[TRANSACTION_MODE_LIST, READ_UNCOMMITTED],
        "Unsupported isolation level: READ UNCOMMITTED",
    ),
    recorded(&[TRANSACTION_MODES, TRANSACTION_MODE_LIST, REPEATABLE_READ], SET_TRANSACTION),
    recorded(&[TRANSACTION_MODES, TRANSACTION_MODE_LIST, READ_ONLY], SET_TRANSACTION),
    recorded(&[TRANSACTION_MODES, TRANSACTION_MODE_LIST, READ_WRITE], SET_TRANSACTION),
    recorded(&[TRANSACTION_MODES, TRANSACTION_MODE_LIST, DEFERRABLE], SET_TRANSACTION),
    recorded(&[TRANSACTION_MODES, TRANSACTION_MODE_LIST, NOT_DEFERRABLE], SET_TRANSACTION),
    recorded(&[TRANSACTION_SNAPSHOT], SET_TRANSACTION),
    recorded(&[SAVEPOINT_CREATE], "unsupported transaction statement: SAVEPOINT"),
    recorded(&[RELEASE_SAVEPOINT], "unsupported transaction statement: RELEASE"),
    recorded(&[ROLLBACK_TO_SAVEPOINT], "unsupported transaction statement: ROLLBACK TO"),
    derived(&[PREPARE_TRANSACTION], "unsupported transaction statement: PREPARE TRANSACTION"),
    derived(&[COMMIT_PREPARED], "unsupported transaction statement: COMMIT PREPARED"),
    derived(&[ROLLBACK_PREPARED], "unsupported transaction statement: ROLLBACK PREPARED"),
    derived(
        &[COMMIT_TRANSACTION, AND_CHAIN],
        "unsupported transaction statement: COMMIT AND CHAIN",
    ),
    derived(
        &[ROLLBACK_TRANSACTION, AND_CHAIN],
        "unsupported transaction statement: ROLLBACK AND CHAIN",
    ),
    // Sessions.
    derived(
        &[SET_SESSION_AUTH],
        "setting configuration parameter \"session_authorization\" not supported",
    ),
    derived(&[SET_XML_OPTION], "setting configuration parameter \"xmloption\" not supported"),
    recorded(&[LISTEN], "unsupported statement: Listen"),
    recorded(&[NOTIFY], "unsupported statement: Notify"),
    recorded(&[UNLISTEN], "unsupported statement: Unlisten"),
    recorded(&[LOCK], "unsupported statement: Lock"),
    recorded(&[DECLARE], "unsupported statement: DeclareCursor"),
    derived(&[FETCH], "unsupported statement: Fetch"),
    derived(&[MOVE], "unsupported statement: Fetch"),
    derived(&[CLOSE], "unsupported statement: ClosePortal"),
    derived(&[PREPARE], "unsupported statement: Prepare"),
    derived(&[EXECUTE], "unsupported statement: Execute"),
    derived(&[DEALLOCATE, PREPARED_STATEMENT_REF], "unsupported statement: Deallocate"),
    derived(&[DISCARD], "unsupported statement: Discard"),
    derived(&[DO], "unsupported statement: Do"),
    derived(&[LOAD], "unsupported statement: Load"),
    derived(&[CHECKPOINT], "unsupported statement: CheckPoint"),
    recorded(&[ALTER_SYSTEM], "unsupported statement: AlterSystem"),
    // Rows.
    recorded(&[TRUNCATE], "unsupported statement: Truncate"),
    recorded(&[VACUUM], "unsupported VACUUM statement"),
    recorded(&[MERGE], "unsupported statement type: MERGE"),
    recorded(&[TABLESAMPLE_CLAUSE], "TABLESAMPLE clause not supported"),
    recorded(&[LOCKING_CLAUSE, FOR_SHARE], LOCKING),
    recorded(&[LOCKING_CLAUSE, FOR_NO_KEY_UPDATE], LOCKING),
    // Tables.
    recorded(&[CREATE_TABLE_AS], "unsupported statement: CreateTableAs"),
    recorded(&[SELECT_INTO], "unsupported statement: CreateTableAs"),
    recorded(&[CREATE_MATERIALIZED_VIEW], "unsupported statement: CreateTableAs"),
    recorded(&[CREATE_TABLE, TEMP], "TEMPORARY or TEMP table not supported for CREATE TABLE"),
    recorded(&[CREATE_TABLE, UNLOGGED], "UNLOGGED table not supported for CREATE TABLE"),
    recorded(&[CREATE_TABLE, PARTITION_BY], "PARTITION BY clause not supported for CREATE TABLE"),
    recorded(&[CREATE_TABLE, PARTITION_OF], "PARTITION OF clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, INHERITS], "INHERITS clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, TABLESPACE_CLAUSE], "TABLESPACE clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, WITH_PARAMS], "WITH clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, ON_COMMIT], "ON COMMIT clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, USING_METHOD], "USING clause not supported for CREATE TABLE"),
    derived(&[CREATE_TABLE, OF_TYPE], "OF clause not supported for CREATE TABLE"),
    derived(&[COLUMN, COMPRESSION_METHOD], "COMPRESSION clause not supported"),
    derived(&[EXCLUDE_CONSTRAINT], "EXCLUDE constraint not supported"),
    recorded(&[COLUMN, COLLATE], "COLLATE clause not supported"),
    recorded(&[ADD_COLUMN, COLLATE], "COLLATE clause not supported"),
    // ALTER TABLE.
    recorded(&[ADD_COLUMN, NOT_NULL_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, DEFAULT_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, CHECK_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, UNIQUE_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, PRIMARY_KEY_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, GENERATED_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(&[ADD_COLUMN, REFERENCES_CONSTRAINT], ADD_COLUMN_WITH_CONSTRAINT),
    recorded(
        &[ALTER_COLUMN, SET_NOT_NULL],
        "unsupported ALTER TABLE ALTER COLUMN ... SET NOT NULL statement",
    ),
    recorded(
        &[ALTER_COLUMN, SET_TYPE],
        "unsupported ALTER TABLE ALTER COLUMN ... SET DATA TYPE statement",
    ),
    recorded(
        &[ALTER_COLUMN, SET_STATISTICS],
        "unsupported ALTER TABLE ALTER COLUMN ... SET STATISTICS statement",
    ),
    derived(
        &[ALTER_COLUMN, SET_COMPRESSION],
        "unsupported ALTER TABLE ALTER COLUMN ... SET COMPRESSION statement",
    ),
    derived(
        &[ALTER_COLUMN, SET_OPTIONS],
        "unsupported ALTER TABLE ALTER COLUMN ... SET ( ... ) statement",
    ),
    derived(
        &[ALTER_COLUMN, RESET_OPTIONS],
        "unsupported ALTER TABLE ALTER COLUMN ... RESET ( ... ) statement",
    ),
    derived(
        &[ALTER_COLUMN, SET_EXPRESSION],
        "unsupported ALTER TABLE ALTER COLUMN ... SET EXPRESSION statement",
    ),
    recorded(
        &[ALTER_TABLE, VALIDATE_CONSTRAINT],
        "unsupported ALTER TABLE VALIDATE CONSTRAINT statement",
    ),
    recorded(&[ALTER_TABLE, ENABLE_RLS], "unsupported ALTER TABLE ENABLE ROW SECURITY statement"),
    derived(&[ALTER_TABLE, DISABLE_RLS], "unsupported ALTER TABLE DISABLE ROW SECURITY statement"),
    derived(&[ALTER_TABLE, FORCE_RLS], "unsupported ALTER TABLE FORCE ROW SECURITY statement"),
    derived(
        &[ALTER_TABLE, NO_FORCE_RLS],
        "unsupported ALTER TABLE NO FORCE ROW SECURITY statement",
    ),
    derived(&[ALTER_TABLE, REPLICA_IDENTITY], "unsupported ALTER TABLE REPLICA IDENTITY statement"),
    derived(&[ALTER_TABLE, ENABLE_RULE], "unsupported ALTER TABLE ENABLE RULE statement"),
    derived(&[ALTER_TABLE, DISABLE_RULE], "unsupported ALTER TABLE DISABLE RULE statement"),
    derived(&[ALTER_TABLE, INHERIT_TABLE], "unsupported ALTER TABLE INHERIT statement"),
    derived(&[ALTER_TABLE, NO_INHERIT_TABLE], "unsupported ALTER TABLE NO INHERIT statement"),
    derived(&[ALTER_TABLE, ATTACH_PARTITION], "unsupported ALTER TABLE ATTACH PARTITION statement"),
    derived(&[ALTER_TABLE, DETACH_PARTITION], "unsupported ALTER TABLE DETACH PARTITION statement"),
    derived(&[ALTER_TABLE, OF_TYPE], "unsupported ALTER TABLE OF statement"),
    derived(&[ALTER_TABLE, NOT_OF], "unsupported ALTER TABLE NOT OF statement"),
    derived(&[ALTER_TABLE, CLUSTER_ON], "unsupported ALTER TABLE CLUSTER ON statement"),
    derived(
        &[ALTER_TABLE, SET_WITHOUT_CLUSTER],
        "unsupported ALTER TABLE SET WITHOUT CLUSTER statement",
    ),
    derived(&[ALTER_TABLE, SET_LOGGED], "unsupported ALTER TABLE SET LOGGED statement"),
    derived(&[ALTER_TABLE, SET_UNLOGGED], "unsupported ALTER TABLE SET UNLOGGED statement"),
    derived(
        &[ALTER_TABLE, SET_ACCESS_METHOD],
        "unsupported ALTER TABLE SET ACCESS METHOD statement",
    ),
    derived(&[ALTER_TABLE, SET_TABLESPACE], "unsupported ALTER TABLE SET TABLESPACE statement"),
    derived(&[ALTER_TABLE, SET_OPTIONS], "unsupported ALTER TABLE SET ( ... ) statement"),
    derived(&[ALTER_TABLE, RESET_OPTIONS], "unsupported ALTER TABLE RESET ( ... ) statement"),
    // Indexes.
    recorded(&[CREATE_INDEX, USING_METHOD], "USING not supported for CREATE INDEX"),
    recorded(&[CREATE_INDEX, PARTITION_ITEM_LIST, PARTITION_ITEM, SORT_ASC], SORT_ORDER),
    recorded(&[CREATE_INDEX, PARTITION_ITEM_LIST, PARTITION_ITEM, SORT_DESC], SORT_ORDER),
    recorded(
        &[CREATE_INDEX, PARTITION_ITEM_LIST, PARTITION_ITEM, OP_CLASS_REF],
        "opclass not supported for index keys",
    ),
    derived(
        &[CREATE_INDEX, PARTITION_ITEM_LIST, PARTITION_ITEM, COLLATE],
        "COLLATE not supported for index keys",
    ),
    derived(&[CREATE_INDEX, WITH_PARAMS], "WITH not supported for CREATE INDEX"),
    derived(&[CREATE_INDEX, TABLESPACE_CLAUSE], "TABLESPACE not supported for CREATE INDEX"),
    derived(&[REINDEX], "unsupported statement: Reindex"),
    derived(&[CLUSTER], "unsupported statement: Cluster"),
    // Other objects.
    recorded(&[CREATE_TRIGGER], "CREATE TRIGGER not supported"),
    recorded(&[CREATE_PROCEDURE], "PROCEDURE is not supported"),
    recorded(&[CREATE_TYPE, COMPOSITE_TYPE], "unsupported statement: CompositeType"),
    recorded(&[CREATE_TYPE, RANGE_TYPE], "unsupported statement: CreateRange"),
    recorded(&[CREATE_TYPE], "CREATE TYPE not supported"),
    recorded(&[ALTER_TYPE, TYPE_RENAME_TO], "unsupported object in RENAME statement"),
    recorded(&[ALTER_TYPE], "ALTER TYPE not supported"),
    recorded(&[DROP_TYPE], "unsupported object in DROP statement"),
    recorded(&[CREATE_EXTENSION], "unsupported statement: CreateExtension"),
    recorded(&[CREATE_DATABASE], "unsupported statement: Createdb"),
    derived(&[DROP_DATABASE], "unsupported statement: Dropdb"),
    derived(&[ALTER_DATABASE], "unsupported statement: AlterDatabase"),
    recorded(&[CREATE_TABLESPACE], "unsupported statement: CreateTableSpace"),
    derived(&[DROP_TABLESPACE], "unsupported statement: DropTableSpace"),
    recorded(&[CREATE_FOREIGN_TABLE], "unsupported statement: CreateForeignTable"),
    recorded(&[CREATE_POLICY], "unsupported statement: CreatePolicy"),
    derived(&[ALTER_POLICY], "unsupported statement: AlterPolicy"),
    recorded(&[CREATE_TEXT_SEARCH_CONFIGURATION], "unsupported statement: Define"),
    recorded(&[CREATE_TEXT_SEARCH_DICTIONARY], "unsupported statement: Define"),
    recorded(&[CREATE_TEXT_SEARCH_PARSER], "unsupported statement: Define"),
    recorded(&[CREATE_TEXT_SEARCH_TEMPLATE], "unsupported statement: Define"),
    recorded(&[CREATE_AGGREGATE], "unsupported statement: Define"),
    derived(&[CREATE_COLLATION], "unsupported statement: Define"),
    derived(&[CREATE_OPERATOR], "unsupported statement: Define"),
    derived(&[CREATE_OPERATOR_CLASS], "unsupported statement: CreateOpClass"),
    derived(&[CREATE_OPERATOR_FAMILY], "unsupported statement: CreateOpFamily"),
    derived(&[CREATE_RULE], "unsupported statement: Rule"),
    derived(&[CREATE_CAST], "unsupported statement: CreateCast"),
    derived(&[CREATE_CONVERSION], "unsupported statement: CreateConversion"),
    derived(&[CREATE_TRANSFORM], "unsupported statement: CreateTransform"),
    derived(&[CREATE_LANGUAGE], "unsupported statement: CreatePLang"),
    derived(&[CREATE_EVENT_TRIGGER], "unsupported statement: CreateEventTrig"),
    derived(&[CREATE_ACCESS_METHOD], "unsupported statement: CreateAm"),
    derived(&[CREATE_FOREIGN_DATA_WRAPPER], "unsupported statement: CreateFdw"),
    derived(&[CREATE_SERVER], "unsupported statement: CreateForeignServer"),
    derived(&[CREATE_USER_MAPPING], "unsupported statement: CreateUserMapping"),
    derived(&[IMPORT_FOREIGN_SCHEMA], "unsupported statement: ImportForeignSchema"),
    derived(&[CREATE_PUBLICATION], "unsupported statement: CreatePublication"),
    derived(&[CREATE_SUBSCRIPTION], "unsupported statement: CreateSubscription"),
    derived(&[REFRESH], "unsupported statement: RefreshMatView"),
    derived(&[SECURITY_LABEL], "unsupported statement: SecLabel"),
    derived(&[REASSIGN], "unsupported statement: ReassignOwned"),
    derived(&[DROP_OWNED], "unsupported statement: DropOwned"),
    derived(&[CREATE_VIEW, TEMP], "TEMPORARY or TEMP view not supported for CREATE VIEW"),
    derived(
        &[CREATE_SEQUENCE, TEMP],
        "TEMPORARY or TEMP sequence not supported for CREATE SEQUENCE",
    ),
    derived(&[ALTER_FUNCTION, FUNC_OPTION_LIST], "unsupported ALTER FUNCTION statement"),
    derived(&[ALTER_ROUTINE, FUNC_OPTION_LIST], "unsupported ALTER FUNCTION statement"),
    derived(&[ALTER_DOMAIN, ADD_CONSTRAINT], "unsupported ALTER DOMAIN ADD CONSTRAINT statement"),
    derived(&[ALTER_DOMAIN, SET_NOT_NULL], "unsupported ALTER DOMAIN SET NOT NULL statement"),
    // Roles and privileges.
    recorded(
        &[ON_PRIVILEGE_OBJECTS_CLAUSE, PRIVILEGE_DATABASE],
        "unsupported object type in GRANT",
    ),
    derived(&[ALTER_ROLE, SET_CONFIG_PARAM], "unsupported statement: AlterRoleSet"),
    derived(&[ALTER_ROLE, ROLE_OPTION_LIST], "unsupported statement: AlterRole"),
    derived(&[ROLE_OPTION_LIST, ROLE_OPTION_PASSWORD], "PASSWORD not supported for CREATE ROLE"),
];

const SORT_ORDER: &str = "specifying sort order not supported for index keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_hides_another() {
        for (index, refusal) in REFUSALS.iter().enumerate() {
            let hides = |earlier: &&Refusal| refusal.path.ends_with(earlier.path);
            assert!(!REFUSALS[..index].iter().any(|earlier| hides(&earlier)), "{:?}", refusal.path);
        }
    }

    #[test]
    fn every_recorded_text_has_a_fact() {
        let facts = include_str!("../../tests/conformance/facts.txt");
        for refusal in REFUSALS.iter().filter(|refusal| refusal.source == Source::Recorded) {
            let error = format!("! 0A000 {}\n", refusal.text);
            assert!(facts.contains(&error), "{error}");
        }
    }

    #[test]
    fn most_texts_are_recorded() {
        let count = |source| REFUSALS.iter().filter(|refusal| refusal.source == source).count();
        assert!(count(Source::Recorded) >= 60, "{}", count(Source::Recorded));
        assert!(count(Source::Derived) > 0);
    }
}
