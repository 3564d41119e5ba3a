//! The go-plugin handshake: environment variables of the host, and the line that answers them.
//!
//! It knows neither sockets nor certificates, only how they are announced.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The value that the host sets for Terraform providers. It is not a secret.
const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// Version of go-plugin's handshake protocol.
const CORE_PROTOCOL: u32 = 1;

/// Major version of the provider protocol.
pub(super) const PROTOCOL: u32 = 6;

/// The kind of socket that the plugin listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// A Unix socket.
    Unix,
    /// A port on the loopback address.
    Tcp,
}

impl Network {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
        }
    }
}

impl Default for Network {
    /// Returns go-plugin's own default: TCP on Windows only.
    fn default() -> Self {
        if cfg!(windows) { Self::Tcp } else { Self::Unix }
    }
}

/// The host's side of the handshake. `main` reads it, so that tests can construct their own.
#[derive(Debug, Clone, Default)]
pub struct HandshakeEnvironment {
    /// `TF_PLUGIN_MAGIC_COOKIE`.
    pub magic_cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`: major versions that the host supports, separated by commas.
    pub protocol_versions: Option<String>,
    /// `PLUGIN_CLIENT_CERT`: the host's certificate in PEM. With it, TLS is mandatory.
    pub client_certificate: Option<String>,
    /// `PLUGIN_MIN_PORT` and `PLUGIN_MAX_PORT` for TCP. Default: any free port.
    pub ports: Option<RangeInclusive<u16>>,
    /// `PLUGIN_UNIX_SOCKET_DIR`. Default: the directory for temporary files.
    pub socket_dir: Option<PathBuf>,
    /// `PLUGIN_UNIX_SOCKET_GROUP`: name or number of a group that may connect.
    pub socket_group: Option<String>,
    /// Whether `PLUGIN_MULTIPLEX_GRPC` is set, so that the host expects a seventh field.
    pub multiplex: bool,
    /// Kind of socket. It depends on the platform, not on a variable.
    pub network: Network,
}

/// The error of a handshake that cannot succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The program was not started by Terraform, but probably in a shell.
    #[error(
        "This program is a Terraform provider. It must be started by Terraform.\nAdd the provider \
         to required_providers in a configuration and run terraform init, or start the program \
         with --debug to attach Terraform to it."
    )]
    NotStartedByHost,
    /// The host does not support the protocol version.
    #[error(
        "this provider requires protocol version {PROTOCOL}, but Terraform supports only {offered}"
    )]
    NoCommonProtocol {
        /// Versions that the host supports.
        offered: String,
    },
}

impl HandshakeEnvironment {
    /// Reads the variables through `var`, which is [`std::env::var`] in `main`. Empty variables
    /// count as unset.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let port = |name: &str| var(name)?.parse::<u16>().ok();
        Self {
            magic_cookie: var("TF_PLUGIN_MAGIC_COOKIE"),
            protocol_versions: var("PLUGIN_PROTOCOL_VERSIONS"),
            client_certificate: var("PLUGIN_CLIENT_CERT"),
            ports: port("PLUGIN_MIN_PORT")
                .zip(port("PLUGIN_MAX_PORT"))
                .map(|(first, last)| first..=last),
            socket_dir: var("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            socket_group: var("PLUGIN_UNIX_SOCKET_GROUP"),
            multiplex: var("PLUGIN_MULTIPLEX_GRPC").is_some(),
            network: Network::default(),
        }
    }

    /// Checks that a compatible host started the program.
    pub(super) fn check(&self) -> Result<(), HandshakeError> {
        if self.magic_cookie.as_deref() != Some(MAGIC_COOKIE) {
            return Err(HandshakeError::NotStartedByHost);
        }
        let offered = self.protocol_versions.as_deref().unwrap_or("no version");
        if !offered.split(',').any(|version| version.trim().parse() == Ok(PROTOCOL)) {
            return Err(HandshakeError::NoCommonProtocol { offered: offered.to_owned() });
        }
        Ok(())
    }

    /// Returns the line that announces the address and the certificate, with its line feed.
    pub(super) fn line(
        &self,
        network: Network,
        address: &str,
        certificate: Option<&[u8]>,
    ) -> String {
        // The host decodes Base64 without padding and fails if there is any.
        let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
        let network = network.name();
        let mut line = format!("{CORE_PROTOCOL}|{PROTOCOL}|{network}|{address}|grpc|{certificate}");
        if self.multiplex {
            line.push_str("|false");
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> HandshakeEnvironment {
        HandshakeEnvironment::from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terraform_is_recognized() {
        let environment = from(&[
            ("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE),
            ("PLUGIN_PROTOCOL_VERSIONS", "6,5"),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_CLIENT_CERT", ""),
        ]);
        assert_eq!(environment.check(), Ok(()));
        assert_eq!(environment.ports, Some(10000..=25000));
        assert_eq!(environment.client_certificate, None);
        assert!(!environment.multiplex);
    }

    #[test]
    fn a_start_without_a_host_is_an_error() {
        for vars in [&[][..], &[("TF_PLUGIN_MAGIC_COOKIE", "other")]] {
            assert_eq!(from(vars).check(), Err(HandshakeError::NotStartedByHost));
        }
    }

    #[test]
    fn a_host_without_protocol_6_is_rejected() {
        let check = |versions| {
            from(&[
                ("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE),
                ("PLUGIN_PROTOCOL_VERSIONS", versions),
            ])
            .check()
        };
        assert_eq!(check("5, 6"), Ok(()));
        for versions in ["5", "16", "60,4", ""] {
            assert!(
                matches!(check(versions), Err(HandshakeError::NoCommonProtocol { .. })),
                "{versions}"
            );
        }
    }

    #[test]
    fn the_line_has_the_six_fields_of_go_plugin() {
        let environment = from(&[]);
        let line = environment.line(Network::Unix, "/tmp/a.sock", Some(&[1, 2, 3, 4]));
        assert_eq!(line, "1|6|unix|/tmp/a.sock|grpc|AQIDBA\n");
        let line = environment.line(Network::Tcp, "127.0.0.1:10000", None);
        assert_eq!(line, "1|6|tcp|127.0.0.1:10000|grpc|\n");
    }

    #[test]
    fn a_host_that_supports_multiplexing_gets_a_seventh_field() {
        let line = from(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).line(Network::Unix, "/a", None);
        assert_eq!(line, "1|6|unix|/a|grpc||false\n");
    }

    #[test]
    fn a_certificate_of_any_length_is_written_without_padding() {
        for length in 300..310 {
            let der = vec![0xff; length];
            let line = from(&[]).line(Network::Unix, "/a", Some(&der));
            let field = line.trim_end().rsplit('|').next().expect("a field");
            assert!(!field.contains('='), "{length}");
            assert_eq!(STANDARD_NO_PAD.decode(field), Ok(der), "{length}");
        }
    }
}
