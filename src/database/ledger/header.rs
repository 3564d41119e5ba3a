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

/// What a ledger states about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerHeader {
    /// The number of its layout.
    pub layout: u32,
    /// The oldest layout whose provider may still write to it.
    pub oldest_writer: u32,
    /// The version of the provider that created or upgraded it.
    pub provider_version: Option<String>,
    /// The random identifier of the ledger; `None` before its first upgrade.
    pub id: Option<String>,
    /// A comment that was there before the header.
    note: Option<String>,
}

impl Default for LedgerHeader {
    /// The header of a ledger of layout 1, which has none.
    fn default() -> Self {
        Self { layout: 1, oldest_writer: 1, provider_version: None, id: None, note: None }
    }
}

impl LedgerHeader {
    /// Reads the comment on the table. A comment that is not a header belongs to a ledger of
    /// layout 1, and is kept.
    #[must_use]
    pub fn parse(comment: Option<&str>) -> Self {
        let Some(comment) = comment else { return Self::default() };
        let header = serde_json::from_str::<Map<String, Value>>(comment).unwrap_or_default();
        // A number that is too large belongs to a layout that this provider does not know.
        let number =
            |name| Some(u32::try_from(header.get(name)?.as_u64()?).unwrap_or(u32::MAX).max(1));
        let text = |name| header.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(layout) = number("layout") else {
            return Self { note: Some(comment.to_owned()), ..Self::default() };
        };
        Self {
            layout,
            oldest_writer: number("oldest_writer").unwrap_or(layout),
            provider_version: text("provider_version"),
            id: text("id").filter(|id| !id.is_empty()),
            note: text("note"),
        }
    }

    /// Whether a provider that knows this layout may write to the ledger.
    fn is_writable(&self, layout: &Layout) -> bool {
        self.oldest_writer <= layout.number
    }

    /// Whether the ledger has everything that a provider of this layout writes.
    fn is_current(&self, layout: &Layout) -> bool {
        self.layout >= layout.number && self.id.is_some()
    }

    /// The header with an identifier, for a ledger without one.
    pub(super) fn identified(self, id: &str) -> Self {
        Self { id: self.id.or_else(|| Some(id.to_owned())), ..self }
    }

    /// The header after an upgrade to this layout.
    pub(super) fn upgraded(self, layout: &Layout) -> Self {
        Self {
            layout: self.layout.max(layout.number),
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
        let Self { layout, oldest_writer, provider_version, id, note } = self;
        let texts = [("provider_version", provider_version), ("id", id), ("note", note)];
        let mut header = Map::new();
        header.insert("layout".to_owned(), (*layout).into());
        header.insert("oldest_writer".to_owned(), (*oldest_writer).into());
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        header.extend(texts.map(|(name, text)| (name.to_owned(), text.as_str().into())));
        Value::Object(header).to_string()
    }
}

/// What this provider can do with a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LedgerState {
    /// There is none, or its creation did not finish.
    #[default]
    Missing,
    /// It has an earlier layout, or no identifier. It can be read, and is upgraded before a write.
    Outdated(LedgerHeader),
    /// It can be read and written.
    Current(LedgerHeader),
    /// A later layout can only be read.
    ReadOnly(LedgerHeader),
}

impl LedgerState {
    pub(crate) fn of(header: LedgerHeader, layout: &Layout) -> Self {
        if !header.is_writable(layout) {
            Self::ReadOnly(header)
        } else if header.is_current(layout) {
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
}

/// Returns a query for the header. It has no row if there is no ledger.
pub(crate) fn header_sql(ledger: &LedgerSchema) -> String {
    format!(
        "SELECT d.description
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_description d
             ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
          WHERE n.nspname = {} AND c.relname = {}",
        literal(ledger.name()),
        literal(MIGRATION.name),
    )
}

/// Parses the result of [`header_sql`].
pub(crate) fn parse_header(rows: &Rows) -> Option<LedgerHeader> {
    let comment = rows.first()?.first()?;
    Some(LedgerHeader::parse(comment.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT_3: Layout = Layout { number: 3, oldest_writer: 2, tables: &[] };

    fn written(header: &LedgerHeader) -> LedgerHeader {
        LedgerHeader::parse(Some(&header.to_json()))
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = LedgerHeader::default().identified("a1").upgraded(&LAYOUT_3);
        assert_eq!((header.layout, header.oldest_writer), (3, 2));
        assert_eq!(header.provider_version.as_deref(), Some(PROVIDER_VERSION));
        assert_eq!(written(&header), header);
        assert_eq!(header.clone().identified("b2").id.as_deref(), Some("a1"));
    }

    #[test]
    fn a_ledger_without_a_header_has_layout_1_and_a_foreign_comment_is_kept() {
        assert_eq!(LedgerHeader::parse(None), LedgerHeader::default());
        for comment in ["", "managed by the platform team", "{\"layout\": \"two\"}", "[1]", "2"] {
            let header = LedgerHeader::parse(Some(comment));
            assert_eq!((header.layout, &header.id), (1, &None), "{comment}");
            let upgraded = header.identified("a1").upgraded(&LAYOUT_3);
            assert_eq!(written(&upgraded).note.as_deref(), Some(comment));
        }
    }

    #[test]
    fn the_oldest_writer_decides_who_may_write() {
        let header = |text| LedgerHeader::parse(Some(text));
        let state = |text| LedgerState::of(header(text), &LAYOUT_3);
        let newer = "{\"layout\": 9, \"oldest_writer\": 3, \"id\": \"a1\"}";
        assert_eq!(state(newer), LedgerState::Current(header(newer)));
        let upgraded = header(newer).upgraded(&LAYOUT_3);
        assert_eq!(upgraded.layout, 9, "a layout is never lowered");
        for text in [
            "{\"layout\": 9, \"oldest_writer\": 4, \"id\": \"a1\"}",
            // A later version of the provider may omit what this one expects.
            "{\"layout\": 9, \"id\": \"a1\"}",
            "{\"layout\": 99999999999}",
        ] {
            assert_eq!(state(text), LedgerState::ReadOnly(header(text)), "{text}");
        }
    }

    #[test]
    fn a_ledger_is_current_with_its_layout_and_an_identifier() {
        let state = |header: LedgerHeader| LedgerState::of(header, &LAYOUT_3);
        let older = LedgerHeader::default().identified("a1");
        assert_eq!(state(older.clone()), LedgerState::Outdated(older));
        let without_id = LedgerHeader::parse(Some("{\"layout\": 3, \"oldest_writer\": 2}"));
        assert_eq!(state(without_id.clone()), LedgerState::Outdated(without_id.clone()));
        let current = without_id.identified("a1");
        assert_eq!(state(current.clone()), LedgerState::Current(current));
    }
}
