//! Substitutes variables: `${name}` in a statement becomes a value, and `$${` a literal `${`.
//!
//! A value is an operand, never a statement. It may be part of a name, part of a literal, or whole
//! tokens between other tokens, but it must not end the literal, name or statement that contains
//! it. So text can be split, classified and shown before any value is known, and a value with a
//! quote in it is an error here instead of different SQL on the server. Comments are not changed.
//!
//! Errors contain the name of the variable and its line, never the value, which may be a secret.

use std::collections::{BTreeMap, BTreeSet};

use super::lex::{Lexer, Token, TokenKind, count_lines};
use super::split;
use crate::migration::{HiddenValue, VariableSyntax};

/// The variables that statements can use.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Values by variable name. `None` is a value that is not known yet.
    pub values: BTreeMap<String, Option<String>>,
    /// The variables whose values may be shown.
    pub visible: BTreeSet<String>,
}

/// Shows the names only, because a value may be a secret.
impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values.keys()).finish()
    }
}

/// A statement after substitution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The SQL. The name of a variable takes the place of a value that is not known yet.
    pub text: String,
    /// The text to show: with the values of visible variables, and the rest as in the template.
    pub shown: String,
    /// The values in `text` that `shown` does not contain, in order.
    pub hidden: Vec<HiddenValue>,
    /// Whether all values were known.
    pub complete: bool,
    /// Whether the value of a visible variable was not known.
    pub lacks_shown_value: bool,
    /// Names of the variables that were substituted.
    pub used: BTreeSet<String>,
}

/// Why variables cannot be substituted. `line` is counted from the first line of the text, which
/// is 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum RenderError {
    /// No variable with this name is set.
    #[error("variable `{name}` is not defined")]
    Unknown { name: String, line: usize },
    /// `${` that is not followed by a name and `}`.
    #[error("`${{` is not followed by a variable name and `}}`")]
    Malformed { line: usize },
    /// The value ends the literal, name or statement that contains it.
    #[error("the value of `{name}` ends the literal, name or statement that contains it")]
    BreaksOut { name: String, line: usize },
}

impl RenderError {
    /// Number of lines below the first line of the text.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Unknown { line, .. }
            | Self::Malformed { line }
            | Self::BreaksOut { line, .. } => *line,
        }
    }
}

/// Returns the names of the variables in a statement, as it writes them. Comments do not count.
#[must_use]
pub fn variables_in(sql: &str, syntax: VariableSyntax) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if syntax == VariableSyntax::Off || !sql.contains("${") {
        return found;
    }
    let tokens = Lexer::with(sql, 0, syntax).map_while(Result::ok);
    let is_comment =
        |kind: TokenKind| matches!(kind, TokenKind::LineComment | TokenKind::BlockComment);
    // A reference may be several tokens.
    let text: String = tokens.filter(|it| !is_comment(it.kind)).map(|it| it.text).collect();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("${") {
        let is_escaped = syntax == VariableSyntax::Own && rest[..at].ends_with('$');
        rest = &rest[at + 2..];
        if !is_escaped && let Some((name, after)) = name(rest) {
            found.insert(name.to_owned());
            rest = after;
        }
    }
    found
}

/// [`Variables::hide`] ignores shorter values: `1` or `dev` also occur in unrelated text.
const SHORTEST_HIDDEN: usize = 4;

impl Variables {
    /// Substitutes the variables in one statement, which are written in a certain syntax.
    ///
    /// # Errors
    ///
    /// Fails with the first variable that cannot be substituted.
    pub fn render(&self, sql: &str, syntax: VariableSyntax) -> Result<Rendered, RenderError> {
        let mut rendering = Rendering {
            variables: self,
            syntax,
            rendered: Rendered { complete: true, ..Rendered::default() },
        };
        if syntax == VariableSyntax::Off {
            rendering.copy(sql);
            return Ok(rendering.rendered);
        }
        let mut first: Option<Used> = None;
        let mut code = Part { from: 0, to: 0, line: 0 };
        for token in Lexer::with(sql, 0, syntax).map_while(Result::ok) {
            let comment = matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment);
            let literal = matches!(token.kind, TokenKind::String | TokenKind::QuotedIdentifier);
            if !comment && !literal {
                if code.from == code.to {
                    code = Part { from: token.start, to: token.start, line: token.line };
                }
                code.to = token.end();
                continue;
            }
            let used = rendering.code(&sql[code.from..code.to], code.line)?;
            first = first.or(used);
            code = Part { from: token.end(), to: token.end(), line: token.line };
            if comment {
                rendering.copy(token.text);
            } else {
                rendering.literal(&token)?;
            }
        }
        let used = rendering.code(&sql[code.from..code.to], code.line)?;
        first = first.or(used);

        match first {
            Some(used) if !is_one_statement_like(&rendering.rendered.text, sql) => {
                Err(used.breaks_out())
            }
            _ => Ok(rendering.rendered),
        }
    }

    /// Replaces values by the names of their variables in text from elsewhere, such as a message of
    /// the server, except values that may be shown. Values of fewer than four characters are not
    /// replaced.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let mut values: Vec<(&str, &String)> = self
            .values
            .iter()
            .filter(|(name, _)| !self.visible.contains(*name))
            .filter_map(|(name, value)| Some((value.as_deref()?, name)))
            .filter(|(value, _)| value.chars().count() >= SHORTEST_HIDDEN)
            .collect();
        // A value that contains another value comes first.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let mut rest = text;
        let mut hidden = String::new();
        while let Some(next) = rest.chars().next() {
            if let Some((value, name)) = values.iter().find(|(value, _)| rest.starts_with(value)) {
                hidden.push_str(&format!("${{{name}}}"));
                rest = &rest[value.len()..];
            } else {
                hidden.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        hidden
    }
}

struct Part {
    from: usize,
    to: usize,
    line: usize,
}

/// A use of a variable.
struct Used {
    name: String,
    line: usize,
}

impl Used {
    fn breaks_out(self) -> RenderError {
        RenderError::BreaksOut { name: self.name, line: self.line }
    }
}

struct Rendering<'a> {
    variables: &'a Variables,
    syntax: VariableSyntax,
    rendered: Rendered,
}

impl<'a> Rendering<'a> {
    /// Copies text without variables.
    fn copy(&mut self, text: &str) {
        self.rendered.text.push_str(text);
        self.rendered.shown.push_str(text);
    }

    /// Puts a variable, as it is `written`. The name takes the place of an unknown value.
    fn substitute(&mut self, name: &str, value: Option<&str>, written: &str) {
        let is_visible = self.variables.visible.contains(name);
        let rendered = &mut self.rendered;
        rendered.used.insert(name.to_owned());
        rendered.complete &= value.is_some();
        rendered.lacks_shown_value |= is_visible && value.is_none();
        let start = rendered.text.len();
        rendered.text.push_str(value.unwrap_or(name));
        match value.filter(|_| is_visible) {
            Some(value) => rendered.shown.push_str(value),
            None => {
                let range = start..rendered.text.len();
                rendered.hidden.push(HiddenValue { range, written: written.to_owned() });
                rendered.shown.push_str(written);
            }
        }
    }

    /// Substitutes in text without literals and comments. Returns the first variable in it.
    fn code(&mut self, part: &str, line: usize) -> Result<Option<Used>, RenderError> {
        self.put(part, line, |name, line, value| {
            let whole = is_inside_a_statement(value);
            if whole { Ok(()) } else { Err(Used { name: name.to_owned(), line }.breaks_out()) }
        })
    }

    /// Substitutes in one literal or quoted name, which must remain one token.
    fn literal(&mut self, token: &Token<'_>) -> Result<(), RenderError> {
        // At the start of a dollar-quoted literal, `$${` is the delimiter followed by a brace.
        let delimiter = match token.text.strip_prefix('$') {
            Some(rest) => rest.find('$').map_or(0, |end| end + 2),
            None => 0,
        };
        let (opening, body) = token.text.split_at(delimiter);
        let start = self.rendered.text.len();
        self.copy(opening);
        let used = self.put(body, token.line, |_, _, _| Ok(()))?;
        let literal = &self.rendered.text[start..];
        let mut tokens = Lexer::new(literal, 0);
        let stays = matches!(
            tokens.next(),
            Some(Ok(now)) if now.kind == token.kind && now.text.len() == literal.len()
        );
        match used {
            Some(used) if !stays => Err(used.breaks_out()),
            _ => Ok(()),
        }
    }

    /// The name of a variable as it is set, and its value.
    fn look_up(&self, name: &str) -> Option<(&'a str, Option<&'a str>)> {
        let variables = &self.variables.values;
        let is_same = |known: &&String| match self.syntax {
            VariableSyntax::Flyway => known.eq_ignore_ascii_case(name),
            VariableSyntax::Own | VariableSyntax::Off => *known == name,
        };
        let known = variables.get_key_value(name);
        let (name, value) = known.or_else(|| variables.iter().find(|(known, _)| is_same(known)))?;
        Some((name, value.as_deref()))
    }

    /// Copies text, replaces variables by their values, and returns the first variable in it.
    fn put(
        &mut self,
        mut part: &str,
        mut line: usize,
        check: impl Fn(&str, usize, &str) -> Result<(), RenderError>,
    ) -> Result<Option<Used>, RenderError> {
        let mut first = None;
        while let Some(at) = part.find("${") {
            line += count_lines(&part[..at]);
            if self.syntax == VariableSyntax::Own
                && let Some(before) = part[..at].strip_suffix('$')
            {
                self.copy(before);
                self.rendered.text.push_str("${");
                self.rendered.shown.push_str("$${");
                part = &part[at + 2..];
                continue;
            }
            self.copy(&part[..at]);
            let rest = &part[at + 2..];
            let (name, after) = name(rest).ok_or(RenderError::Malformed { line })?;
            let written = &part[at..part.len() - after.len()];
            let (name, value) = self
                .look_up(name)
                .ok_or_else(|| RenderError::Unknown { name: name.to_owned(), line })?;
            value.map_or(Ok(()), |value| check(name, line, value))?;
            self.substitute(name, value, written);
            first.get_or_insert_with(|| Used { name: name.to_owned(), line });
            part = after;
        }
        self.copy(part);
        Ok(first)
    }
}

/// Splits text after `${` into the name of the variable and the text after `}`.
fn name(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('}')?;
    is_variable_name(name).then_some((name, after))
}

/// Whether a variable may have this name: letters, digits and underscores, not beginning with a
/// digit.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.chars().all(|part| part.is_ascii_alphanumeric() || part == '_')
}

/// Whether a value between other tokens leaves the text around it unchanged: whole tokens, no
/// comments, no semicolons, and balanced parentheses.
fn is_inside_a_statement(value: &str) -> bool {
    let mut depth = 0_usize;
    for token in Lexer::new(value, 0) {
        let Ok(token) = token else { return false };
        let comment = matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment);
        if comment || token.is_symbol(";") || token.is_symbol("$") {
            return false;
        }
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            let Some(outer) = depth.checked_sub(1) else { return false };
            depth = outer;
        }
    }
    depth == 0
}

/// Whether the text is still one statement with as many comments as its template. A value can
/// complete the `--` or `/*` of a new comment.
fn is_one_statement_like(text: &str, template: &str) -> bool {
    let comments = |sql: &str| {
        let tokens = Lexer::new(sql, 0).map_while(Result::ok);
        tokens
            .filter(|t| matches!(t.kind, TokenKind::LineComment | TokenKind::BlockComment))
            .count()
    };
    let whole = split(text).is_ok_and(|pieces| pieces.len() == 1);
    whole && comments(text) == comments(template)
}

#[cfg(test)]
mod tests;
