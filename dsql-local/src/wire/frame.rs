//! Frames of version 3 of PostgreSQL's protocol: a type, a length and a body.

use std::io;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
};

/// Maximum length of a message in bytes. DSQL closes the connection when a client exceeds it.
const MAX_MESSAGE_LENGTH: usize = 10 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self { kind, body: body.into() }
    }

    /// Reads the next frame, or `None` at the end of the stream.
    pub(crate) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        if from.fill_buf().await?.is_empty() {
            return Ok(None);
        }
        let kind = from.read_u8().await?;
        Ok(Some(Self { kind, body: read_body(from).await? }))
    }

    pub(crate) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + 4).map_err(io::Error::other)?;
        to.write_u8(self.kind).await?;
        to.write_u32(length).await?;
        to.write_all(&self.body).await
    }
}

/// Reads a length and as many bytes. That is a frame without its type, and also the form of a
/// client's first packet.
pub(crate) async fn read_body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(from.read_u32().await?).map_err(io::Error::other)?;
    let length = length.checked_sub(4).filter(|length| *length <= MAX_MESSAGE_LENGTH);
    let Some(length) = length else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "invalid message length"));
    };
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(body)
}

/// Reads strings and numbers from the front of a body.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Reads a string that ends with a zero byte.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(self.bytes(end)?).ok()?;
        self.bytes(1)?;
        Some(text)
    }
}

/// Appends a string and a zero byte.
pub(crate) fn put_string(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
    body.push(0);
}
