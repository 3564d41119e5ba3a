//! The relay's end of the connection to PostgreSQL, and the internal statements that the relay runs
//! there.
//!
//! The client sees nothing of an internal statement: its response is read here.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};

use super::super::error_response::ErrorResponse;
use super::super::frame::{Frame, Reader, put_string};
use super::super::login::Backend;

/// Transaction status outside of a block, in a block, and in a block that has failed.
pub(super) const IDLE: u8 = b'I';
pub(super) const IN_BLOCK: u8 = b'T';
pub(super) const FAILED: u8 = b'E';

/// Name of internal prepared statements and portals. A client cannot use it, because it contains a
/// control character.
pub(super) const INTERNAL_NAME: &str = "\u{1}dsql";

/// Values as text.
pub(super) type Rows = Vec<Vec<Option<String>>>;

pub(super) struct Postgres {
    input: BufReader<ReadHalf<Backend>>,
    output: WriteHalf<Backend>,
    /// The last status in a `ReadyForQuery`.
    pub(super) status: u8,
    /// Whether that `ReadyForQuery` has been read but not yet taken into account.
    pub(super) is_ready: bool,
    /// Internal statements that are sent together with the next message.
    queue: Vec<Frame>,
    /// Parameters that internal statements have changed, for example by rolling back a `SET LOCAL`.
    /// The client has to receive these messages.
    parameter_changes: Vec<Frame>,
}

impl Postgres {
    pub(super) fn new(backend: Backend) -> Self {
        let (input, output) = tokio::io::split(backend);
        Self {
            input: BufReader::new(input),
            output,
            status: IDLE,
            is_ready: false,
            queue: Vec::new(),
            parameter_changes: Vec::new(),
        }
    }

    /// Sends messages after the queued ones. The responses to the queued ones are read here, so
    /// they must not take long.
    pub(super) async fn send(&mut self, frames: &[Frame]) -> io::Result<()> {
        let queue = std::mem::take(&mut self.queue);
        for frame in queue.iter().chain(frames) {
            frame.write(&mut self.output).await?;
        }
        self.output.flush().await?;
        for _ in queue {
            self.rows_up_to_ready().await?.ok();
        }
        self.is_ready = false;
        Ok(())
    }

    /// Queues an internal statement whose response does not matter, between messages of the simple
    /// protocol.
    pub(super) fn queue(&mut self, sql: &str) {
        self.queue.push(query(sql));
    }

    pub(super) async fn read(&mut self) -> io::Result<Frame> {
        let frame = Frame::read(&mut self.input).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if frame.kind == b'Z' {
            self.status = frame.body.first().copied().unwrap_or(IDLE);
            self.is_ready = true;
        }
        Ok(frame)
    }

    /// Returns whether there is something to read before `patience` has passed.
    pub(super) async fn has_response_within(&mut self, patience: Duration) -> io::Result<bool> {
        if self.has_response() {
            return Ok(true);
        }
        match tokio::time::timeout(patience, self.input.fill_buf()).await {
            Ok(read) => read.map(|_| true),
            Err(_) => Ok(false),
        }
    }

    pub(super) fn has_response(&self) -> bool {
        !self.input.buffer().is_empty()
    }

    pub(super) fn take_parameter_changes(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.parameter_changes)
    }

    /// Runs internal statements between messages of the simple protocol. They invalidate the
    /// unnamed prepared statement.
    pub(super) async fn query(&mut self, sql: &str) -> io::Result<Result<Rows, ErrorResponse>> {
        self.send(&[query(sql)]).await?;
        self.rows_up_to_ready().await
    }

    /// Runs an internal statement within a group of the extended protocol, without ending the group
    /// or affecting its statements and portals. After an error, PostgreSQL waits for a `Sync`.
    pub(super) async fn execute(&mut self, sql: &str) -> io::Result<Result<Rows, ErrorResponse>> {
        self.send(&[
            // An earlier statement that failed has left them behind.
            Frame::new(b'C', named(b'P', INTERNAL_NAME)),
            Frame::new(b'C', named(b'S', INTERNAL_NAME)),
            parse(INTERNAL_NAME, sql, &[0, 0]),
            bind(INTERNAL_NAME, INTERNAL_NAME, &[0; 6]),
            execute(INTERNAL_NAME),
            Frame::new(b'C', named(b'P', INTERNAL_NAME)),
            Frame::new(b'C', named(b'S', INTERNAL_NAME)),
            Frame::new(b'H', []),
        ])
        .await?;
        let (mut rows, mut closed) = (Rows::new(), 0);
        while closed < 4 {
            let frame = self.read().await?;
            match frame.kind {
                b'D' => rows.push(row(&frame.body)),
                b'E' => return Ok(Err(ErrorResponse::parse(&frame.body).unwrap_or_default())),
                b'S' => self.parameter_changes.push(frame),
                b'3' => closed += 1,
                _ => {}
            }
        }
        Ok(Ok(rows))
    }

    /// Ends a group of the extended protocol.
    pub(super) async fn sync(&mut self) -> io::Result<()> {
        self.send(&[Frame::new(b'S', [])]).await?;
        // The client receives an error of the end itself only at its own Sync.
        self.rows_up_to_ready().await.map(drop)
    }

    /// Reads up to `ReadyForQuery`, and returns the rows or the error.
    pub(super) async fn rows_up_to_ready(&mut self) -> io::Result<Result<Rows, ErrorResponse>> {
        let rows = |frames: Vec<Frame>| {
            frames.iter().filter(|frame| frame.kind == b'D').map(|frame| row(&frame.body)).collect()
        };
        Ok(self.frames_up_to_ready().await?.map(rows))
    }

    /// Reads up to `ReadyForQuery`, and returns rows, row descriptions and command tags, or the
    /// error.
    pub(super) async fn frames_up_to_ready(
        &mut self,
    ) -> io::Result<Result<Vec<Frame>, ErrorResponse>> {
        let (mut frames, mut error) = (Vec::new(), None);
        loop {
            let frame = self.read().await?;
            match frame.kind {
                b'T' | b'D' | b'C' => frames.push(frame),
                b'E' => error = Some(ErrorResponse::parse(&frame.body).unwrap_or_default()),
                b'S' => self.parameter_changes.push(frame),
                b'Z' => return Ok(error.map_or(Ok(frames), Err)),
                _ => {}
            }
        }
    }

    /// Disconnects and waits until PostgreSQL has ended the session, which rolls back an open
    /// transaction.
    pub(super) async fn leave(&mut self) -> io::Result<()> {
        self.send(&[Frame::new(b'X', [])]).await?;
        while Frame::read(&mut self.input).await?.is_some() {}
        Ok(())
    }
}

/// Encodes a message of the simple protocol.
pub(super) fn query(sql: &str) -> Frame {
    let mut body = Vec::with_capacity(sql.len() + 1);
    put_string(&mut body, sql);
    Frame::new(b'Q', body)
}

pub(super) fn parse(name: &str, sql: &str, parameter_types: &[u8]) -> Frame {
    let mut body = Vec::new();
    put_string(&mut body, name);
    put_string(&mut body, sql);
    body.extend_from_slice(parameter_types);
    Frame::new(b'P', body)
}

/// Encodes a `Bind`. `rest` is what follows the names: formats, parameters, result formats.
pub(super) fn bind(portal: &str, statement: &str, rest: &[u8]) -> Frame {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    put_string(&mut body, statement);
    body.extend_from_slice(rest);
    Frame::new(b'B', body)
}

/// Encodes an `Execute` that fetches all rows of a portal.
pub(super) fn execute(portal: &str) -> Frame {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    body.extend_from_slice(&[0; 4]);
    Frame::new(b'E', body)
}

/// Encodes the messages that run a statement with values, from its preparation to `Sync`.
///
/// They use the internal name, so that the client's unnamed prepared statement and portal remain.
pub(super) fn bound(sql: &str, parameter_types: &[u8], values: &[u8]) -> Vec<Frame> {
    vec![
        Frame::new(b'C', named(b'P', INTERNAL_NAME)),
        Frame::new(b'C', named(b'S', INTERNAL_NAME)),
        parse(INTERNAL_NAME, sql, parameter_types),
        bind(INTERNAL_NAME, INTERNAL_NAME, values),
        execute(INTERNAL_NAME),
        Frame::new(b'C', named(b'P', INTERNAL_NAME)),
        Frame::new(b'C', named(b'S', INTERNAL_NAME)),
        Frame::new(b'S', []),
    ]
}

/// Encodes the body of a `Describe` or a `Close`.
pub(super) fn named(kind: u8, name: &str) -> Vec<u8> {
    let mut body = vec![kind];
    put_string(&mut body, name);
    body
}

fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut reader = Reader(body);
    let count = reader.bytes(2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    (0..count)
        .map(|_| {
            let length = reader.u32()?;
            let value = reader.bytes(usize::try_from(length).ok()?)?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
        .collect()
}
