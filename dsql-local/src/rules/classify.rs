//! The decision on one statement: the table of refusals, the refusals that depend on more than a
//! node's position in the tree, and the statements that PostgreSQL does not know or does not count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use squawk_syntax::ast::AstNode;
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};
use tokio_postgres::error::SqlState;

use super::lex::{Lexed, TokenKind, with_whole_strings};
use super::shadow;
use super::table::{ADD_COLUMN_WITH_CONSTRAINT, REFUSALS};
use super::{Action, Shadow, TransactionRole, quoted};
use crate::wire::settings;

#[derive(Debug, Clone, Default)]
pub(super) struct Classified {
    pub(super) action: Action,
    pub(super) plain: Option<String>,
    pub(super) is_ddl: bool,
    pub(super) role: TransactionRole,
    pub(super) shadow: Option<Shadow>,
    pub(super) relations: Vec<String>,
}

/// The smallest cache size of a sequence, apart from 1.
const SMALLEST_CACHE: u64 = 65_536;

/// Clients repeat their statements, and parsing one takes longer than everything else here, so the
/// results of some of them are cached.
static CACHE: Mutex<Option<HashMap<String, Classified>>> = Mutex::new(None);

/// How many statements are cached before the cache is emptied, and how many bytes each may have.
const CACHE_ENTRIES: usize = 1000;
const CACHE_STATEMENT_BYTES: usize = 32 << 10;

pub(super) fn classify(statement: &Lexed<'_>) -> Classified {
    let known = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(classified) = known().as_ref().and_then(|known| known.get(statement.text)) {
        return classified.clone();
    }
    let classified = classify_uncached(statement);
    if statement.text.len() <= CACHE_STATEMENT_BYTES {
        let mut known = known();
        let known = known.get_or_insert_default();
        if known.len() >= CACHE_ENTRIES {
            known.clear();
        }
        known.insert(statement.text.to_owned(), classified.clone());
    }
    classified
}

fn classify_uncached(statement: &Lexed<'_>) -> Classified {
    // AWS IAM GRANT is not in this list: whether it is a schema change for other sessions is not
    // recorded.
    let starters = ["CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT"];
    let is_ddl = starters.iter().any(|word| statement.is_word(0, word));
    if let Some((action, plain)) = asynchronous(statement).or_else(|| iam(statement)) {
        return Classified { action, plain: Some(plain), is_ddl, ..Classified::default() };
    }
    let Some(tree) = parse(statement.text) else {
        return Classified { is_ddl, ..Classified::default() };
    };
    let action = by_tree(statement, &tree);
    let role = match tree.kind() {
        _ if matches!(action, Action::Refuse { .. }) => TransactionRole::Session,
        SyntaxKind::BEGIN => TransactionRole::Begin,
        SyntaxKind::COMMIT_TRANSACTION => TransactionRole::Commit,
        SyntaxKind::ROLLBACK_TRANSACTION => TransactionRole::Rollback,
        SyntaxKind::SHOW | SyntaxKind::DEALLOCATE | SyntaxKind::SET_CONSTRAINTS => {
            TransactionRole::Session
        }
        _ if statement.is_word(0, "SET") || statement.is_word(0, "RESET") => {
            TransactionRole::Session
        }
        _ => TransactionRole::Other,
    };
    let forwarded = action == Action::Forward && !is_ddl;
    let shadow = if forwarded { shadow::of(&tree) } else { None };
    let relations = tree
        .descendants()
        .filter(|node| forwarded && node.kind() == SyntaxKind::RELATION_NAME_REF)
        .map(|node| node.text().to_string())
        .collect();
    Classified { action, plain: None, is_ddl, role, shadow, relations }
}

fn refuse(code: SqlState, text: impl Into<String>) -> Action {
    Action::Refuse { code, text: text.into() }
}

/// Refuses with the SQLSTATE that nearly all refusals have.
fn refuse_unsupported(text: impl Into<String>) -> Action {
    refuse(SqlState::FEATURE_NOT_SUPPORTED, text)
}

fn rewrite(sql: impl Into<String>, tag: &'static str) -> Action {
    Action::Rewrite { sql: sql.into(), tag }
}

/// Parses the statement. Returns `None` for a syntax error, which PostgreSQL explains best.
fn parse(sql: &str) -> Option<SyntaxNode> {
    let parse = SourceFile::parse(&with_whole_strings(sql));
    parse.errors().is_empty().then(|| parse.tree().syntax().first_child()).flatten()
}

/// Rewrites the two statements with `ASYNC`, a keyword of DSQL that PostgreSQL does not have. Also
/// returns the statement without it.
fn asynchronous(statement: &Lexed<'_>) -> Option<(Action, String)> {
    let index = ["CREATE", "INDEX", "ASYNC"];
    let unique_index = ["CREATE", "UNIQUE", "INDEX", "ASYNC"];
    if statement.starts_with(&index) || statement.starts_with(&unique_index) {
        let tokens = if statement.is_word(1, "UNIQUE") { vec![3, 1] } else { vec![2] };
        let definition = statement.without(&tokens[..1]);
        if let Some(refusal) = parse(&definition).and_then(|tree| refused_anywhere(&tree)) {
            return Some((refusal, definition));
        }
        let without_unique = statement.without(&tokens);
        let sql = format!(
            "SELECT job_id FROM dsql_internal.create_index_async({}, {}) AS job_id",
            quoted(&definition),
            quoted(&without_unique)
        );
        return Some((rewrite(sql, "CREATE INDEX"), definition));
    }
    if !statement.starts_with(&["ALTER", "TABLE", "ASYNC"]) {
        return None;
    }
    let plain = statement.without(&[2]);
    match validation(&plain) {
        Some(action) => Some((action, plain)),
        // A table whose name is `async`.
        None if parse(statement.text).is_some() => None,
        None => {
            let text = "syntax error at or near \"ASYNC\"";
            Some((refuse(SqlState::SYNTAX_ERROR, text), plain))
        }
    }
}

/// Rewrites `ALTER TABLE ASYNC t VALIDATE CONSTRAINT c`; `ASYNC` has been removed already.
fn validation(sql: &str) -> Option<Action> {
    let tree = parse(sql)?;
    let mut actions = tree.children().skip_while(|node| node.kind() != RELATION).skip(1);
    let validate = actions.next().filter(|node| node.kind() == SyntaxKind::VALIDATE_CONSTRAINT)?;
    actions.next().is_none().then_some(())?;
    let table = find(&tree, SyntaxKind::TABLE_NAME_REF)?.text().to_string();
    let name = identifier(&find(&validate, SyntaxKind::CONSTRAINT_NAME_REF)?.text().to_string());
    let sql = format!(
        "SELECT job_id FROM dsql_internal.validate_async({}::regclass, {}) AS job_id",
        quoted(&table),
        quoted(&name)
    );
    Some(rewrite(sql, "ALTER TABLE"))
}

const RELATION: SyntaxKind = SyntaxKind::TABLE_RELATION_NAME;

/// Rewrites `AWS IAM GRANT r TO 'arn'` and `AWS IAM REVOKE r FROM 'arn'`. PostgreSQL has no such
/// statement, so its parser gets none.
fn iam(statement: &Lexed<'_>) -> Option<(Action, String)> {
    statement.starts_with(&["AWS", "IAM"]).then_some(())?;
    let plain = " ".repeat(statement.text.chars().count());
    let (procedure, tag, word) = if statement.is_word(2, "GRANT") {
        ("iam_grant", "AWS IAM GRANT", "TO")
    } else {
        ("iam_revoke", "AWS IAM REVOKE", "FROM")
    };
    let well_formed = statement.tokens.len() == 6
        && (statement.is_word(2, "GRANT") || statement.is_word(2, "REVOKE"))
        && matches!(statement.tokens[3].kind, TokenKind::Word | TokenKind::QuotedIdentifier)
        && statement.is_word(4, word)
        && statement.tokens[5].kind == TokenKind::String;
    if !well_formed {
        return Some((refuse(SqlState::SYNTAX_ERROR, "syntax error at or near \"AWS\""), plain));
    }
    let role = quoted(statement.token_text(&statement.tokens[3]));
    let arn = statement.token_text(&statement.tokens[5]);
    Some((rewrite(format!("CALL dsql_internal.{procedure}({role}, {arn})"), tag), plain))
}

fn by_tree(statement: &Lexed<'_>, tree: &SyntaxNode) -> Action {
    refused_anywhere(tree)
        .map(|refusal| after_the_type(refusal, tree))
        .or_else(|| plain_index(statement, tree))
        .or_else(|| switched_triggers(tree))
        .or_else(|| session_setting(statement, tree))
        .or_else(|| shared_ddl(statement, tree))
        .unwrap_or_default()
}

/// Finds the first refusal in the order of the text, inner nodes before outer ones, because inner
/// ones are more specific.
fn refused_anywhere(node: &SyntaxNode) -> Option<Action> {
    let kind = node.kind();
    let listed = || {
        // Its own kind first: checking the ancestors for each refusal would take longer than
        // everything else.
        let mut refusals = REFUSALS.iter().filter(|refusal| refusal.path.last() == Some(&kind));
        let refusal = refusals.find(|refusal| matches_path(node, refusal.path))?;
        Some(refuse_unsupported(refusal.text))
    };
    node.children()
        .find_map(|child| refused_anywhere(&child))
        .or_else(listed)
        .or_else(|| refused(node))
}

fn matches_path(node: &SyntaxNode, path: &[SyntaxKind]) -> bool {
    let mut upward = node.ancestors();
    path.iter().rev().all(|kind| upward.next().is_some_and(|ancestor| ancestor.kind() == *kind))
}

/// Applies the refusals that depend on more than the node's position.
fn refused(node: &SyntaxNode) -> Option<Action> {
    match node.kind() {
        SyntaxKind::ADD_CONSTRAINT => added_constraint(node),
        SyntaxKind::COLUMN | SyntaxKind::ADD_COLUMN => column_type(node),
        SyntaxKind::GENERATED_IDENTITY => identity(&node.parent()?, "identity column"),
        SyntaxKind::ADD_GENERATED => identity(node, "identity column"),
        SyntaxKind::CREATE_SEQUENCE => {
            identity(node, "CREATE SEQUENCE").or_else(|| sequence_type(node))
        }
        SyntaxKind::ALTER_STATISTICS => statistics_target(node),
        SyntaxKind::CREATE_INDEX if has_word(node, "concurrently") => {
            Some(refuse_unsupported("CONCURRENTLY not supported for CREATE INDEX"))
        }
        SyntaxKind::DROP_INDEX if has_word(node, "concurrently") => {
            let text = "DROP INDEX CONCURRENTLY must be first action in transaction";
            Some(refuse_unsupported(text))
        }
        SyntaxKind::LANGUAGE_FUNC_OPTION => {
            let text = node.text().to_string();
            let language = identifier(text.split_whitespace().last()?.trim_matches('\''));
            let text = format!("CREATE FUNCTION with language {language} not supported");
            (language != "sql").then(|| refuse_unsupported(text))
        }
        SyntaxKind::SCHEMA_REF if node.parent()?.kind() == SyntaxKind::PRIVILEGE_SCHEMA => {
            let is_system =
                matches!(identifier(&node.text().to_string()).as_str(), "public" | "sys");
            is_system.then(|| refuse_unsupported("feature not supported on system entity"))
        }
        SyntaxKind::CALL_EXPR => called(node),
        _ => None,
    }
}

/// Refuses constraints that DSQL does not add to an existing table. It adds one only without
/// checking the existing rows.
fn added_constraint(node: &SyntaxNode) -> Option<Action> {
    let constraint = node.children().next()?;
    let not_valid = find(&constraint, SyntaxKind::NOT_VALID).is_some();
    let using_index = find(&constraint, SyntaxKind::USING_INDEX_NAME).is_some();
    let text = match constraint.kind() {
        SyntaxKind::UNIQUE_CONSTRAINT if not_valid => {
            "UNIQUE constraints cannot be marked NOT VALID"
        }
        SyntaxKind::PRIMARY_KEY_CONSTRAINT if not_valid => {
            "PRIMARY KEY constraints cannot be marked NOT VALID"
        }
        SyntaxKind::UNIQUE_CONSTRAINT if using_index => return None,
        SyntaxKind::CHECK_CONSTRAINT | SyntaxKind::FOREIGN_KEY_CONSTRAINT if not_valid => {
            return None;
        }
        _ => "unsupported ALTER TABLE ADD CONSTRAINT statement",
    };
    Some(refuse_unsupported(text))
}

/// Refuses the types that PostgreSQL derives from a sequence, and identity columns of another type
/// than `bigint`.
fn column_type(column: &SyntaxNode) -> Option<Action> {
    let path = column.children().find(|node| node.kind() == SyntaxKind::PATH_TYPE)?;
    let name = identifier(&path.text().to_string());
    if matches!(
        name.as_str(),
        "serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8"
    ) {
        return Some(refuse(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")));
    }
    find(column, SyntaxKind::GENERATED_IDENTITY)?;
    let shown = match name.as_str() {
        "bigint" | "int8" => return None,
        "int" | "int4" => "integer",
        "int2" => "smallint",
        other => other,
    };
    let text = format!("datatype {shown} not supported, identity column type must be bigint");
    Some(refuse_unsupported(text))
}

fn identity(node: &SyntaxNode, what: &str) -> Option<Action> {
    let cache = find(node, SyntaxKind::OPTION_CACHE)
        .and_then(|option| option.children().next()?.text().to_string().parse::<u64>().ok());
    if cache.is_some_and(|cache| cache == 1 || cache >= SMALLEST_CACHE) {
        return None;
    }
    let text = format!(
        "{what} is not supported without an explicit cache size. please define CACHE greater than \
         or equal to {SMALLEST_CACHE} or equal to 1"
    );
    Some(refuse_unsupported(text))
}

/// Refuses sequences of another type than `bigint`. The text is derived from the one for identity
/// columns; only the refusal is recorded.
fn sequence_type(sequence: &SyntaxNode) -> Option<Action> {
    let option = find(sequence, SyntaxKind::OPTION_AS_TYPE)?.text().to_string();
    let name = identifier(option.split_whitespace().last()?);
    let text = format!("datatype {name} not supported, sequence type must be bigint");
    (!matches!(name.as_str(), "bigint" | "int8")).then(|| refuse_unsupported(text))
}

/// Refuses a statistics target above 100 (recorded: awslabs/agent-plugins, skill dsql).
fn statistics_target(node: &SyntaxNode) -> Option<Action> {
    let text = find(node, SyntaxKind::SET_STATISTICS)?.text().to_string();
    let target = text.split_whitespace().last()?.parse::<i64>().ok()?;
    let text = format!("statistics target {target} exceeds maximum allowed value of 100");
    (target > 100).then(|| refuse(SqlState::INVALID_PARAMETER_VALUE, text))
}

fn called(call: &SyntaxNode) -> Option<Action> {
    let path = call.first_child()?.text().to_string();
    let name = identifier(path.rsplit('.').next()?.trim());
    if name.starts_with("pg_") && name.contains("advisory_") {
        return Some(refuse_unsupported(format!("function {name} not supported")));
    }
    // Types in the form of functions. PostgreSQL's other types may occur in expressions.
    if matches!(name.as_str(), "line" | "circle") {
        return Some(refuse_unsupported(format!("datatype {name} not supported")));
    }
    if name != "set_config" {
        return None;
    }
    let setting = find(call, SyntaxKind::ARG)?.text().to_string();
    let setting = setting.trim().trim_matches('\'');
    (!settings::is_settable(setting)).then(|| refuse_unsupported(settings::not_supported(setting)))
}

/// Refuses a column for its constraint only if DSQL can store its type, which only PostgreSQL can
/// decide.
fn after_the_type(refusal: Action, tree: &SyntaxNode) -> Action {
    if !matches!(&refusal, Action::Refuse { text, .. } if text == ADD_COLUMN_WITH_CONSTRAINT) {
        return refusal;
    }
    let is_type = |node: &SyntaxNode| format!("{:?}", node.kind()).ends_with("_TYPE");
    find(tree, SyntaxKind::ADD_COLUMN).and_then(|column| column.children().find(is_type)).map_or(
        refusal,
        |kind| {
            let kind = quoted(&kind.text().to_string());
            rewrite(format!("CALL dsql_internal.refuse_column({kind})"), "ALTER TABLE")
        },
    )
}

/// Rewrites `CREATE INDEX` without `ASYNC`, which depends on a setting of the session.
fn plain_index(statement: &Lexed<'_>, tree: &SyntaxNode) -> Option<Action> {
    let sql = || format!("CALL dsql_internal.create_index({})", quoted(statement.text));
    (tree.kind() == SyntaxKind::CREATE_INDEX).then(|| rewrite(sql(), "CREATE INDEX"))
}

/// Rewrites `ENABLE TRIGGER ALL` and the like, which `pg_dump` writes: accepted, without effect.
fn switched_triggers(tree: &SyntaxNode) -> Option<Action> {
    let action = find(tree, SyntaxKind::ENABLE_TRIGGER)
        .or_else(|| find(tree, SyntaxKind::DISABLE_TRIGGER))?;
    let which = action.text().to_string().to_ascii_lowercase();
    matches!(which.split_whitespace().last(), Some("all" | "user")).then_some(())?;
    let table = quoted(&find(tree, SyntaxKind::TABLE_NAME_REF)?.text().to_string());
    let sql = format!("CALL dsql_internal.switch_triggers({table}::regclass)");
    Some(rewrite(sql, "ALTER TABLE"))
}

/// Refuses or rewrites `SET`, `RESET` and `SHOW`.
fn session_setting(statement: &Lexed<'_>, tree: &SyntaxNode) -> Option<Action> {
    match tree.kind() {
        SyntaxKind::SET | SyntaxKind::RESET => {
            let parameter = find(tree, SyntaxKind::CONFIG_PARAMETER_REF)?.text().to_string();
            let name = identifier(&parameter);
            if !settings::is_settable(&name) {
                return Some(refuse_unsupported(settings::not_supported(&name)));
            }
            let known = !settings::is_unknown_to_postgres(&name);
            let tag = if tree.kind() == SyntaxKind::SET { "SET" } else { "RESET" };
            let sql = || statement.text.replacen(&parameter, &format!("dsql.{name}"), 1);
            (!known).then(|| rewrite(sql(), tag))
        }
        SyntaxKind::SET_ROLE if find(tree, SyntaxKind::LOCAL_SCOPE).is_none() => {
            Some(refuse_unsupported(settings::not_supported("role")))
        }
        SyntaxKind::SHOW => {
            let name =
                identifier(&find(tree, SyntaxKind::CONFIG_PARAMETER_REF)?.text().to_string());
            let value = match name.as_str() {
                "server_version" => "16.15",
                "server_version_num" => "160015",
                "max_connections" => "20",
                _ => return None,
            };
            Some(rewrite(format!("SELECT '{value}' AS {name}"), "SHOW"))
        }
        _ => None,
    }
}

/// Rewrites statements on roles: they are DDL, but roles belong to all databases, and event
/// triggers do not fire for them.
fn shared_ddl(statement: &Lexed<'_>, tree: &SyntaxNode) -> Option<Action> {
    let on_objects = || find(tree, SyntaxKind::ON_PRIVILEGE_OBJECTS_CLAUSE).is_some();
    let tag = match tree.kind() {
        SyntaxKind::CREATE_ROLE | SyntaxKind::CREATE_USER | SyntaxKind::CREATE_GROUP => {
            "CREATE ROLE"
        }
        SyntaxKind::ALTER_ROLE | SyntaxKind::ALTER_USER | SyntaxKind::ALTER_GROUP => "ALTER ROLE",
        SyntaxKind::DROP_ROLE | SyntaxKind::DROP_USER | SyntaxKind::DROP_GROUP => "DROP ROLE",
        SyntaxKind::GRANT if !on_objects() => "GRANT ROLE",
        SyntaxKind::REVOKE if !on_objects() => "REVOKE ROLE",
        SyntaxKind::COMMENT_ON if find(tree, SyntaxKind::OBJECT_ROLE).is_some() => "COMMENT",
        _ => return None,
    };
    Some(rewrite(format!("CALL dsql_internal.shared_ddl({})", quoted(statement.text)), tag))
}

fn find(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.descendants().find(|descendant| descendant.kind() == kind)
}

/// Returns whether the node itself contains the keyword, not a node below it.
fn has_word(node: &SyntaxNode, keyword: &str) -> bool {
    node.children_with_tokens().any(|element| {
        element.as_token().is_some_and(|token| token.text().eq_ignore_ascii_case(keyword))
    })
}

/// Converts an identifier to the form in which PostgreSQL stores it: without quotation marks, or in
/// lower case.
fn identifier(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_ascii_lowercase(),
    }
}
