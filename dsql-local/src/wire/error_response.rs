//! `ErrorResponse`: created for the relay's own refusals, and rewritten where PostgreSQL's error
//! differs from DSQL's.

use tokio_postgres::error::SqlState;

use super::frame::{Frame, Reader, put_string};

pub(crate) const DATA_CONFLICT: &str = "change conflicts with another transaction (OC000)";
pub(crate) const SCHEMA_CONFLICT: &str = "schema has been updated by another transaction (OC001)";

/// The fields of an error, in the order of the wire protocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrorResponse(Vec<(u8, String)>);

impl ErrorResponse {
    pub(crate) fn fatal(code: &SqlState, message: &str) -> Self {
        Self::of("FATAL", code, message)
    }

    pub(crate) fn error(code: &SqlState, message: &str) -> Self {
        Self::of("ERROR", code, message)
    }

    fn of(severity: &str, code: &SqlState, message: &str) -> Self {
        let code = code.code();
        let fields = [(b'S', severity), (b'V', severity), (b'C', code), (b'M', message)];
        Self(fields.map(|(name, value)| (name, value.to_owned())).into())
    }

    pub(crate) fn with_hint(mut self, hint: String) -> Self {
        self.0.push((b'H', hint));
        self
    }

    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        self.0.push((b'D', detail));
        self
    }

    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut fields = Vec::new();
        loop {
            match reader.bytes(1)?[0] {
                0 => return Some(Self(fields)),
                name => fields.push((name, reader.string()?.to_owned())),
            }
        }
    }

    pub(crate) fn frame(&self) -> Frame {
        self.framed_as(b'E')
    }

    /// Encodes the fields as an error (`E`) or as a notice (`N`).
    pub(crate) fn framed_as(&self, kind: u8) -> Frame {
        let mut body = Vec::new();
        for (name, value) in &self.0 {
            body.push(*name);
            put_string(&mut body, value);
        }
        body.push(0);
        Frame::new(kind, body)
    }

    pub(crate) fn code(&self) -> &str {
        self.field(b'C').unwrap_or_default()
    }

    pub(crate) fn has_code(&self, code: &SqlState) -> bool {
        self.code() == code.code()
    }

    /// Returns whether PostgreSQL gave up because of another transaction: a lost update or a lock.
    pub(crate) fn is_lock_conflict(&self) -> bool {
        let codes = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        codes.iter().any(|code| self.has_code(code))
    }

    pub(crate) fn message(&self) -> &str {
        self.field(b'M').unwrap_or_default()
    }

    fn field(&self, name: u8) -> Option<&str> {
        self.0.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    /// Turns lock errors and lost updates into DSQL's conflicts, because PostgreSQL waits and then
    /// gives up where DSQL reports a conflict.
    ///
    /// A conflict of a DDL statement is a schema conflict.
    pub(crate) fn conflicts_as_dsql(&mut self, of_ddl: bool) {
        let raced_on_catalog = self.has_code(&SqlState::INTERNAL_ERROR)
            && self.message().starts_with("tuple concurrently");
        if raced_on_catalog || self.is_lock_conflict() {
            let message = if of_ddl || raced_on_catalog { SCHEMA_CONFLICT } else { DATA_CONFLICT };
            *self = Self::error(&SqlState::T_R_SERIALIZATION_FAILURE, message);
        }
    }

    /// Uses DSQL's texts for keys and for the memory of a query, where PostgreSQL fails before the
    /// rules of `bootstrap.sql` apply.
    pub(crate) fn limits_as_dsql(&mut self) {
        let no_operators = self
            .message()
            .strip_prefix("data type ")
            .filter(|_| self.has_code(&SqlState::UNDEFINED_OBJECT))
            .and_then(|rest| rest.split_once(" has no default operator class"))
            .map(|(name, _)| format!("datatype {name} is not supported in a key"));
        let too_large = self.has_code(&SqlState::PROGRAM_LIMIT_EXCEEDED)
            && (self.message().starts_with("index row ") && self.message().contains(" exceeds "));
        let temporary = self.has_code(&SqlState::CONFIGURATION_LIMIT_EXCEEDED)
            && self.message().contains("temp_file_limit");
        let out_of_space = "query requires more than allowed temp space of 131072 KB to execute";
        let (code, message) = match no_operators {
            Some(message) => (SqlState::FEATURE_NOT_SUPPORTED, message),
            None if temporary => (SqlState::PROGRAM_LIMIT_EXCEEDED, out_of_space.to_owned()),
            None if too_large => {
                (SqlState::PROGRAM_LIMIT_EXCEEDED, "key size too large".to_owned())
            }
            None => return,
        };
        *self = Self::error(&code, &message);
    }

    /// Removes a position that refers to a text which the client has not written.
    pub(crate) fn forget_position(&mut self) {
        self.0.retain(|(name, _)| *name != b'P');
    }

    /// Moves a position in the statement to the position in the client's message, in characters.
    pub(crate) fn move_position(&mut self, by: usize) {
        for (name, value) in &mut self.0 {
            if *name == b'P'
                && let Ok(position) = value.parse::<usize>()
            {
                *value = (position + by).to_string();
            }
        }
    }

    /// Hides that a function of the emulator raised the error or ran the statement that failed.
    ///
    /// `statement` is the number of characters before the client's statement in its message.
    pub(crate) fn without_internals(&mut self, statement: usize) {
        let ours = |field: &(u8, String)| field.0 == b'W' && field.1.contains("dsql_internal.");
        if !self.0.iter().any(ours) {
            return;
        }
        // A position in the inner statement is the same in the client's statement, because
        // rewriting keeps the length.
        let inner = self.field(b'p').and_then(|position| position.parse::<usize>().ok());
        self.0.retain(|(name, _)| matches!(name, b'S' | b'V' | b'C' | b'M' | b'D' | b'H'));
        if let Some(position) = inner {
            self.0.push((b'P', (statement + position).to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_timeout_is_a_data_conflict_and_one_of_ddl_a_schema_conflict() {
        let timeout = ErrorResponse::fatal(
            &SqlState::LOCK_NOT_AVAILABLE,
            "canceling statement due to lock timeout",
        );
        for (of_ddl, message) in [(false, DATA_CONFLICT), (true, SCHEMA_CONFLICT)] {
            let mut error = timeout.clone();
            error.conflicts_as_dsql(of_ddl);

            assert_eq!((error.code(), error.message()), ("40001", message));
        }
    }

    #[test]
    fn an_error_is_parsed_as_it_was_encoded() {
        let error = ErrorResponse::fatal(&SqlState::PROTOCOL_VIOLATION, "no")
            .with_hint("try again".to_owned());

        let read = ErrorResponse::parse(&error.frame().body).expect("well formed");

        assert_eq!(read.0, error.0);
    }
}
