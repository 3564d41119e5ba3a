//! `assume_role`, `assume_role_with_web_identity` and `endpoints`: the credentials that sign the
//! token, and where AWS provides them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::arguments::{invalid, not_empty};
use super::super::timeouts;
use super::Stored;
use crate::database::{Role, RoleSession, Secret, WebIdentity, WebToken};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting};
use crate::value::{Input, Object, Type};

/// The limits of STS for a session. A role may set a lower maximum.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// The attributes about credentials.
pub(super) fn attributes(stored: Stored) -> Vec<Attribute> {
    let mut role = session_attributes();
    role.extend([
        Attribute::string("external_id")
            .optional()
            .description("External ID that the trust policy of the role requires."),
        Attribute::map_of("tags", Type::String).optional().description("Session tags."),
    ]);
    let mut web = session_attributes();
    web.push(Attribute::string("web_identity_token_file").optional().description(
        "File with the token of the OIDC issuer. The provider reads it for each connection, so \
         the token can be rotated.",
    ));
    if stored == Stored::No {
        web.push(Attribute::string("web_identity_token").optional().sensitive().description(
            "Token of the OIDC issuer, instead of a file. The value can be ephemeral. `cluster` \
             does not have this argument, because Terraform stores the arguments of resources in \
             its state.",
        ));
    }
    let endpoints = vec![
        Attribute::string("dsql").optional().description("URL of the Aurora DSQL API."),
        Attribute::string("sts").optional().description("URL of AWS STS."),
    ];
    vec![
        Attribute::nested("assume_role", Nesting::Single, role).optional().description(
            "IAM role to assume with the credentials that the AWS SDK finds. The provider assumes \
             the role for each new connection.",
        ),
        Attribute::nested("assume_role_with_web_identity", Nesting::Single, web)
            .optional()
            .description(
                "IAM role to assume with the token of an OIDC issuer, such as a CI system, \
                 instead of other credentials. If `assume_role` is set as well, the provider \
                 assumes that role next.",
            ),
        Attribute::nested("endpoints", Nesting::Single, endpoints).optional().description(
            "Custom endpoints for AWS services, such as VPC endpoints or an emulator.",
        ),
    ]
}

fn session_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("role_arn").required().description("ARN of the role."),
        Attribute::string("session_name").optional().description(
            "Name of the session, which appears in CloudTrail. Default: `terraform-provider-dsql`.",
        ),
        Attribute::string("duration").optional().description(
            "Duration of the session, from `15m` to `12h`, and at most the limit of the role. \
             Default: `1h`.",
        ),
        Attribute::string("policy")
            .optional()
            .description("IAM policy in JSON that further restricts the session."),
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
    let external_id = not_empty(&role, "external_id")?;
    let tags = role.map("tags").optional().and_then(|tags| {
        let tags = tags.into_iter().flatten();
        tags.map(|(key, value)| Some((key.clone(), value.string().known()?.to_owned())))
            .collect::<Option<BTreeMap<_, _>>>()
            .map_or(Input::Unknown, Input::Known)
    });
    Ok(session.zip(external_id.optional()).zip(tags).map(|((session, external_id), tags)| Role {
        session,
        external_id,
        tags,
    }))
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
                "The token of the issuer is missing. Set web_identity_token_file, or set \
                 web_identity_token in the provider block.",
            ));
        }
        (Input::Known(_), Input::Known(_)) => {
            return Err(invalid(
                block.path(name),
                "Set either web_identity_token_file or web_identity_token, not both.",
            ));
        }
    };
    Ok(session.map(|session| WebIdentity { session, token }))
}

/// Reads what both kinds of roles have.
fn decode_session(role: &Object<'_>) -> Result<Input<RoleSession>, Diagnostic> {
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
    let name = not_empty(role, "session_name")?.optional();
    let policy = not_empty(role, "policy")?.optional();
    let duration = not_empty(role, "duration")?.map(|text| {
        let duration = timeouts::parse(&text).filter(|it| (SHORTEST..=LONGEST).contains(it));
        let problem = format!("{text:?} is not a duration from 15m to 12h.");
        duration.ok_or_else(|| invalid(role.path("duration"), &problem))
    });
    let duration = duration.transpose()?.optional();
    Ok(role_arn.zip(name).zip(policy.zip(duration)).map(
        |((role_arn, name), (policy, duration))| RoleSession { role_arn, name, duration, policy },
    ))
}

/// Reads one URL of `endpoints`.
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
        let problem = format!("It must be a URL, but the value is {url:?}.");
        return Err(invalid(endpoints.path(service), &problem));
    }
    Ok(url)
}
