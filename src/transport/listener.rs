//! The socket to which the host connects.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use tokio::net::TcpListener;

use super::handshake::{HandshakeEnvironment, Network};
use super::io::Stream;

/// The error of a socket that cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The Unix socket cannot be created.
    #[error("cannot listen on the Unix socket {}", path.display())]
    Unix {
        /// Path of the socket.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The socket cannot be assigned to the group that the host names.
    #[error("cannot assign the Unix socket to the group {group:?}")]
    Group {
        /// Name or number of the group.
        group: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// No port is free, or none in the range that the host allows.
    #[error("cannot listen on a port of 127.0.0.1")]
    Tcp(#[source] io::Error),
}

/// The file of a Unix socket. Dropping it removes the file; connections stay open.
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix sockets have files"))]
#[derive(Debug)]
#[must_use]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have removed it already.
        let _removed = fs::remove_file(&self.0);
    }
}

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    #[cfg(unix)]
    Unix(unix::Socket),
    Tcp(TcpListener),
}

impl Listener {
    /// Listens on the kind of socket that the environment selects. Returns the file of a Unix
    /// socket too, because the task that accepts connections ends after the rest of the process.
    pub(super) async fn bind(
        environment: &HandshakeEnvironment,
    ) -> Result<(Self, Option<SocketFile>), BindError> {
        #[cfg(unix)]
        if environment.network == Network::Unix {
            let dir = environment.socket_dir.clone().unwrap_or_else(std::env::temp_dir);
            let socket = unix::Socket::bind(&dir, environment.socket_group.as_deref())?;
            if let Some((socket, file)) = socket {
                return Ok((Self::Unix(socket), Some(file)));
            }
        }
        Ok((bind_tcp(environment.ports.clone()).await?, None))
    }

    /// Returns the address at which the host finds the socket.
    pub(super) fn address(&self) -> io::Result<(Network, String)> {
        match self {
            #[cfg(unix)]
            Self::Unix(socket) => Ok((Network::Unix, socket.path().display().to_string())),
            Self::Tcp(listener) => Ok((Network::Tcp, listener.local_addr()?.to_string())),
        }
    }

    /// Accepts the next connection.
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            #[cfg(unix)]
            Self::Unix(socket) => Ok(Box::new(socket.accept().await?)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

async fn bind_tcp(ports: Option<RangeInclusive<u16>>) -> Result<Listener, BindError> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for port in ports.unwrap_or(0..=0) {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return Ok(Listener::Tcp(listener)),
            Err(error) => failure = error,
        }
    }
    Err(BindError::Tcp(failure))
}

#[cfg(unix)]
mod unix {
    //! Unix sockets: names, permissions and removal.

    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    use super::{BindError, SocketFile};

    /// Longest path that every operating system accepts. macOS has the lowest limit.
    const MAX_PATH: usize = 103;

    /// Random names to try. The first is practically always free.
    const ATTEMPTS: usize = 10;

    #[derive(Debug)]
    pub(crate) struct Socket {
        listener: UnixListener,
        path: PathBuf,
    }

    impl Socket {
        /// Listens in `dir`. Returns `None` if the path would be too long for a socket.
        pub(crate) fn bind(
            dir: &Path,
            group: Option<&str>,
        ) -> Result<Option<(Self, SocketFile)>, BindError> {
            let mut attempts = ATTEMPTS;
            loop {
                attempts -= 1;
                let path = dir.join(format!("terraform-dsql-{:016x}.sock", fastrand::u64(..)));
                if path.as_os_str().as_bytes().len() > MAX_PATH {
                    return Ok(None);
                }
                match UnixListener::bind(&path) {
                    Ok(listener) => {
                        let file = SocketFile(path.clone());
                        let socket = Self { listener, path };
                        socket.restrict(group)?;
                        return Ok(Some((socket, file)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
                    Err(source) => return Err(BindError::Unix { path, source }),
                }
            }
        }

        /// Allows connections from the same user, and from the group that the host names.
        fn restrict(&self, group: Option<&str>) -> Result<(), BindError> {
            let mode = if group.is_some() { 0o660 } else { 0o600 };
            if let Some(group) = group {
                let in_group = |source| BindError::Group { group: group.to_owned(), source };
                let id = group_id(group).map_err(in_group)?;
                chown(&self.path, None, Some(id)).map_err(in_group)?;
            }
            fs::set_permissions(&self.path, Permissions::from_mode(mode))
                .map_err(|source| BindError::Unix { path: self.path.clone(), source })
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
            self.listener.accept().await.map(|(stream, _)| stream)
        }
    }

    /// Resolves a number, or a name in the group file. Groups of a directory service are not found.
    fn group_id(group: &str) -> io::Result<u32> {
        if let Ok(id) = group.parse() {
            return Ok(id);
        }
        let groups = fs::read_to_string("/etc/group")?;
        let id = groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
        });
        id.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such group"))
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::MetadataExt as _;

        use super::*;

        #[tokio::test]
        async fn a_socket_admits_only_its_owner_and_connections_outlive_its_file() {
            let dir = tempfile::tempdir().expect("a directory");
            let bound = Socket::bind(dir.path(), None).expect("bound");
            let (socket, file) = bound.expect("short enough");
            let path = socket.path().to_owned();
            let mode = fs::metadata(&path).expect("a socket").mode();
            assert_eq!(mode & 0o777, 0o600);
            let client = UnixStream::connect(&path).await.expect("connected");
            drop(file);
            assert!(!path.exists());
            let accepted = socket.accept().await.expect("accepted");
            drop(client);
            accepted.readable().await.expect("open until the client disconnects");
        }

        #[tokio::test]
        async fn a_socket_is_assigned_to_a_group_by_number() {
            let dir = tempfile::tempdir().expect("a directory");
            let own = fs::metadata(dir.path()).expect("a directory").gid();
            let bound = Socket::bind(dir.path(), Some(&own.to_string())).expect("bound");
            let (socket, _file) = bound.expect("short enough");
            let metadata = fs::metadata(socket.path()).expect("a socket");
            assert_eq!((metadata.mode() & 0o777, metadata.gid()), (0o660, own));
        }

        #[test]
        fn an_unknown_group_is_an_error() {
            assert!(group_id("no such group").is_err());
            assert_eq!(group_id("7").expect("a number"), 7);
        }

        #[tokio::test]
        async fn a_path_that_is_too_long_for_a_socket_is_detected() {
            let dir = PathBuf::from(format!("/tmp/{}", "x".repeat(MAX_PATH)));
            assert!(Socket::bind(&dir, None).expect("no error").is_none());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_free_port_in_the_range_is_used() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let environment = HandshakeEnvironment {
            network: Network::Tcp,
            ports: Some(port..=port.saturating_add(50)),
            ..HandshakeEnvironment::default()
        };
        let (listener, file) = Listener::bind(&environment).await.expect("a free port");
        assert!(file.is_none());
        let (network, address) = listener.address().expect("an address");
        assert_eq!(network, Network::Tcp);
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        assert_ne!(address, format!("127.0.0.1:{port}"));
    }
}
