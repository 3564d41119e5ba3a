//! What the host says in the environment, and the one line that answers it.
//!
//! Knows neither sockets nor certificates, only how they are announced.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Tells a plugin started by a host from one started by hand. Not a secret.
const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// Version of go-plugin's handshake itself.
const CORE_PROTOCOL: u32 = 1;

/// Major version of the provider protocol that we serve.
pub(super) const PROTOCOL: u32 = 6;

/// How the host reaches the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// A unix socket.
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
    /// What go-plugin itself does: TCP on Windows only.
    fn default() -> Self {
        if cfg!(windows) { Self::Tcp } else { Self::Unix }
    }
}

/// The host's side of the handshake. Read once, in `main`, so that tests can make their own.
#[derive(Debug, Clone, Default)]
pub struct HandshakeEnvironment {
    /// `TF_PLUGIN_MAGIC_COOKIE`.
    pub magic_cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`: major versions that the host speaks, separated by commas.
    pub protocol_versions: Option<String>,
    /// `PLUGIN_CLIENT_CERT`: the host's certificate in PEM. With it, TLS is mandatory.
    pub client_certificate: Option<String>,
    /// `PLUGIN_MIN_PORT` and `PLUGIN_MAX_PORT`, for TCP; any free port without them.
    pub ports: Option<RangeInclusive<u16>>,
    /// `PLUGIN_UNIX_SOCKET_DIR`; the directory for temporary files without it.
    pub socket_dir: Option<PathBuf>,
    /// `PLUGIN_UNIX_SOCKET_GROUP`: name or number of a group that may connect.
    pub socket_group: Option<String>,
    /// Is `PLUGIN_MULTIPLEX_GRPC` set, so that the host expects a seventh field?
    pub multiplex: bool,
    /// Not from the environment: the platform decides, or a test.
    pub network: Network,
}

/// Why the plugin cannot work with what started it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Most likely a person started it.
    #[error(
        "This program is a Terraform provider: Terraform starts it, and it does nothing on its \
         own.\nName the provider under required_providers in a configuration and run terraform \
         init there, or start it with --debug to attach Terraform to it by hand."
    )]
    NotStartedByHost,
    /// The host is too old.
    #[error("this provider speaks protocol version {PROTOCOL}, Terraform offers only {offered}")]
    NoCommonProtocol {
        /// What the host offers.
        offered: String,
    },
}

impl HandshakeEnvironment {
    /// Reads the variables through `var`, which is [`std::env::var`] in `main`. Empty variables are
    /// as good as absent.
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

    /// Is there a host that we can work with?
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

    /// The line that tells the host where and as whom to find us, with its line feed.
    pub(super) fn line(
        &self,
        network: Network,
        address: &str,
        certificate: Option<&[u8]>,
    ) -> String {
        // The host decodes without padding and fails on it, for two of three lengths.
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
    fn terraform_is_recognised() {
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
    fn a_person_is_told_what_this_is() {
        for vars in [&[][..], &[("TF_PLUGIN_MAGIC_COOKIE", "other")]] {
            assert_eq!(from(vars).check(), Err(HandshakeError::NotStartedByHost));
        }
    }

    #[test]
    fn a_host_without_protocol_6_is_refused() {
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
    fn a_host_that_asks_for_multiplexing_gets_a_seventh_field() {
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
