//! The relay's end of the connection to the client.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};

use super::super::frame::Frame;
use super::super::login;

/// A connection that discards what is written after the client has disconnected, or after a fault
/// has muted it. PostgreSQL still finishes everything that it received.
pub(super) struct ClientEnd {
    ends: Option<Ends>,
    muted: bool,
}

struct Ends {
    input: BufReader<ReadHalf<login::ClientStream>>,
    output: WriteHalf<login::ClientStream>,
}

impl ClientEnd {
    pub(super) fn new(client: login::ClientStream) -> Self {
        let (input, output) = tokio::io::split(client);
        Self { ends: Some(Ends { input: BufReader::new(input), output }), muted: false }
    }

    /// Waits until there is something to read, or the client has disconnected. It is safe to
    /// cancel.
    pub(super) async fn readable(&mut self) {
        if let Some(ends) = &mut self.ends {
            // An error is reported by the next read.
            ends.input.fill_buf().await.ok();
        }
    }

    /// Reads the next message, or `None` if the client has disconnected. Does not flush what was
    /// written before.
    pub(super) async fn read(&mut self) -> io::Result<Option<Frame>> {
        match &mut self.ends {
            Some(ends) => Frame::read(&mut ends.input).await,
            None => Ok(None),
        }
    }

    pub(super) async fn write(&mut self, frame: &Frame) {
        if self.muted {
            return;
        }
        if let Some(ends) = &mut self.ends
            && frame.write(&mut ends.output).await.is_err()
        {
            self.ends = None;
        }
    }

    /// Sends what has been written. Call this before waiting for the client, which may be waiting
    /// for the relay.
    pub(super) async fn flush(&mut self) {
        if let Some(ends) = &mut self.ends
            && ends.output.flush().await.is_err()
        {
            self.ends = None;
        }
    }

    pub(super) async fn flush_if_waiting(&mut self) {
        if self.ends.as_ref().is_some_and(|ends| ends.input.buffer().is_empty()) {
            self.flush().await;
        }
    }

    pub(super) fn mute(&mut self) {
        self.muted = true;
    }

    pub(super) fn hang_up(&mut self) {
        self.ends = None;
    }
}
