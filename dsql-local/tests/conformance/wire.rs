//! A client that returns everything: command tags, column names, values as text, and all fields of
//! an error.

use std::collections::HashMap;
use std::sync::Arc;

use dsql_local::Cluster;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::common::tls_config;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Simple,
    Extended,
}

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) results: Vec<Result>,
    /// The fields of the `ErrorResponse` by their type bytes.
    pub(crate) error: Option<HashMap<char, String>>,
}

#[derive(Debug, Default)]
pub(crate) struct Result {
    pub(crate) tag: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

pub(crate) struct Session {
    stream: BufStream<TlsStream<TcpStream>>,
}

impl Session {
    /// Logs in as `admin`.
    pub(crate) async fn log_in(cluster: &Cluster) -> Self {
        let address = (cluster.endpoint(), cluster.port());
        let mut tcp = TcpStream::connect(address).await.expect("the cluster listens");
        tcp.set_nodelay(true).expect("a socket option");
        tcp.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("an SSLRequest is sent");
        assert_eq!(tcp.read_u8().await.expect("an answer"), b'S');
        let connector = TlsConnector::from(Arc::new(tls_config(cluster)));
        let name = ServerName::try_from(cluster.endpoint().to_owned()).expect("a name");
        let stream = connector.connect(name, tcp).await.expect("a TLS handshake");
        let mut session = Self { stream: BufStream::new(stream) };
        let mut startup = 196_608u32.to_be_bytes().to_vec();
        startup.extend_from_slice(b"user\0admin\0database\0postgres\0\0");
        let length = u32::try_from(startup.len() + 4).expect("short");
        session.stream.write_u32(length).await.expect("written");
        session.stream.write_all(&startup).await.expect("written");
        session.stream.flush().await.expect("flushed");
        loop {
            match session.read().await {
                (b'R', body) if body == [0, 0, 0, 3] => {
                    let password = format!("{}\0", cluster.token("admin"));
                    session.send(b'p', password.as_bytes()).await;
                    session.stream.flush().await.expect("flushed");
                }
                (b'E', body) => panic!("refused: {:?}", fields(&body)),
                (b'Z', _) => return session,
                _ => {}
            }
        }
    }

    pub(crate) async fn ask(&mut self, sql: &str, protocol: Protocol) -> Answer {
        let sql = [sql.as_bytes(), &[0]].concat();
        match protocol {
            Protocol::Simple => self.send(b'Q', &sql).await,
            Protocol::Extended => {
                // Unnamed statement and portal; no parameter types, formats or parameters; all
                // rows.
                self.send(b'P', &[&[0], sql.as_slice(), &[0, 0]].concat()).await;
                self.send(b'B', &[0; 8]).await;
                self.send(b'D', b"P\0").await;
                self.send(b'E', &[0; 5]).await;
                self.send(b'S', &[]).await;
            }
        }
        self.stream.flush().await.expect("flushed");
        self.answer().await
    }

    async fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        let mut result = Result::default();
        loop {
            let (kind, body) = self.read().await;
            match kind {
                b'T' => result.columns = columns(&body),
                b'D' => result.rows.push(row(&body)),
                b'C' => {
                    result.tag = string(&body).0.to_owned();
                    answer.results.push(std::mem::take(&mut result));
                }
                b'E' => answer.error = Some(fields(&body)),
                b'Z' => return answer,
                _ => {}
            }
        }
    }

    async fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).expect("short");
        self.stream.write_u8(kind).await.expect("written");
        self.stream.write_u32(length).await.expect("written");
        self.stream.write_all(body).await.expect("written");
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let kind = self.stream.read_u8().await.expect("the session continues");
        let length = self.stream.read_u32().await.expect("a length") as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).await.expect("a body");
        (kind, body)
    }
}

fn string(bytes: &[u8]) -> (&str, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).expect("a string ends");
    (std::str::from_utf8(&bytes[..end]).expect("UTF-8"), &bytes[end + 1..])
}

fn fields(body: &[u8]) -> HashMap<char, String> {
    let mut fields = HashMap::new();
    let mut rest = body;
    while rest[0] != 0 {
        let (value, after) = string(&rest[1..]);
        fields.insert(char::from(rest[0]), value.to_owned());
        rest = after;
    }
    fields
}

fn columns(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, after) = string(rest);
        names.push(name.to_owned());
        // Table, column, type, its length and modifier, format.
        rest = &after[18..];
    }
    names
}

fn row(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    let mut values = Vec::new();
    while !rest.is_empty() {
        let length = i32::from_be_bytes(rest[..4].try_into().expect("four bytes"));
        rest = &rest[4..];
        let Ok(length) = usize::try_from(length) else {
            values.push("NULL".to_owned());
            continue;
        };
        values.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        rest = &rest[length..];
    }
    values
}
