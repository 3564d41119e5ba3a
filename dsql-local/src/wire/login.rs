//! From a new connection to a logged-in session: TLS, startup packet, token, and the first messages
//! from PostgreSQL.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::error::SqlState;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error_response::ErrorResponse;
use super::frame::{Frame, Reader, put_string, read_body};
use super::settings;
use super::tls;
use super::token::{self, Expected};
use crate::faults::LoginFault;
use crate::pg::SUPERUSER;
use crate::state::shared::Shared;

pub(crate) type ClientStream = BufReader<BufWriter<TlsStream<TcpStream>>>;
pub(crate) type Backend = BufReader<BufWriter<UnixStream>>;

const PROTOCOL_3: u32 = 3 << 16;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// First byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Version that DSQL reports.
const SERVER_VERSION: &str = "16.15";

/// From the AWS documentation, "Quotas"; the first text is also recorded on a cluster.
const ASLEEP: &str = "unable to accept connection, waking up cluster, please retry later";
const RATE_EXCEEDED: &str = "Unable to accept connection, rate exceeded.";

/// Returns what a client receives from a login fault.
fn faulty_greeting(fault: LoginFault) -> Greeting {
    Greeting::Refused(match fault {
        LoginFault::Close => return Greeting::Left,
        // The SQLSTATE is not recorded anywhere. This is PostgreSQL's for a server that is
        // starting.
        LoginFault::Asleep => ErrorResponse::fatal(&SqlState::CANNOT_CONNECT_NOW, ASLEEP),
        LoginFault::TooManyConnections => too_many_connections(),
        LoginFault::RateExceeded => {
            ErrorResponse::fatal(&SqlState::CONFIGURATION_LIMIT_EXCEEDED, RATE_EXCEEDED)
        }
        LoginFault::AccessDenied => token::access_denied(),
    })
}

fn too_many_connections() -> ErrorResponse {
    let text = "Unable to accept connection, too many open connections.";
    ErrorResponse::fatal(&SqlState::TOO_MANY_CONNECTIONS, text)
}

/// Both ends of a session that has logged in.
pub(crate) struct LoggedIn {
    pub(crate) client: ClientStream,
    pub(crate) backend: Backend,
    pub(crate) user: String,
}

/// Returns `None` if the client was rejected or has disconnected.
pub(crate) async fn log_in(tcp: TcpStream, shared: &Shared) -> io::Result<Option<LoggedIn>> {
    let Some(mut client) = start_tls(tcp, Arc::clone(&shared.tls)).await? else {
        return Ok(None);
    };
    match greet(&mut client, shared).await? {
        Greeting::Accepted { backend, user } => Ok(Some(LoggedIn { client, backend, user })),
        Greeting::Refused(error) => {
            error.frame().write(&mut client).await?;
            client.flush().await?;
            client.shutdown().await?;
            Ok(None)
        }
        Greeting::Left => Ok(None),
    }
}

async fn start_tls(
    mut tcp: TcpStream,
    config: Arc<rustls::ServerConfig>,
) -> io::Result<Option<ClientStream>> {
    tcp.set_nodelay(true)?;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    let direct = first[0] == TLS_HANDSHAKE;
    if !direct {
        loop {
            let packet = read_body(&mut tcp).await?;
            match Reader(&packet).u32() {
                Some(SSL) => break,
                Some(GSS) => tcp.write_all(b"N").await?,
                // Cancel requests had no effect on DSQL either. The client expects no response.
                Some(CANCEL) | None => return Ok(None),
                Some(_) => {
                    let text = "unable to accept connection, SSL is required";
                    let code = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
                    ErrorResponse::fatal(code, text).frame().write(&mut tcp).await?;
                    return Ok(None);
                }
            }
        }
        tcp.write_all(b"S").await?;
    }
    let stream = TlsAcceptor::from(config).accept(tcp).await?;
    if direct && stream.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
        return Ok(None);
    }
    Ok(Some(BufReader::new(BufWriter::new(stream))))
}

enum Greeting {
    Accepted { backend: Backend, user: String },
    Refused(ErrorResponse),
    Left,
}

struct Startup {
    user: String,
    database: Option<String>,
    /// Identifier of the cluster, which a client sends if it connects through `PrivateLink` by the
    /// name of the VPC endpoint.
    cluster_id: Option<String>,
    /// The settings in the packet itself and in its `options`.
    settings: Vec<(String, String)>,
}

async fn greet(client: &mut ClientStream, shared: &Shared) -> io::Result<Greeting> {
    let server_name = client.get_ref().get_ref().get_ref().1.server_name().map(str::to_owned);
    let packet = read_body(client).await?;
    if Reader(&packet).u32() == Some(CANCEL) {
        return Ok(Greeting::Left);
    }
    let Some(host) = server_name else {
        let text = "unable to accept connection, sni was not received";
        let code = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
        return Ok(Greeting::Refused(ErrorResponse::fatal(code, text)));
    };
    let Some(startup) = Startup::parse(&packet) else {
        let text = "invalid startup packet";
        return Ok(Greeting::Refused(ErrorResponse::fatal(&SqlState::PROTOCOL_VIOLATION, text)));
    };

    if let Some(fault) = shared.faults.take_login_fault() {
        return Ok(faulty_greeting(fault));
    }

    Frame::new(b'R', 3u32.to_be_bytes()).write(client).await?;
    client.flush().await?;
    let Some(answer) = Frame::read(client).await?.filter(|frame| frame.kind == b'p') else {
        return Ok(Greeting::Left);
    };
    let password = Reader(&answer.body).string().unwrap_or_default();
    if let Err(error) = admit(password, &host, &startup, shared).await {
        return Ok(Greeting::Refused(error));
    }

    let mut backend = BufReader::new(BufWriter::new(UnixStream::connect(&shared.socket).await?));
    backend.write_all(&startup.packet()).await?;
    backend.flush().await?;
    relay_greeting(client, backend, startup.user).await
}

/// Decides whether this user may log in with this token.
async fn admit(
    password: &str,
    server_name: &str,
    startup: &Startup,
    shared: &Shared,
) -> Result<(), ErrorResponse> {
    let host = match &startup.cluster_id {
        None => server_name,
        Some(id) if id == shared.identifier() => &shared.hostname,
        Some(_) => return Err(token::access_denied()),
    };
    let expected = Expected {
        host,
        user: &startup.user,
        region: &shared.region,
        credentials: &shared.credentials,
        now: shared.clock.now(),
    };
    let signer = token::check(password, &expected)?;
    let age = shared.clock.since(shared.started);
    if signer.lifetime.is_some_and(|lifetime| age >= lifetime) {
        return Err(token::access_denied());
    }
    startup.check()?;
    // AWS documentation, "Using database roles and IAM authentication": `admin` needs no mapping.
    if startup.user != "admin" && !shared.database.is_mapped(&signer.arn, &startup.user).await {
        return Err(token::access_denied());
    }
    Ok(())
}

/// Forwards the messages of PostgreSQL until it is ready for the first statement.
async fn relay_greeting(
    client: &mut ClientStream,
    mut backend: Backend,
    user: String,
) -> io::Result<Greeting> {
    loop {
        let Some(mut frame) = Frame::read(&mut backend).await? else {
            return Ok(Greeting::Left);
        };
        match frame.kind {
            b'E' => {
                let refusal = ErrorResponse::parse(&frame.body)
                    // The role does not exist or may not log in.
                    .filter(|error| !error.has_code(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION))
                    .unwrap_or_else(token::access_denied);
                let is_full = refusal.has_code(&SqlState::TOO_MANY_CONNECTIONS);
                return Ok(Greeting::Refused(if is_full {
                    too_many_connections()
                } else {
                    refusal
                }));
            }
            b'S' => report_as_dsql(&mut frame),
            _ => {}
        }
        frame.write(client).await?;
        if frame.kind == b'Z' {
            client.flush().await?;
            return Ok(Greeting::Accepted { backend, user });
        }
    }
}

/// Replaces the server version in a `ParameterStatus` by DSQL's.
pub(crate) fn report_as_dsql(frame: &mut Frame) {
    let name = "server_version";
    if Reader(&frame.body).string() == Some(name) {
        frame.body.clear();
        put_string(&mut frame.body, name);
        put_string(&mut frame.body, SERVER_VERSION);
    }
}

impl Startup {
    fn parse(packet: &[u8]) -> Option<Self> {
        let mut reader = Reader(packet);
        (reader.u32()? == PROTOCOL_3).then_some(())?;
        let mut startup =
            Self { user: String::new(), database: None, cluster_id: None, settings: Vec::new() };
        loop {
            match reader.string()? {
                "" => break,
                "user" => reader.string()?.clone_into(&mut startup.user),
                "database" => startup.database = Some(reader.string()?.to_owned()),
                "options" => startup.settings.extend(settings::of_options(reader.string()?)),
                // Protocol extensions, which a server may ignore.
                name if name.starts_with("_pq_.") => {
                    reader.string()?;
                }
                name => startup.settings.push((name.to_owned(), reader.string()?.to_owned())),
            }
        }
        // A hyphen within `options` is read as an underscore.
        let names_cluster = |(name, _): &mut (String, String)| {
            matches!(name.as_str(), "amzn_cluster_id" | "amzn-cluster-id")
        };
        startup.cluster_id =
            startup.settings.extract_if(.., names_cluster).last().map(|(_, value)| value);
        Some(startup)
    }

    fn check(&self) -> Result<(), ErrorResponse> {
        if self.user == SUPERUSER {
            return Err(token::access_denied());
        }
        // As in PostgreSQL, the default database has the name of the user.
        let database = self.database.as_ref().unwrap_or(&self.user);
        if database != "postgres" {
            let text = format!("database \"{database}\" does not exist");
            return Err(ErrorResponse::fatal(&SqlState::INVALID_CATALOG_NAME, &text));
        }
        match self.settings.iter().find(|(name, _)| !settings::is_settable(name)) {
            None => Ok(()),
            Some((name, _)) => Err(ErrorResponse::fatal(
                &SqlState::FEATURE_NOT_SUPPORTED,
                &settings::not_supported(name),
            )),
        }
    }

    /// Encodes the startup packet for PostgreSQL.
    fn packet(&self) -> Vec<u8> {
        let mut body = PROTOCOL_3.to_be_bytes().to_vec();
        let own = [("user", self.user.as_str()), ("database", "postgres")];
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(settings) {
            if !settings::is_unknown_to_postgres(name) {
                put_string(&mut body, name);
                put_string(&mut body, value);
            }
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        [length.to_be_bytes().to_vec(), body].concat()
    }
}
