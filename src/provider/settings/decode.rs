//! Reads and checks the keys of one block.

use super::super::arguments::{invalid, not_empty};
use super::roles;
use super::{Settings, Stored};
use crate::database::Secret;
use crate::diagnostic::Diagnostic;
use crate::value::{Input, Object};

impl Settings {
    /// Reads the `provider` block.
    pub(crate) fn decode(block: &Object<'_>) -> Result<Self, Diagnostic> {
        let token = block.string("token").map(Secret::new);
        Ok(Self { token, ..Self::decode_as(block, Stored::No)? })
    }

    /// Reads the `cluster` argument of a resource or data source.
    pub(crate) fn decode_cluster(block: &Object<'_>) -> Result<Self, Diagnostic> {
        Self::decode_as(block, Stored::Yes)
    }

    fn decode_as(block: &Object<'_>, stored: Stored) -> Result<Self, Diagnostic> {
        let settings = Self {
            endpoint: endpoint(block)?,
            cluster_identifier: identifier(block)?,
            port: port(block)?,
            region: not_empty(block, "region")?,
            user: not_empty(block, "user")?,
            profile: not_empty(block, "profile")?,
            role: roles::decode_role(block)?,
            web_identity: roles::decode_web_identity(block, stored)?,
            sts_endpoint: roles::decode_endpoint(block, "sts")?,
            dsql_endpoint: roles::decode_endpoint(block, "dsql")?,
            token: Input::Null,
            ca_file: not_empty(block, "ca_file")?,
            ledger_schema: not_empty(block, "ledger_schema")?,
        };
        if !settings.profile.is_null() && !settings.web_identity.is_null() {
            return Err(invalid(
                block.path("profile"),
                "Set either profile or assume_role_with_web_identity, not both.",
            ));
        }
        match settings.region_problem() {
            Some(problem) => Err(invalid(block.path("region"), &problem)),
            None => Ok(settings),
        }
    }

    /// Explains why `region` and `endpoint` do not belong to the same cluster. `None` if they may.
    fn region_problem(&self) -> Option<String> {
        let (region, named) = (self.region.as_ref().known()?, self.endpoint_region()?);
        (region != named).then(|| {
            format!(
                "The value is {region:?}, but the endpoint is in {named}. Remove region: the \
                 endpoint contains the Region."
            )
        })
    }
}

/// Reads `endpoint`, which is a host name without a scheme, a port, and a path.
fn endpoint(block: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let endpoint = not_empty(block, "endpoint")?;
    if let Input::Known(text) = &endpoint
        && let Some(problem) = endpoint_problem(text)
    {
        return Err(invalid(block.path("endpoint"), &problem));
    }
    Ok(endpoint)
}

/// Says why a text is not the host name of a cluster. `None` if it may be one.
pub(super) fn endpoint_problem(text: &str) -> Option<String> {
    let not_a_host = |c: char| c.is_whitespace() || ":/?#@[]".contains(c);
    text.contains(not_a_host).then(|| {
        format!(
            "The value is {text:?}. Write only the host name, without https:// and without a port. \
             To set the port, use port."
        )
    })
}

/// Reads `cluster_identifier`, which becomes a part of a host name and of a startup option.
fn identifier(block: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let identifier = not_empty(block, "cluster_identifier")?;
    let is_valid =
        |text: &String| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if let Input::Known(text) = &identifier
        && !is_valid(text)
    {
        let problem = format!(
            "An identifier consists of 26 lowercase letters and digits, but the value is \
             {text:?}. For a host name, use endpoint."
        );
        return Err(invalid(block.path("cluster_identifier"), &problem));
    }
    Ok(identifier)
}

fn port(block: &Object<'_>) -> Result<Input<u16>, Diagnostic> {
    let port = block.number("port").map(|number| {
        let port = number.to_u64().and_then(|port| u16::try_from(port).ok());
        port.filter(|port| *port > 0).ok_or_else(|| {
            let problem =
                format!("A TCP port is a whole number from 1 to 65535, but the value is {number}.");
            invalid(block.path("port"), &problem)
        })
    });
    port.transpose()
}
