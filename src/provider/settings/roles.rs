//! `assume_role`, `assume_role_with_web_identity` and `endpoints`: whose credentials sign, and who
//! is asked for them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::arguments::{invalid, not_empty};
use super::super::timeouts;
use super::Stored;
use crate::database::{Role, RoleSession, Secret, WebIdentity, WebToken};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting};
use crate::value::{Input, Object, Type};

/// What STS takes; a role may set a lower limit.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// The attributes about credentials.
pub(super) fn attributes(stored: Stored) -> Vec<Attribute> {
    let mut role = session_attributes();
    role.extend([
        Attribute::string("external_id")
            .optional()
            .description("What the owner of the role asks of a third party."),
        Attribute::map_of("tags", Type::String).optional().description("Session tags."),
    ]);
    let mut web = session_attributes();
    web.push(Attribute::string("web_identity_token_file").optional().description(
        "File with the token of the OIDC issuer. It is read for each connection, so it may be \
         rotated.",
    ));
    if stored == Stored::No {
        web.push(Attribute::string("web_identity_token").optional().sensitive().description(
            "The token itself, instead of a file. May be ephemeral. Not part of `cluster`, \
             because arguments of resources are stored in the state.",
        ));
    }
    let endpoints = vec![
        Attribute::string("dsql").optional().description(
            "URL of the control plane of Aurora DSQL. Environment variable: \
             `AWS_ENDPOINT_URL_DSQL`.",
        ),
        Attribute::string("sts")
            .optional()
            .description("URL of STS. Environment variable: `AWS_ENDPOINT_URL_STS`."),
    ];
    vec![
        Attribute::nested("assume_role", Nesting::Single, role).optional().description(
            "A role to assume with the credentials that are found; for each connection anew.",
        ),
        Attribute::nested("assume_role_with_web_identity", Nesting::Single, web)
            .optional()
            .description(
                "A role to assume with the token of an OIDC issuer, such as a CI system, in location \
                 of other credentials. `assume_role` comes after it. Without this argument, \
                 `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE` do the same.",
            ),
        Attribute::nested("endpoints", Nesting::Single, endpoints).optional().description(
            "Where AWS is asked instead of its public endpoints: a VPC endpoint, or an emulator.",
        ),
    ]
}

fn session_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("role_arn").required().description("ARN of the role."),
        Attribute::string("session_name").optional().description(
            "Name of the session, which CloudTrail shows. Default: `terraform-provider-dsql`.",
        ),
        Attribute::string("duration").optional().description(
            "How long the session may last, from `15m` to `12h` and the role's own limit. \
             Default: `1h`.",
        ),
        Attribute::string("policy")
            .optional()
            .description("JSON of an IAM policy that narrows what the session may do."),
    ]
}

/// Reads `assume_role`.
pub(super) fn decode_role(block: &Object<'_>) -> Result<Input<Role>, Diagnostic> {
    let role = match block.object("assume_role") {
        Input::Null => return Ok(Input::Null),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(role) => role,
    };
    let session = decode_session(&role)?;
    let external_id = optional(not_empty(&role, "external_id")?);
    let tags = match role.map("tags") {
        Input::Null => Some(BTreeMap::new()),
        Input::Unknown => None,
        Input::Known(tags) => tags
            .iter()
            .map(|(key, value)| Some((key.clone(), value.string().known()?.to_owned())))
            .collect(),
    };
    let (Some(session), Some(external_id), Some(tags)) = (session, external_id, tags) else {
        return Ok(Input::Unknown);
    };
    Ok(Input::Known(Role { session, external_id, tags }))
}

/// Reads `assume_role_with_web_identity`.
pub(super) fn decode_web_identity(
    block: &Object<'_>,
    stored: Stored,
) -> Result<Input<WebIdentity>, Diagnostic> {
    let name = "assume_role_with_web_identity";
    let web = match block.object(name) {
        Input::Null => return Ok(Input::Null),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(web) => web,
    };
    let session = decode_session(&web)?;
    let file = not_empty(&web, "web_identity_token_file")?;
    let text = match stored {
        Stored::No => not_empty(&web, "web_identity_token")?,
        Stored::Yes => Input::Null,
    };
    let token = match (file, text) {
        (Input::Unknown, _) | (_, Input::Unknown) => return Ok(Input::Unknown),
        (Input::Known(path), Input::Null) => WebToken::File(path),
        (Input::Null, Input::Known(token)) => WebToken::Text(Secret::new(token)),
        (Input::Null, Input::Null) => {
            return Err(invalid(
                block.path(name),
                "It needs the token of the issuer: set web_identity_token_file, or in the \
                 provider block web_identity_token.",
            ));
        }
        (Input::Known(_), Input::Known(_)) => {
            return Err(invalid(
                block.path(name),
                "Set either web_identity_token_file or web_identity_token, not both.",
            ));
        }
    };
    Ok(session.map_or(Input::Unknown, |session| Input::Known(WebIdentity { session, token })))
}

/// What both kinds have; `None` while something is unknown.
fn decode_session(role: &Object<'_>) -> Result<Option<RoleSession>, Diagnostic> {
    let role_arn = match role.string("role_arn") {
        Input::Known(arn) if arn.starts_with("arn:") && arn.contains(":role/") => {
            Input::Known(arn.to_owned())
        }
        Input::Unknown => Input::Unknown,
        _ => {
            return Err(invalid(
                role.path("role_arn"),
                "It must be the ARN of a role, such as arn:aws:iam::123456789012:role/migrator.",
            ));
        }
    };
    let name = optional(not_empty(role, "session_name")?);
    let policy = optional(not_empty(role, "policy")?);
    let duration = match not_empty(role, "duration")? {
        Input::Null => Some(None),
        Input::Unknown => None,
        Input::Known(text) => {
            let duration = timeouts::parse(&text).filter(|it| (SHORTEST..=LONGEST).contains(it));
            let problem = format!("{text:?} is not a duration from 15m to 12h.");
            Some(Some(duration.ok_or_else(|| invalid(role.path("duration"), &problem))?))
        }
    };
    Ok(match (role_arn, name, policy, duration) {
        (Input::Known(role_arn), Some(name), Some(policy), Some(duration)) => {
            Some(RoleSession { role_arn, name, duration, policy })
        }
        _ => None,
    })
}

/// `None` while it is unknown.
#[expect(clippy::option_option, reason = "unknown, absent and set are three things")]
fn optional<T>(input: Input<T>) -> Option<Option<T>> {
    match input {
        Input::Unknown => None,
        Input::Null => Some(None),
        Input::Known(value) => Some(Some(value)),
    }
}

/// One URL of `endpoints`.
pub(super) fn decode_endpoint(
    block: &Object<'_>,
    service: &str,
) -> Result<Input<String>, Diagnostic> {
    let endpoints = match block.object("endpoints") {
        Input::Null => return Ok(Input::Null),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(endpoints) => endpoints,
    };
    let url = not_empty(&endpoints, service)?;
    if let Input::Known(url) = &url
        && !url.starts_with("https://")
        && !url.starts_with("http://")
    {
        let problem = format!("It must be a URL, but it is {url:?}.");
        return Err(invalid(endpoints.path(service), &problem));
    }
    Ok(url)
}
