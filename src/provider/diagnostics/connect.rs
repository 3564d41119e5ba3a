//! Messages about connections that could not be opened: each cause has its own title and advice.

use crate::database::{CertificateProblem, ConnectError, LoginRefusal, TokenFacts};
use crate::diagnostic::Title;
use crate::migration::quoted_identifier;

/// Returns the title.
pub(super) fn title(error: &ConnectError) -> Title {
    match error {
        ConnectError::ControlPlane { code, .. } => match control_plane_problem(code.as_deref()) {
            Aws::NotFound => Title::ClusterNotFound,
            Aws::Denied => Title::ClusterLookupDenied,
            Aws::Throttled => Title::AwsRequestThrottled,
            Aws::Expired => Title::AwsCredentialsExpired,
            Aws::NoAnswer | Aws::Other => Title::ClusterLookupFailed,
        },
        ConnectError::NotActive { waited: Some(_), .. } => Title::ClusterNotReady,
        ConnectError::NotActive { waited: None, .. } => Title::ClusterUnavailable,
        ConnectError::Resolve { .. } => Title::CannotResolveEndpoint,
        ConnectError::Tcp { .. } | ConnectError::TimedOut { .. } => Title::CannotConnect,
        ConnectError::CaFile { .. } => Title::UnusableCaFile,
        ConnectError::Tls { certificate, .. } => match certificate {
            Some(CertificateProblem::Untrusted) => Title::UntrustedCertificate,
            Some(CertificateProblem::OtherName) => Title::CertificateNameMismatch,
            Some(CertificateProblem::Time) => Title::CertificateNotValidNow,
            Some(CertificateProblem::Other) | None => Title::TlsFailed,
        },
        ConnectError::TlsSetup { .. } => Title::TlsFailed,
        ConnectError::Login { refusal, .. } => match refusal {
            LoginRefusal::Expired => Title::TokenExpired,
            LoginRefusal::WrongAction => Title::TokenRoleMismatch,
            LoginRefusal::Asleep => Title::ClusterDidNotWakeUp,
            LoginRefusal::RateExceeded => Title::LoginRateExceeded,
            LoginRefusal::TooManyConnections => Title::TooManyConnections,
            LoginRefusal::NoLogin => Title::RoleCannotLogIn,
            LoginRefusal::NoServerName => Title::EndpointNotHostName,
            LoginRefusal::UnknownDatabase | LoginRefusal::Denied | LoginRefusal::Other => {
                Title::LoginRefused
            }
        },
        ConnectError::BrokenOff { .. } => Title::ConnectionClosedDuringLogin,
        ConnectError::NoRegion { .. } => Title::UnknownRegion,
        ConnectError::Credentials { .. } => Title::NoAwsCredentials,
        ConnectError::AssumeRole { .. } => Title::CannotAssumeRole,
        ConnectError::WebIdentityFile { .. } => Title::UnreadableWebIdentityToken,
    }
}

/// Returns what to do now.
pub(super) fn advice(error: &ConnectError) -> String {
    match error {
        ConnectError::ControlPlane { code: None, reason, .. }
        | ConnectError::AssumeRole { code: None, reason, .. }
            if reason.contains("invalid peer certificate") =>
        {
            "The server that answered in place of AWS presented an untrusted certificate. \
             Amazon's certificate authorities are built in, and those of the system are trusted \
             as well. If there is a proxy in between, add its authority to those of the system, \
             or set ca_file to a file that contains it."
        }
        ConnectError::ControlPlane { identifier, region, code, .. } => {
            return control_plane_advice(identifier, region, code.as_deref());
        }
        ConnectError::NotActive { status, waited, .. } => {
            return not_active_advice(status, waited.is_some());
        }
        ConnectError::Resolve { .. } => {
            "Check the endpoint, and check that the cluster has not been deleted. With \
             PrivateLink, enable private DNS, or set cluster_identifier in addition to the name of \
             the VPC endpoint."
        }
        ConnectError::Tcp { port, .. } | ConnectError::TimedOut { port, .. } => {
            return format!(
                "Check the endpoint and the port, and check that this machine can connect to \
                 them: routes, security groups, and firewalls must allow outgoing TCP connections \
                 to port {port}."
            );
        }
        ConnectError::CaFile { .. } => {
            "It must be a readable PEM file that contains CERTIFICATE blocks."
        }
        ConnectError::Tls { certificate, .. } => return certificate_advice(*certificate),
        ConnectError::TlsSetup { .. } => "This is a bug in the provider. Please report it.",
        ConnectError::Login { user, refusal, token, endpoint, .. } => {
            return login_advice(*refusal, user, endpoint, token.as_deref());
        }
        ConnectError::BrokenOff { .. } => {
            "Check that the endpoint belongs to a DSQL cluster, and try again."
        }
        ConnectError::NoRegion { .. } => {
            "Set region, or use an endpoint of the form <id>.dsql.<region>.on.aws."
        }
        ConnectError::Credentials { profile: Some(_), .. } => {
            "Check that the profile exists in the shared AWS configuration files and that its \
             login has not expired (aws sso login)."
        }
        ConnectError::Credentials { profile: None, .. } => {
            "Provide AWS credentials in one of the usual ways (environment variables, a profile, \
             IAM Identity Center, a web identity token, or the role of a container or instance), \
             or set token."
        }
        ConnectError::AssumeRole { role_arn, action, code, .. } => {
            return assume_role_advice(role_arn, action, code.as_deref());
        }
        ConnectError::WebIdentityFile { .. } => {
            "The platform that runs this process, such as a CI system, must create the file, and \
             the process must be allowed to read it."
        }
    }
    .to_owned()
}

/// The causes of an AWS API error that messages distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aws {
    NotFound,
    Denied,
    Throttled,
    Expired,
    NoAnswer,
    Other,
}

/// Classifies an error code. `None` means that AWS did not respond.
fn control_plane_problem(code: Option<&str>) -> Aws {
    match code {
        None => Aws::NoAnswer,
        Some("ResourceNotFoundException") => Aws::NotFound,
        Some("AccessDeniedException" | "AccessDenied" | "UnrecognizedClientException") => {
            Aws::Denied
        }
        Some("ThrottlingException" | "Throttling" | "TooManyRequestsException") => Aws::Throttled,
        Some("ExpiredTokenException" | "ExpiredToken" | "RequestExpired") => Aws::Expired,
        Some(_) => Aws::Other,
    }
}

const RENEW: &str = "The credentials that signed the request have expired. Log in again, or use a \
                     source that renews them, such as a profile with SSO or a role.";

fn control_plane_advice(identifier: &str, region: &str, code: Option<&str>) -> String {
    match control_plane_problem(code) {
        Aws::NotFound => format!(
            "The account of these credentials has no cluster {identifier} in {region}. Check \
             cluster_identifier, region, and the credentials, and check that the cluster has not \
             been deleted."
        ),
        Aws::Denied => format!(
            "To look up a cluster by its identifier, the identity needs the permission \
             dsql:GetCluster on it. Grant the permission, or specify the cluster by its endpoint: \
             endpoint = \"{}\".",
            crate::database::endpoint_of(identifier, region)
        ),
        Aws::Throttled => {
            "Try again, with a lower -parallelism if there are many clusters, or specify the \
             clusters by their endpoints."
                .to_owned()
        }
        Aws::Expired => RENEW.to_owned(),
        Aws::NoAnswer => format!(
            "Check that this machine can reach the API of Aurora DSQL in {region}, or specify the \
             cluster by its endpoint, which does not need the API."
        ),
        Aws::Other => "If the message does not explain the problem, specify the cluster by its \
                       endpoint, which does not need this request."
            .to_owned(),
    }
}

fn not_active_advice(status: &str, waited: bool) -> String {
    match status {
        "CREATING" => {
            "The cluster is still being created. Apply again in a few minutes. Nothing is applied \
             twice."
        }
        "PENDING_SETUP" => {
            "A cluster of a multi-Region pair waits for its peer. Link the two clusters \
             (aws_dsql_cluster_peering), then apply again."
        }
        "PENDING_DELETE" => {
            "A cluster of a multi-Region pair is deleted when its peer is deleted as well. \
             Specify another cluster, or remove this resource."
        }
        "DELETING" | "DELETED" => {
            "The cluster is being deleted. Specify another cluster, or remove this resource."
        }
        "FAILED" => {
            "The creation of the cluster failed. Check the cluster in the AWS console, delete it, \
             and create another one."
        }
        _ if waited => "Apply again when the cluster is active.",
        _ => "Check the cluster in the AWS console.",
    }
    .to_owned()
}

fn certificate_advice(problem: Option<CertificateProblem>) -> String {
    match problem {
        Some(CertificateProblem::Untrusted) => {
            "The certificate is not signed by a trusted authority. Amazon's authorities are built \
             in, so another server answers in place of the cluster. For an emulator or a proxy, \
             set ca_file to the PEM file of its certificate authority."
        }
        Some(CertificateProblem::OtherName) => {
            "Use the cluster's own host name as endpoint. If you connect through another name (a \
             VPC endpoint without private DNS, a tunnel), also set cluster_identifier and region, \
             so that the provider expects the certificate of the cluster."
        }
        Some(CertificateProblem::Time) => "Check the clock of this machine.",
        Some(CertificateProblem::Other) | None => {
            "Check that the endpoint is the cluster's own host name, and that there is no proxy in \
             between."
        }
    }
    .to_owned()
}

fn assume_role_advice(role_arn: &str, action: &str, code: Option<&str>) -> String {
    match code {
        Some("AccessDenied" | "AccessDeniedException") => format!(
            "Two policies must allow it. The trust policy of {role_arn} must allow the calling \
             identity, including its conditions (external ID, audience, subject). The identity \
             also needs the permission {action} on the role, if it is in another account or if \
             the trust policy does not name it directly."
        ),
        Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => RENEW.to_owned(),
        Some("InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError") => {
            "The account must have an OIDC identity provider for the issuer and the audience of \
             the token, and the token must not have expired."
                .to_owned()
        }
        Some("InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException") => {
            "AWS does not recognize the credentials that signed the request. Check them, and check \
             the clock of this machine."
                .to_owned()
        }
        Some("ValidationError") => {
            "STS rejected an argument of the role. Check role_arn, session_name, duration (at \
             most the limit of the role, and 1h for a role that another role assumes), tags, and \
             policy."
                .to_owned()
        }
        Some("Throttling" | "ThrottlingException") => {
            "Try again, with a lower -parallelism if there are many clusters.".to_owned()
        }
        Some(_) => "Check the role and its trust policy.".to_owned(),
        None => "Check that this machine can reach STS in the Region of the cluster. To use \
                 another endpoint, set endpoints.sts or AWS_ENDPOINT_URL_STS."
            .to_owned(),
    }
}

fn action_of(user: &str) -> &'static str {
    if user == "admin" { "DbConnectAdmin" } else { "DbConnect" }
}

fn login_advice(
    refusal: LoginRefusal,
    user: &str,
    endpoint: &str,
    token: Option<&TokenFacts>,
) -> String {
    let action = action_of(user);
    match refusal {
        LoginRefusal::Expired => {
            "Remove token, so that the provider generates a new one for each connection, or set a \
             new one. If the provider generated the token, check the clock of this machine."
                .to_owned()
        }
        LoginRefusal::WrongAction if action == "DbConnectAdmin" => {
            "The token was generated for a role other than admin (DbConnect), but user is admin, \
             which requires a token for DbConnectAdmin. Set user to the role of the token, or set \
             a token from generate-db-connect-admin-auth-token."
                .to_owned()
        }
        LoginRefusal::WrongAction => format!(
            "The token was generated for admin (DbConnectAdmin), but user is {user}, which \
             requires a token for DbConnect. Set user = \"admin\", or set a token from \
             generate-db-connect-auth-token."
        ),
        LoginRefusal::Asleep => {
            "The cluster was idle for a long time and is still waking up. Try again in a minute."
                .to_owned()
        }
        LoginRefusal::RateExceeded => {
            "A cluster accepts 100 logins per second. The provider repeated the login for a \
             minute. Try again when the load is lower."
                .to_owned()
        }
        LoginRefusal::TooManyConnections => {
            "A cluster accepts 10,000 connections. Close some, or request a higher quota from \
             AWS. The provider uses one connection for each cluster."
                .to_owned()
        }
        LoginRefusal::NoLogin => no_login_advice(user),
        LoginRefusal::NoServerName => format!(
            "DSQL identifies the cluster by the host name in the TLS handshake, but {endpoint} is \
             an IP address. Use the host name."
        ),
        LoginRefusal::Denied => denied_advice(user, action, token),
        LoginRefusal::UnknownDatabase => {
            "DSQL has one database, postgres. Check that the endpoint belongs to a DSQL cluster."
                .to_owned()
        }
        LoginRefusal::Other => format!(
            "Check that the endpoint belongs to a DSQL cluster, that the role {user} exists with \
             LOGIN, and that the identity has the permission dsql:{action} on this cluster."
        ),
    }
}

/// DSQL accepts LOGIN in `CREATE ROLE` and supports no `ALTER ROLE` that adds it (dsql-lint, live
/// suite).
fn no_login_advice(user: &str) -> String {
    let role = quoted_identifier(user);
    let new = quoted_identifier(&format!("{user}_login"));
    format!(
        "DSQL cannot add LOGIN to a role that exists. Create a role with LOGIN, let it inherit the \
         privileges of {user:?}, and set user to the new role. As admin, run, for \
         example:\n\n  CREATE ROLE {new} WITH LOGIN;\n  GRANT {role} TO {new};\n  AWS IAM GRANT \
         {new} TO '<ARN of the IAM role>';"
    )
}

/// Lists every possible cause, because DSQL does not report which one applies.
fn denied_advice(user: &str, action: &str, token: Option<&TokenFacts>) -> String {
    let mut words = String::new();
    if let Some(TokenFacts { host, action: made_for, region, access_key }) = token {
        words.push_str(&format!(
            "The login used:\n\n  role:           {user}\n  token host:     {host}\n  token \
             action:   {made_for}\n  token Region:   {region}\n  access key ID:  \
             {access_key}\n\nCheck these values. The access key ID shows which IAM identity signed \
             the token. "
        ));
    } else {
        words.push_str(&format!(
            "The login of the role {user:?} used the configured token, which does not have the \
             form of an Aurora DSQL token. "
        ));
    }
    words.push_str(&format!(
        "Check that the identity has the permission dsql:{action} on this cluster"
    ));
    if user == "admin" {
        words.push('.');
    } else {
        words.push_str(&format!(
            ", and that the role {user:?} exists with LOGIN and is mapped to the identity. To \
             create it, run as admin:\n\n  CREATE ROLE {role} WITH LOGIN;\n  AWS IAM GRANT {role} \
             TO '<ARN of the IAM role>';",
            role = quoted_identifier(user)
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::ServerError;

    fn login(user: &str, message: &str, hint: Option<&str>) -> ConnectError {
        let mut error = ServerError::new("28000", message);
        error.hint = hint.map(str::to_owned);
        let error = Box::new(error);
        let token = TokenFacts {
            host: "other.dsql.us-east-1.on.aws".into(),
            action: "DbConnect".into(),
            region: "us-east-1".into(),
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
        };
        ConnectError::Login {
            endpoint: "abc.dsql.us-east-1.on.aws".into(),
            user: user.into(),
            refusal: LoginRefusal::of(&error),
            token: Some(Box::new(token)),
            error,
        }
    }

    #[test]
    fn each_refused_login_has_its_own_title_and_remedy() {
        let denied = "unable to accept connection, access denied";
        let mapping = "Wrong user to action mapping. user: x, action: y";
        for (error, expected, remedy) in [
            (login("admin", denied, Some("Signature expired: x")), "Token has expired", "clock"),
            (login("admin", mapping, None), "Token does not match", "-admin-auth-token"),
            (login("app", mapping, None), "Token does not match", "user = \"admin\""),
            (login("app", denied, None), "Login refused", "AWS IAM GRANT app TO"),
            (login("app", denied, None), "Login refused", "dsql:DbConnect on"),
            (login("admin", denied, None), "Login refused", "dsql:DbConnectAdmin on"),
            (login("admin", denied, None), "Login refused", "other.dsql.us-east-1.on.aws"),
            (login("app", denied, None), "Login refused", "role:           app\n"),
            (login("app", denied, None), "Login refused", "AKIAIOSFODNN7EXAMPLE"),
            (
                login("app", "Unable to accept connection, rate exceeded.", None),
                "Login rate limit",
                "100",
            ),
            (
                login("app", "Unable to accept connection, too many open connections.", None),
                "Too many connections",
                "quota",
            ),
            (login("app", "unable …, waking up cluster", None), "Cluster did not wake", "again"),
            (login("app", "unable …, sni was not received", None), "Endpoint is not a h", "name"),
            (
                login("app", "role app must have the LOGIN attribute", None),
                "Role is not permitted",
                "CREATE ROLE app_login WITH LOGIN;\n  GRANT app TO app_login;",
            ),
        ] {
            assert!(title(&error).text().starts_with(expected), "{expected}: {:?}", title(&error));
            assert!(advice(&error).contains(remedy), "{remedy}: {}", advice(&error));
        }
        assert!(!advice(&login("admin", denied, None)).contains("AWS IAM GRANT"));
    }

    #[test]
    fn the_port_to_open_is_the_configured_one() {
        let limit = std::time::Duration::from_secs(30);
        let source = std::io::ErrorKind::ConnectionRefused.into();
        for error in
            [ConnectError::Tcp { port: 6543, source }, ConnectError::TimedOut { port: 6543, limit }]
        {
            assert!(advice(&error).ends_with("to port 6543."), "{}", advice(&error));
        }
    }

    #[test]
    fn each_status_of_a_cluster_has_its_own_remedy() {
        let advice_of = |status: &str, waited: bool| {
            let waited = waited.then_some(std::time::Duration::from_secs(240));
            let identifier = "abc".to_owned();
            advice(&ConnectError::NotActive { identifier, status: status.into(), waited })
        };
        let all = [
            advice_of("CREATING", true),
            advice_of("PENDING_SETUP", true),
            advice_of("PENDING_DELETE", false),
            advice_of("DELETING", false),
            advice_of("FAILED", false),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn each_answer_of_aws_has_its_own_title() {
        let of = |code: Option<&str>| ConnectError::ControlPlane {
            identifier: "abc".into(),
            region: "us-east-1".into(),
            code: code.map(str::to_owned),
            reason: "because".into(),
        };
        let codes = [
            Some("ResourceNotFoundException"),
            Some("AccessDeniedException"),
            Some("ThrottlingException"),
            None,
        ];
        let titles: std::collections::BTreeSet<_> =
            codes.iter().map(|code| title(&of(*code)).text()).collect();
        assert_eq!(titles.len(), codes.len());
        assert!(advice(&of(Some("AccessDeniedException"))).contains("dsql:GetCluster"));
        assert!(advice(&of(None)).contains("can reach the API"));
        let ConnectError::ControlPlane { identifier, region, code, .. } = of(None) else {
            unreachable!("made above")
        };
        let reason = "…: invalid peer certificate: UnknownIssuer".to_owned();
        let in_between = ConnectError::ControlPlane { identifier, region, code, reason };
        assert!(advice(&in_between).contains("untrusted certificate"));
    }
}
