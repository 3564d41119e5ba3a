//! The header of a ledger: a comment on its table `migration`, as JSON.
//!
//! Every role can read comments, so a role that may only plan needs no further privilege, and an
//! earlier version of the provider ignores it.

use serde_json::{Map, Value};

use super::layout::{Layout, MIGRATION};
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Rows, literal};

/// The version of this provider.
pub(super) const PROVIDER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The longest text, in bytes, that a new header keeps from an earlier comment.
const MAX_KEPT: usize = 4096;

/// The names of the header that this provider reads.
const NAMES: [&str; 6] = ["layout", "oldest_writer", "provider_version", "id", "replaces", "note"];

/// Parts of a header by which the rest of it is recognized after an edit or a truncation.
const MARKS: [&str; 4] = ["layout", "oldest_writer", "provider_version", "\"id\""];

/// What a ledger states about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerHeader {
    /// The number of its layout.
    pub layout: u32,
    /// The oldest layout whose provider may still write to it.
    pub oldest_writer: u32,
    /// The version of the provider that wrote this layout.
    pub provider_version: Option<String>,
    /// The random identifier of the ledger; `None` before its first upgrade.
    pub id: Option<String>,
    /// The identifier of the ledger of a former cluster, if the first run had a state of that one.
    pub replaces: Option<String>,
    /// A comment that was there before the header.
    note: Option<String>,
    /// What a later version of the provider states in addition.
    others: Map<String, Value>,
}

impl Default for LedgerHeader {
    /// The header of a ledger of layout 1, which has none.
    fn default() -> Self {
        Self {
            layout: 1,
            oldest_writer: 1,
            provider_version: None,
            id: None,
            replaces: None,
            note: None,
            others: Map::new(),
        }
    }
}

impl LedgerHeader {
    /// Reads the comment on the table. A comment that is not a header belongs to a ledger of
    /// layout 1, and is kept. Returns `None` for the remains of a header that someone has edited.
    #[must_use]
    pub fn parse(comment: Option<&str>) -> Option<Self> {
        let Some(comment) = comment else { return Some(Self::default()) };
        let mut header = serde_json::from_str::<Map<String, Value>>(comment).unwrap_or_default();
        let number = |name| number(header.get(name)?);
        let oldest_writer = number("oldest_writer");
        let Some(layout) = number("layout").filter(|it| oldest_writer.is_none_or(|by| by <= *it))
        else {
            let text = comment.to_lowercase();
            let is_damaged = text.contains('{') && MARKS.iter().any(|mark| text.contains(mark));
            let note = Some(comment.to_owned()).filter(|note| note.len() <= MAX_KEPT);
            return (!is_damaged).then(|| Self { note, ..Self::default() });
        };
        let oldest_writer = oldest_writer.unwrap_or(layout);
        let text = |name| header.get(name).and_then(Value::as_str).map(str::to_owned);
        let (provider_version, id) = (text("provider_version"), text("id"));
        let replaces = text("replaces");
        let note = text("note").filter(|note| note.len() <= MAX_KEPT);
        header.retain(|name, _| !NAMES.contains(&name.as_str()));
        if Value::Object(header.clone()).to_string().len() > MAX_KEPT {
            header.clear();
        }
        Some(Self {
            layout,
            oldest_writer,
            provider_version: provider_version.filter(|version| is_token(version)),
            id: id.filter(|id| is_token(id)),
            replaces: replaces.filter(|id| is_token(id)),
            note,
            others: header,
        })
    }

    /// Whether a provider that knows this layout may write to the ledger.
    fn is_writable(&self, layout: &Layout) -> bool {
        self.oldest_writer <= layout.number
    }

    /// The header with an identifier, for a ledger without one.
    pub(super) fn identified(self, id: &str, replaces: Option<&str>) -> Self {
        if self.id.is_some() {
            return self;
        }
        Self { id: Some(id.to_owned()), replaces: replaces.map(str::to_owned), ..self }
    }

    /// The header after an upgrade to this layout.
    pub(super) fn upgraded(self, layout: &Layout) -> Self {
        if self.layout > layout.number {
            return self;
        }
        Self {
            layout: layout.number,
            oldest_writer: self.oldest_writer.max(layout.oldest_writer),
            provider_version: Some(PROVIDER_VERSION.to_owned()),
            ..self
        }
    }

    /// Returns the statement that writes the header.
    pub(super) fn write_sql(&self, ledger: &LedgerSchema) -> String {
        format!("COMMENT ON TABLE {ledger}.{} IS {}", MIGRATION.name, literal(&self.to_json()))
    }

    fn to_json(&self) -> String {
        let Self { layout, oldest_writer, provider_version, id, replaces, note, others } = self;
        let texts = [
            ("provider_version", provider_version),
            ("id", id),
            ("replaces", replaces),
            ("note", note),
        ];
        let mut header = others.clone();
        header.insert("layout".to_owned(), (*layout).into());
        header.insert("oldest_writer".to_owned(), (*oldest_writer).into());
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        header.extend(texts.map(|(name, text)| (name.to_owned(), text.as_str().into())));
        Value::Object(header).to_string()
    }
}

/// Reads a whole number, also one that is written as `2.0`. A number that is too large belongs to a
/// layout that this provider does not know.
fn number(value: &Value) -> Option<u32> {
    let digits = value.as_f64()?.to_string();
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| digits.parse().unwrap_or(u32::MAX).max(1))
}

/// Whether a text has the form of a version or of an identifier. Messages print both.
fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}

/// What this provider can do with a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LedgerState {
    /// There is none, or its creation did not finish.
    #[default]
    Missing,
    /// It has an earlier layout, lacks a column of its layout, or has no identifier. It can be
    /// read, and is upgraded before a write.
    Outdated(LedgerHeader),
    /// It can be read and written.
    Current(LedgerHeader),
    /// It can only be read.
    ReadOnly(ReadOnlyReason),
}

/// Why this provider must not write to a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadOnlyReason {
    /// The ledger has a later layout.
    #[error("the ledger has layout {}, to which this version of the provider may not write", .0.layout)]
    LaterLayout(LedgerHeader),
    /// Someone has edited the header, so the layout is unknown.
    #[error("the header of the ledger was edited and cannot be read")]
    DamagedHeader,
}

impl LedgerState {
    /// Parses the result of [`header_sql`].
    pub(crate) fn parse(rows: &Rows, layout: &Layout) -> Self {
        let Some([comment, is_complete]) = rows.first().map(Vec::as_slice) else {
            return Self::Missing;
        };
        match LedgerHeader::parse(comment.as_deref()) {
            None => Self::ReadOnly(ReadOnlyReason::DamagedHeader),
            Some(header) => Self::of(header, is_complete.as_deref() == Some("t"), layout),
        }
    }

    fn of(header: LedgerHeader, is_complete: bool, layout: &Layout) -> Self {
        if !header.is_writable(layout) {
            Self::ReadOnly(ReadOnlyReason::LaterLayout(header))
        } else if header.layout >= layout.number && header.id.is_some() && is_complete {
            Self::Current(header)
        } else {
            Self::Outdated(header)
        }
    }

    /// Whether there is a ledger.
    #[must_use]
    pub fn exists(&self) -> bool {
        *self != Self::Missing
    }

    /// The header, if it can be read.
    #[must_use]
    pub fn header(&self) -> Option<&LedgerHeader> {
        match self {
            Self::Outdated(header)
            | Self::Current(header)
            | Self::ReadOnly(ReadOnlyReason::LaterLayout(header)) => Some(header),
            Self::Missing | Self::ReadOnly(ReadOnlyReason::DamagedHeader) => None,
        }
    }
}

/// Returns a query for the header, and for whether the ledger has every column of the layout: a
/// restored dump may have lost some. The result is empty for a missing ledger.
pub(crate) fn header_sql(ledger: &LedgerSchema) -> String {
    let tables = ledger.layout().tables.iter();
    let columns: Vec<String> = tables
        .flat_map(|table| table.columns.iter().map(move |(column, _)| (table.name, *column)))
        .map(|(table, column)| format!("('{table}', '{column}')"))
        .collect();
    format!(
        "SELECT d.description,
                (SELECT count(*) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
                  WHERE t.relnamespace = n.oid AND t.relkind = 'r' AND a.attnum > 0
                    AND (t.relname, a.attname) IN ({})) = {}
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_description d
             ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
          WHERE n.nspname = {} AND c.relname = {}",
        columns.join(", "),
        columns.len(),
        literal(ledger.name()),
        literal(MIGRATION.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT_3: Layout = Layout { number: 3, oldest_writer: 2, tables: &[] };

    fn read(comment: &str) -> LedgerHeader {
        LedgerHeader::parse(Some(comment)).expect("a header or a note")
    }

    fn written(header: &LedgerHeader) -> LedgerHeader {
        read(&header.to_json())
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = LedgerHeader::default().identified("a1", None).upgraded(&LAYOUT_3);
        assert_eq!((header.layout, header.oldest_writer), (3, 2));
        assert_eq!(header.provider_version.as_deref(), Some(PROVIDER_VERSION));
        assert_eq!(written(&header), header);
        let kept = header.clone().identified("b2", Some("c3"));
        assert_eq!((kept.id.as_deref(), kept.replaces), (Some("a1"), None));
        let successor = LedgerHeader::default().identified("b2", Some("a1")).upgraded(&LAYOUT_3);
        assert_eq!(written(&successor).replaces.as_deref(), Some("a1"));
    }

    #[test]
    fn a_ledger_without_a_header_has_layout_1_and_a_foreign_comment_is_kept() {
        assert_eq!(LedgerHeader::parse(None), Some(LedgerHeader::default()));
        for comment in ["", "managed by the platform team", "{a, b}", "the layout of m", "[1]", "2"]
        {
            let header = read(comment);
            assert_eq!((header.layout, &header.id), (1, &None), "{comment}");
            let upgraded = header.identified("a1", None).upgraded(&LAYOUT_3);
            assert_eq!(written(&upgraded).note.as_deref(), Some(comment));
        }
    }

    #[test]
    fn an_edited_header_cannot_be_read_and_does_not_lose_its_guard() {
        for comment in [
            "{\"layout\": \"two\"}",
            "{\"layout\": 2.5, \"id\": \"a1\"}",
            "{\"layout\": -1}",
            "{\"layout\": 9, \"oldest_writer\": 9",
            "{\"layout\": 9} (see the wiki)",
            "Managed by us. {\"layout\": 9}",
            "[{\"layout\": 9}]",
            "{'layout': 9}",
            "{\"Layout\": 9}",
            "{\"id\": \"abc\", \"lay",
            "{\"oldest_writer\": 9, \"provider_version\": \"9.0.0\"}",
            // No provider writes a layout that it may not write to.
            "{\"layout\": 2, \"oldest_writer\": 3}",
        ] {
            assert_eq!(LedgerHeader::parse(Some(comment)), None, "{comment}");
            let rows = vec![vec![Some(comment.to_owned()), Some("t".to_owned())]];
            let state = LedgerState::parse(&rows, &LAYOUT_3);
            assert_eq!(state, LedgerState::ReadOnly(ReadOnlyReason::DamagedHeader), "{comment}");
        }
        // A tool may write a whole number as a float.
        let header = read("{\"layout\": 9.0, \"oldest_writer\": 8.0}");
        assert_eq!((header.layout, header.oldest_writer), (9, 8));
    }

    #[test]
    fn an_upgrade_keeps_what_a_later_version_of_the_provider_states() {
        let later = read(
            "{\"layout\": 9, \"oldest_writer\": 3, \"provider_version\": \"7.1.0\",
              \"region\": {\"home\": \"eu\"}}",
        );
        let upgraded = written(&later.clone().identified("a1", None).upgraded(&LAYOUT_3));
        assert_eq!(upgraded, later.identified("a1", None));
        assert_eq!(upgraded.others["region"]["home"], "eu");
        assert_eq!(read("{\"layout\": 9}").upgraded(&LAYOUT_3).provider_version, None);
    }

    #[test]
    fn texts_that_no_provider_writes_are_dropped() {
        let long = "x".repeat(MAX_KEPT + 1);
        assert_eq!(read(&long), LedgerHeader::default());
        let version = |text: &str| {
            let header = read(&format!("{{\"layout\": 2, \"provider_version\": {text:?}}}"));
            header.provider_version
        };
        assert_eq!(version("1.2.0-rc.1+5f0c").as_deref(), Some("1.2.0-rc.1+5f0c"));
        for text in ["", "1.0 of evil", "1.0\n\nRun this:", &"1".repeat(65)] {
            assert_eq!(version(text), None, "{text:?}");
        }
        let hostile = read(&format!(
            "{{\"layout\": 2, \"id\": \"a b\", \"note\": {long:?}, \"other\": {long:?}}}"
        ));
        assert_eq!(hostile, read("{\"layout\": 2}"));
    }

    /// The state of a ledger with this header and all columns.
    fn complete(header: LedgerHeader) -> LedgerState {
        LedgerState::of(header, true, &LAYOUT_3)
    }

    #[test]
    fn the_oldest_writer_decides_who_may_write() {
        let newer = "{\"layout\": 9, \"oldest_writer\": 3, \"id\": \"a1\"}";
        assert_eq!(complete(read(newer)), LedgerState::Current(read(newer)));
        let upgraded = read(newer).upgraded(&LAYOUT_3);
        assert_eq!(upgraded.layout, 9, "a layout is never lowered");
        for text in [
            "{\"layout\": 9, \"oldest_writer\": 4, \"id\": \"a1\"}",
            // A later version of the provider may omit what this one expects.
            "{\"layout\": 9, \"id\": \"a1\"}",
            "{\"layout\": 99999999999}",
        ] {
            let reason = ReadOnlyReason::LaterLayout(read(text));
            assert_eq!(complete(read(text)), LedgerState::ReadOnly(reason), "{text}");
        }
    }

    #[test]
    fn a_ledger_is_current_with_its_layout_its_columns_and_an_identifier() {
        let older = LedgerHeader::default().identified("a1", None);
        assert_eq!(complete(older.clone()), LedgerState::Outdated(older));
        let without_id = read("{\"layout\": 3, \"oldest_writer\": 2}");
        assert_eq!(complete(without_id.clone()), LedgerState::Outdated(without_id.clone()));
        let current = without_id.identified("a1", None);
        assert_eq!(complete(current.clone()), LedgerState::Current(current.clone()));
        let incomplete = LedgerState::of(current.clone(), false, &LAYOUT_3);
        assert_eq!(incomplete, LedgerState::Outdated(current));
    }
}
