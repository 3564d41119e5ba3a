//! Functions.

use std::collections::BTreeMap;

use super::is_same_type;
use super::type_name::type_name;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// How a function is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDefinition {
    /// Its arguments, also those that it returns.
    pub arguments: Vec<ArgumentDefinition>,
    /// The type of its result, without that of a set or a table; empty if its arguments define it.
    pub returns: String,
    /// The options that differ from the default, by name.
    pub options: BTreeMap<&'static str, String>,
    /// The text of its body, if it is a string.
    pub body: Option<String>,
    /// The definition as text.
    pub text: String,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentDefinition {
    /// `IN`, `OUT`, `INOUT`, `VARIADIC`, or `TABLE` for a column of the result.
    pub mode: &'static str,
    /// Its name.
    pub name: Option<String>,
    /// The name of its type.
    pub type_name: String,
    /// The expression of its default.
    pub default: Option<String>,
}

impl FunctionDefinition {
    /// Reads a definition as the catalog describes it: the whole statement. `None` if it is not
    /// one.
    #[must_use]
    pub fn described(definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut cursor = Cursor::new(statement.all());
        if !cursor.eat_all(&["CREATE", "OR", "REPLACE", "FUNCTION"]) {
            return None;
        }
        cursor.name()?;
        Self::read(&mut cursor).filter(|function| !function.has_unknown)
    }

    /// Reads what follows the name in `CREATE FUNCTION`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let before = cursor.rest();
        let mut function = Self {
            arguments: arguments(cursor)?,
            returns: String::new(),
            options: BTreeMap::new(),
            body: None,
            text: String::new(),
            has_unknown: false,
        };
        while !cursor.is_at_end() {
            if cursor.eat("RETURNS") && !cursor.is_at("NULL") {
                function.read_result(cursor)?;
            } else if cursor.eat("AS") {
                function.body = cursor.string();
                if function.body.is_none() {
                    cursor.skip_group();
                }
            } else {
                function.read_option(cursor);
            }
        }
        // The body of the SQL standard, which the server prints in its own way.
        function.has_unknown |= function.body.is_none();
        function.text = cursor.text_since(before);
        Some(function)
    }

    fn read_result(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.eat("TABLE") {
            let columns = arguments(cursor)?;
            let of_table = |column| ArgumentDefinition { mode: "TABLE", ..column };
            self.arguments.extend(columns.into_iter().map(of_table));
            self.options.insert("set", "true".into());
            return Some(());
        }
        if cursor.eat("SETOF") {
            self.options.insert("set", "true".into());
        }
        self.returns = result_type(cursor)?;
        Some(())
    }

    fn read_option(&mut self, cursor: &mut Cursor<'_>) {
        if cursor.eat("LANGUAGE") {
            let language = cursor.string().or_else(|| cursor.identifier());
            let language = language.unwrap_or_default().to_ascii_lowercase();
            if language != "sql" {
                self.options.insert("language", language);
            }
            return;
        }
        // The words with the option that they set; nothing for a default.
        const FLAGS: &[(&[&str], &str, &str)] = &[
            (&["VOLATILE"], "", ""),
            (&["STABLE"], "volatility", "stable"),
            (&["IMMUTABLE"], "volatility", "immutable"),
            (&["CALLED", "ON", "NULL", "INPUT"], "", ""),
            (&["NULL", "ON", "NULL", "INPUT"], "strict", "true"),
            (&["STRICT"], "strict", "true"),
            (&["NOT", "LEAKPROOF"], "", ""),
            (&["LEAKPROOF"], "leakproof", "true"),
            (&["SECURITY", "DEFINER"], "security", "definer"),
            (&["SECURITY", "INVOKER"], "", ""),
            (&["PARALLEL", "UNSAFE"], "", ""),
            (&["PARALLEL", "SAFE"], "parallel", "safe"),
            (&["PARALLEL", "RESTRICTED"], "parallel", "restricted"),
        ];
        cursor.eat("EXTERNAL");
        match FLAGS.iter().find(|(words, ..)| cursor.eat_all(words)) {
            Some((_, "", _)) => {}
            Some((_, name, value)) => drop(self.options.insert(name, (*value).to_owned())),
            None => {
                self.has_unknown = true;
                cursor.skip_group();
            }
        }
    }

    /// The types of the arguments that identify the function among others with its name.
    #[must_use]
    pub fn signature(&self) -> Vec<String> {
        identifying(&self.arguments).map(|argument| argument.type_name.clone()).collect()
    }
}

/// Reads `(arguments)` as the types that identify a function.
pub(in crate::sql) fn signature(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    let arguments = arguments(cursor)?;
    Some(identifying(&arguments).map(|argument| argument.type_name.clone()).collect())
}

/// Reads `name(types)`, the name of a function in the catalog, as the types that identify it.
#[must_use]
pub fn signature_of(function: &str) -> Option<Vec<String>> {
    let statement = TokenBuf::of(function);
    let mut cursor = Cursor::new(statement.all());
    cursor.name()?;
    signature(&mut cursor)
}

fn identifying(arguments: &[ArgumentDefinition]) -> impl Iterator<Item = &ArgumentDefinition> {
    arguments.iter().filter(|argument| !["OUT", "TABLE"].contains(&argument.mode))
}

/// Whether two lists of argument types are the same. Types that only the server can compare are the
/// same if their texts end with the same name, and not in two schemas.
#[must_use]
pub fn is_same_signature(written: &[String], found: &[String]) -> bool {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let plain = |name: &str| name.replace('"', "").to_ascii_lowercase();
    let is_same = |(written, found): (&String, &String)| {
        let known = is_same_type(without_length(written), without_length(found));
        known.unwrap_or_else(|| match written.contains('.') && found.contains('.') {
            true => plain(written) == plain(found),
            // The search path decides.
            false => last(written) == last(found),
        })
    };
    written.len() == found.len() && written.iter().zip(found).all(is_same)
}

/// The name of a type without its length, which the server does not store for functions.
#[must_use]
pub fn without_length(type_name: &str) -> &str {
    type_name.split('(').next().unwrap_or(type_name).trim_end()
}

/// Reads `(…)`.
fn arguments(cursor: &mut Cursor<'_>) -> Option<Vec<ArgumentDefinition>> {
    if !cursor.eat("(") {
        return None;
    }
    if cursor.eat(")") {
        return Some(Vec::new());
    }
    let arguments = cursor.list(argument)?;
    cursor.eat(")").then_some(arguments)
}

fn argument(cursor: &mut Cursor<'_>) -> Option<ArgumentDefinition> {
    const MODES: [(&[&str], &str); 5] = [
        (&["IN", "OUT"], "INOUT"),
        (&["INOUT"], "INOUT"),
        (&["IN"], "IN"),
        (&["OUT"], "OUT"),
        (&["VARIADIC"], "VARIADIC"),
    ];
    let mode = MODES.iter().find(|(words, _)| cursor.eat_all(words)).map_or("IN", |(_, mode)| mode);
    // A name precedes the type, unless the words are one type.
    let before = cursor.rest();
    let whole = type_name(cursor)?;
    let words = before.split_at(before.len() - cursor.rest().len()).0;
    let is_type = words.len() == 1
        || words.skip(1).begins_with_any(&[&["("], &["."], &["["]])
        || words.begins_with_any(&[
            &["DOUBLE", "PRECISION"],
            &["CHARACTER", "VARYING"],
            &["CHAR", "VARYING"],
            &["TIMESTAMP", "WITH"],
            &["TIMESTAMP", "WITHOUT"],
            &["TIME", "WITH"],
            &["TIME", "WITHOUT"],
            &["INTERVAL"],
        ]);
    let (name, type_name) = if is_type {
        (None, whole)
    } else {
        (Some(words.first()?.identifier()?), words.skip(1).text())
    };
    let has_default = cursor.eat("DEFAULT") || cursor.eat("=");
    let default = has_default.then(|| cursor.expression(&[]));
    Some(ArgumentDefinition { mode, name, type_name, default })
}

/// Reads the type of the result, up to the next option.
fn result_type(cursor: &mut Cursor<'_>) -> Option<String> {
    const OPTIONS: &[&str] = &[
        "LANGUAGE",
        "VOLATILE",
        "STABLE",
        "IMMUTABLE",
        "CALLED",
        "RETURNS",
        "STRICT",
        "NOT",
        "LEAKPROOF",
        "SECURITY",
        "EXTERNAL",
        "PARALLEL",
        "COST",
        "ROWS",
        "SUPPORT",
        "SET",
        "AS",
        "WINDOW",
        "TRANSFORM",
        "BEGIN",
        "RETURN",
    ];
    (!cursor.is_at_end()).then(|| cursor.expression(OPTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sql: &str) -> FunctionDefinition {
        let statement = TokenBuf::of(sql);
        FunctionDefinition::read(&mut Cursor::new(statement.all())).expect("a function")
    }

    #[test]
    fn a_function_of_a_statement_has_the_parts_that_the_catalog_describes() {
        let function = written(
            "(a int, IN double precision, OUT c text = 'x', d double precision DEFAULT f(1, 2)) \
             RETURNS SETOF varchar(3) LANGUAGE SQL STABLE STRICT AS $f$SELECT 'it''s'$f$",
        );
        let described = FunctionDefinition::described(
            "CREATE OR REPLACE FUNCTION public.f(a integer, double precision, OUT c text, d double \
             precision DEFAULT f(1, 2))\n RETURNS SETOF character varying\n LANGUAGE sql\n STABLE \
             STRICT\nAS $function$SELECT 'it''s'$function$\n",
        );
        let described = described.expect("a function");
        assert_eq!(function.options, described.options);
        assert_eq!(function.body, described.body);
        assert_eq!(function.body.as_deref(), Some("SELECT 'it''s'"));
        let names = |function: &FunctionDefinition| -> Vec<Option<String>> {
            function.arguments.iter().map(|argument| argument.name.clone()).collect()
        };
        assert_eq!(names(&function), names(&described));
        assert_eq!(function.arguments[3].default.as_deref(), Some("f(1, 2)"));
        assert!(is_same_signature(&function.signature(), &described.signature()));
        let of_name = "public.f(integer, double precision, double precision)";
        assert_eq!(signature_of(of_name), Some(described.signature()));
        assert_eq!(function.returns, "varchar(3)");
    }

    #[test]
    fn a_table_is_a_result_with_columns() {
        let function = written("() RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT 1'");
        assert_eq!(function.arguments.len(), 2);
        assert_eq!(function.signature(), [""; 0]);
        assert_eq!(function.options.get("set").map(String::as_str), Some("true"));
    }

    #[test]
    fn what_cannot_be_compared_is_noted() {
        for sql in [
            "(a int) RETURNS int LANGUAGE sql COST 5 AS 'SELECT 1'",
            "(a int) RETURNS int LANGUAGE sql SET timezone = 'utc' AS 'SELECT 1'",
            "(a int) RETURNS int RETURN a + 1",
            "(a int) RETURNS int LANGUAGE sql AS E'SELECT\\n1'",
        ] {
            assert!(written(sql).has_unknown, "{sql}");
        }
    }

    #[test]
    fn signatures_differ_in_number_and_types() {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let is_same = |one: &[&str], other: &[&str]| is_same_signature(&owned(one), &owned(other));
        assert!(is_same(&["int", "varchar(3)"], &["integer", "character varying"]));
        assert!(is_same(&["mail"], &["app.mail"]));
        assert!(is_same(&["\"app\".mail"], &["app.mail"]));
        assert!(!is_same(&["shop.mail"], &["app.mail"]));
        for (one, other) in
            [(&["int"][..], &["integer", "text"][..]), (&["int"], &[]), (&["int"], &["bigint"])]
        {
            assert!(!is_same(one, other), "{one:?} {other:?}");
        }
    }
}
