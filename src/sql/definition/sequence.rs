//! Sequences, also those of identity columns.

use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// The options of a sequence that a text contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceOptions {
    /// `INCREMENT BY`.
    pub increment: Option<i64>,
    /// `MINVALUE`, or `None` in it for `NO MINVALUE`.
    pub min: Option<Option<i64>>,
    /// `MAXVALUE`, or `None` in it for `NO MAXVALUE`.
    pub max: Option<Option<i64>>,
    /// `START WITH`.
    pub start: Option<i64>,
    /// `CACHE`.
    pub cache: Option<i64>,
    /// `CYCLE` or `NO CYCLE`.
    pub cycle: Option<bool>,
    /// The type of its values.
    pub type_name: Option<String>,
    /// The options as text.
    pub text: String,
    /// Whether it has options that cannot be compared.
    pub has_unknown: bool,
}

/// All options of a sequence, as the server completes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceValues {
    increment: i64,
    min: i64,
    max: i64,
    start: i64,
    cache: i64,
    cycle: bool,
}

impl SequenceOptions {
    /// Reads the options as the catalog describes them. `None` if they are not complete.
    #[must_use]
    pub fn described(definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut cursor = Cursor::new(statement.all());
        let options = Self::read(&mut cursor);
        (cursor.is_at_end() && !options.has_unknown && options.start.is_some()).then_some(options)
    }

    /// Reads options up to the end or to a closing parenthesis.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Self {
        let mut options = Self::default();
        let before = cursor.rest();
        while !cursor.is_at_end() && !cursor.is_at(")") {
            if options.read_option(cursor).is_none() {
                options.has_unknown = true;
                cursor.skip_group();
            }
        }
        options.text = cursor.text_since(before);
        options
    }

    /// Reads the options of an identity column, which `SET` precedes, from behind the first `SET`.
    pub(in crate::sql) fn read_each(cursor: &mut Cursor<'_>) -> Self {
        let mut options = Self::default();
        loop {
            options.has_unknown |= options.read_option(cursor).is_none();
            if options.has_unknown || !cursor.eat("SET") {
                return options;
            }
        }
    }

    fn read_option(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.eat("INCREMENT") {
            cursor.eat("BY");
            self.increment = Some(cursor.integer()?);
        } else if cursor.eat_all(&["NO", "MINVALUE"]) {
            self.min = Some(None);
        } else if cursor.eat_all(&["NO", "MAXVALUE"]) {
            self.max = Some(None);
        } else if cursor.eat("MINVALUE") {
            self.min = Some(Some(cursor.integer()?));
        } else if cursor.eat("MAXVALUE") {
            self.max = Some(Some(cursor.integer()?));
        } else if cursor.eat("START") {
            cursor.eat("WITH");
            self.start = Some(cursor.integer()?);
        } else if cursor.eat("CACHE") {
            self.cache = Some(cursor.integer()?);
        } else if cursor.eat_all(&["NO", "CYCLE"]) {
            self.cycle = Some(false);
        } else if cursor.eat("CYCLE") {
            self.cycle = Some(true);
        } else if cursor.eat("AS") {
            self.type_name = Some(cursor.identifier()?);
        } else {
            return cursor.eat_all(&["OWNED", "BY", "NONE"]).then_some(());
        }
        Some(())
    }

    /// Adds what the server adds to a new sequence. `type_name` is the type of its values, if the
    /// options do not name one. `None` if the type is unknown.
    #[must_use]
    pub fn completed(&self, type_name: &str) -> Option<SequenceValues> {
        let type_name = self.type_name.as_deref().unwrap_or(type_name).to_ascii_lowercase();
        let (lowest, highest) = match type_name.as_str() {
            "smallint" | "int2" => (i64::from(i16::MIN), i64::from(i16::MAX)),
            "int" | "int4" | "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            "bigint" | "int8" => (i64::MIN, i64::MAX),
            _ => return None,
        };
        let increment = self.increment.unwrap_or(1);
        let ascends = increment > 0;
        let min = self.min.flatten().unwrap_or(if ascends { 1 } else { lowest });
        let max = self.max.flatten().unwrap_or(if ascends { highest } else { -1 });
        let start = self.start.unwrap_or(if ascends { min } else { max });
        let (cache, cycle) = (self.cache.unwrap_or(1), self.cycle.unwrap_or(false));
        Some(SequenceValues { increment, min, max, start, cache, cycle })
    }

    /// Whether a sequence with these complete options has those that an `ALTER` sets.
    #[must_use]
    pub fn includes(&self, altered: &Self) -> bool {
        fn is_set<T: PartialEq>(altered: Option<&T>, found: Option<&T>) -> bool {
            altered.is_none() || altered == found
        }
        is_set(altered.increment.as_ref(), self.increment.as_ref())
            && is_set(altered.min.as_ref(), self.min.as_ref())
            && is_set(altered.max.as_ref(), self.max.as_ref())
            && is_set(altered.start.as_ref(), self.start.as_ref())
            && is_set(altered.cache.as_ref(), self.cache.as_ref())
            && is_set(altered.cycle.as_ref(), Some(&self.cycle.unwrap_or(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> SequenceOptions {
        let statement = TokenBuf::of(sql);
        SequenceOptions::read(&mut Cursor::new(statement.all()))
    }

    const DESCRIBED: &str =
        "INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1";

    #[test]
    fn the_options_of_a_statement_are_completed_as_by_the_server() {
        let described = |text| SequenceOptions::described(text).expect("options");
        for (written, found) in [
            ("CACHE 1", DESCRIBED),
            ("AS bigint NO MINVALUE NO MAXVALUE NO CYCLE OWNED BY NONE", DESCRIBED),
            (
                "INCREMENT -2 CACHE 65536 CYCLE",
                "INCREMENT BY -2 MINVALUE -9223372036854775808 MAXVALUE -1 START WITH -1 CACHE \
                 65536 CYCLE",
            ),
            (
                "AS int MINVALUE 5",
                "INCREMENT BY 1 MINVALUE 5 MAXVALUE 2147483647 START WITH 5 CACHE 1",
            ),
        ] {
            let written = read(written);
            assert!(!written.has_unknown);
            assert_eq!(
                written.completed("bigint"),
                described(found).completed("bigint"),
                "{found}"
            );
        }
        let plain = described(DESCRIBED).completed("bigint");
        for other in ["INCREMENT 2", "MINVALUE 0", "MAXVALUE 9", "START 2", "CACHE 65536", "CYCLE"]
        {
            assert_ne!(read(other).completed("bigint"), plain, "{other}");
        }
        assert_eq!(read("AS app.number").completed("bigint"), None);
    }

    #[test]
    fn an_alter_changes_only_the_options_that_it_names() {
        let found = SequenceOptions::described(DESCRIBED).expect("options");
        assert!(found.includes(&read("INCREMENT 1 NO CYCLE")));
        assert!(!found.includes(&read("INCREMENT 1 CYCLE")));
        assert!(!found.includes(&read("CACHE 65536")));
        assert!(read("RESTART WITH 5").has_unknown && read("OWNED BY t.c").has_unknown);
    }
}
