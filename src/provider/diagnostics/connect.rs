//! The words of a connection that could not be opened: for each cause its own title and remedy.

use crate::database::{CertificateProblem, ConnectError, LoginRefusal, TokenFacts};

/// A title.
pub(super) fn summary(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::ControlPlane { code, .. } => match control_plane_problem(code.as_deref()) {
            Aws::NotFound => "Cluster does not exist",
            Aws::Denied => "Not authorized to look up the cluster",
            Aws::Throttled => "AWS API request was throttled",
            Aws::Expired => "AWS credentials have expired",
            Aws::NoAnswer | Aws::Other => "Cannot look up the cluster",
        },
        ConnectError::NotActive { waited: Some(_), .. } => "Cluster is not ready",
        ConnectError::NotActive { waited: None, .. } => "Cluster does not accept connections",
        ConnectError::Resolve { .. } => "Cannot resolve the cluster endpoint",
        ConnectError::Tcp { .. } | ConnectError::TimedOut { .. } => "Cannot connect to the cluster",
        ConnectError::CaFile { .. } => "CA file cannot be used",
        ConnectError::Tls { certificate, .. } => match certificate {
            Some(CertificateProblem::Untrusted) => "Cluster certificate is not trusted",
            Some(CertificateProblem::OtherName) => "Certificate is for a different host name",
            Some(CertificateProblem::Time) => "Certificate is expired or not yet valid",
            Some(CertificateProblem::Other) | None => "TLS with the cluster failed",
        },
        ConnectError::TlsSetup { .. } => "TLS with the cluster failed",
        ConnectError::Login { refusal, .. } => match refusal {
            LoginRefusal::Expired => "Token has expired",
            LoginRefusal::WrongAction => "Token does not match the database role",
            LoginRefusal::Asleep => "Cluster did not wake up in time",
            LoginRefusal::RateExceeded => "Login rate limit exceeded",
            LoginRefusal::TooManyConnections => "Too many connections to the cluster",
            LoginRefusal::NoLogin => "Role is not permitted to log in",
            LoginRefusal::NoServerName => "Endpoint is not a host name",
            LoginRefusal::UnknownDatabase | LoginRefusal::Denied | LoginRefusal::Other => {
                "Login refused by the cluster"
            }
        },
        ConnectError::BrokenOff { .. } => "Connection closed during login",
        ConnectError::NoRegion { .. } => "Cannot determine the cluster Region",
        ConnectError::Credentials { .. } => "No AWS credentials found",
        ConnectError::AssumeRole { .. } => "Cannot assume the IAM role",
        ConnectError::WebIdentityFile { .. } => "Cannot read the web identity token",
    }
}

/// What to do.
pub(super) fn advice(error: &ConnectError) -> String {
    match error {
        ConnectError::ControlPlane { code: None, reason, .. }
        | ConnectError::AssumeRole { code: None, reason, .. }
            if reason.contains("invalid peer certificate") =>
        {
            "What answered in the place of AWS has a certificate that is not trusted here. Amazon's \
             authorities are built in, and those of the system are trusted as well. If a proxy \
             stands between, add its authority to the system's, or name a file with it as ca_file."
        }
        ConnectError::ControlPlane { identifier, region, code, .. } => {
            return control_plane_advice(identifier, region, code.as_deref());
        }
        ConnectError::NotActive { status, waited, .. } => {
            return not_active_advice(status, waited.is_some());
        }
        ConnectError::Resolve { .. } => {
            "Check the endpoint, and that the cluster has not been deleted. Behind PrivateLink, \
             private DNS has to be on, or cluster_identifier has to be set beside the endpoint of \
             the VPC endpoint."
        }
        ConnectError::Tcp { .. } | ConnectError::TimedOut { .. } => {
            "Check endpoint and port, and that this machine may connect to it: routes, security \
             groups and firewalls have to let TCP 5432 out."
        }
        ConnectError::CaFile { .. } => "It must be a readable PEM file with CERTIFICATE blocks.",
        ConnectError::Tls { certificate, .. } => return certificate_advice(*certificate),
        ConnectError::TlsSetup { .. } => "This is a bug in the provider; please report it.",
        ConnectError::Login { user, refusal, token, endpoint, .. } => {
            return login_advice(*refusal, user, endpoint, token.as_deref());
        }
        ConnectError::BrokenOff { .. } => {
            "The other side ended the connection during the login. Check that it is a DSQL \
             endpoint, and try again."
        }
        ConnectError::NoRegion { .. } => {
            "Set region, or use an endpoint of the form <id>.dsql.<region>.on.aws."
        }
        ConnectError::Credentials { profile: Some(_), .. } => {
            "Check that the profile exists in the shared AWS configuration files and that its \
             login has not expired (aws sso login)."
        }
        ConnectError::Credentials { profile: None, .. } => {
            "Give this process AWS credentials in one of the usual ways (environment variables, a \
             profile, SSO, a web identity, the role of a container or instance), or set token."
        }
        ConnectError::AssumeRole { role_arn, action, code, .. } => {
            return assume_role_advice(role_arn, action, code.as_deref());
        }
        ConnectError::WebIdentityFile { .. } => {
            "The CI system or the cluster that runs this process has to write it, and the process \
             must be allowed to read it."
        }
    }
    .to_owned()
}

/// What an error of an AWS API comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aws {
    NotFound,
    Denied,
    Throttled,
    Expired,
    NoAnswer,
    Other,
}

/// `None` if there was no answer.
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

const RENEW: &str = "The credentials that the request was signed with are too old. Log in again, \
                     or use a source that renews them (a profile with SSO, a role).";

fn control_plane_advice(identifier: &str, region: &str, code: Option<&str>) -> String {
    match control_plane_problem(code) {
        Aws::NotFound => format!(
            "There is no cluster {identifier} in {region} in the account of these credentials. \
             Check cluster_identifier, region and the credentials, or whether it was deleted."
        ),
        Aws::Denied => format!(
            "To name a cluster by its identifier takes the permission dsql:GetCluster on it. \
             Allow it, or name the cluster by its endpoint: \
             endpoint = \"{}\".",
            crate::database::endpoint_of(identifier, region)
        ),
        Aws::Throttled => {
            "Try again, with a lower -parallelism if there are many clusters, or name \
                           them by their endpoints."
                .to_owned()
        }
        Aws::Expired => RENEW.to_owned(),
        Aws::NoAnswer => format!(
            "Check that this machine can reach the API of Aurora DSQL in {region}, or name the \
             cluster by its endpoint, which does not need it."
        ),
        Aws::Other => "If the message does not tell what to do, name the cluster by its endpoint, \
                       which does not need this request."
            .to_owned(),
    }
}

fn not_active_advice(status: &str, waited: bool) -> String {
    match status {
        "CREATING" => {
            "It is still being created. Apply again in a few minutes; what has been applied is not \
             applied twice."
        }
        "PENDING_SETUP" => {
            "A cluster of a multi-Region pair waits for its peer: link the two clusters \
             (aws_dsql_cluster_peering), then apply again."
        }
        "PENDING_DELETE" => {
            "A cluster of a multi-Region pair is deleted when its peer is deleted too. Name another \
             cluster, or remove this resource."
        }
        "DELETING" | "DELETED" => "It is being deleted. Name another cluster, or remove this resource.",
        "FAILED" => {
            "Its creation has failed. Look at the cluster in the console, delete it and create \
             another one."
        }
        _ if waited => "Apply again when it is active.",
        _ => "Look at the cluster in the console.",
    }
    .to_owned()
}

fn certificate_advice(problem: Option<CertificateProblem>) -> String {
    match problem {
        Some(CertificateProblem::Untrusted) => {
            "The certificate is not signed by an authority that is trusted here. Amazon's \
             authorities are built in, so something between this machine and the cluster answers \
             in its place; for an emulator or a proxy set ca_file to the PEM file of its authority."
        }
        Some(CertificateProblem::OtherName) => {
            "Use the cluster's own host name as endpoint. If it is reached by another name (a VPC \
             endpoint without private DNS, a tunnel), set cluster_identifier and region as well: \
             then the certificate is expected to be the cluster's."
        }
        Some(CertificateProblem::Time) => "Check the clock of this machine.",
        Some(CertificateProblem::Other) | None => {
            "Check that the endpoint is the cluster's own host name, and that no proxy is between."
        }
    }
    .to_owned()
}

fn assume_role_advice(role_arn: &str, action: &str, code: Option<&str>) -> String {
    match code {
        Some("AccessDenied" | "AccessDeniedException") => format!(
            "Two policies must allow it: the trust policy of {role_arn} has to name the identity \
             that asks (with its conditions: external id, audience, subject), and that identity \
             needs the permission {action} on it, if it is in another account or is not named \
             itself."
        ),
        Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => RENEW.to_owned(),
        Some("InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError") => {
            "The account has to know the issuer of the token as an OIDC identity provider, with \
             the audience that the token is for; and the token must not have expired."
                .to_owned()
        }
        Some("InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException") => {
            "AWS does not know the credentials that the request was signed with. Check them, and \
             the clock of this machine."
                .to_owned()
        }
        Some("ValidationError") => {
            "An argument of the role is not acceptable to STS: check role_arn, session_name, \
             duration (at most the role's own limit, and 1h for a role assumed by a role), tags \
             and policy."
                .to_owned()
        }
        Some("Throttling" | "ThrottlingException") => {
            "Try again, with a lower -parallelism if there are many clusters.".to_owned()
        }
        Some(_) => "Check the role and what may assume it.".to_owned(),
        None => "Check that this machine can reach STS in the Region of the cluster; \
                 AWS_ENDPOINT_URL_STS or endpoints.sts name another one."
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
        LoginRefusal::Expired => "Leave token unset, so that a new one is made for each connection, or \
                             set a fresh one. If the provider made it, check the clock of this \
                             machine."
            .to_owned(),
        LoginRefusal::WrongAction if action == "DbConnectAdmin" => {
            "The token was made for an ordinary role (DbConnect), but user is admin, which takes a \
             token for DbConnectAdmin. Set user to the role that the token is for, or token to one \
             that was made with generate-db-connect-admin-auth-token."
                .to_owned()
        }
        LoginRefusal::WrongAction => format!(
            "The token was made for admin (DbConnectAdmin), but user is {user}, which takes a token \
             for DbConnect. Set user = \"admin\", or token to one that was made with \
             generate-db-connect-auth-token."
        ),
        LoginRefusal::Asleep => {
            "It was idle for long. It was waited for; try again in a minute.".to_owned()
        }
        LoginRefusal::RateExceeded => "A cluster takes 100 logins a second. It was waited for; try again \
                                  when less is going on."
            .to_owned(),
        LoginRefusal::TooManyConnections => "A cluster takes 10,000 connections. End some, or ask AWS \
                                        for a higher quota; this provider uses one for each cluster."
            .to_owned(),
        LoginRefusal::NoLogin => format!("As admin: ALTER ROLE {user} WITH LOGIN."),
        LoginRefusal::NoServerName => format!(
            "DSQL finds the cluster by the host name in the TLS handshake, and {endpoint} is an \
             address. Use the host name."
        ),
        LoginRefusal::Denied => denied_advice(user, action, token),
        LoginRefusal::UnknownDatabase => {
            "DSQL has one database, postgres. Check that it is a DSQL endpoint.".to_owned()
        }
        LoginRefusal::Other => format!(
            "Check that it is a DSQL endpoint, that the role {user} exists with LOGIN, and that the \
             identity has the permission dsql:{action} on this cluster."
        ),
    }
}

/// DSQL does not say what does not fit, so all that can be is named.
fn denied_advice(user: &str, action: &str, token: Option<&TokenFacts>) -> String {
    let mut words = String::new();
    if let Some(TokenFacts { host, action: made_for, region }) = token {
        words.push_str(&format!(
            "The token was made for:\n\n  host:    {host}\n  action:  {made_for}\n  region:  \
             {region}\n\n"
        ));
    } else {
        words.push_str("The configured token does not have the form of one for Aurora DSQL.\n\n");
    }
    words.push_str(&format!(
        "Check that these are right, and that the identity has the permission dsql:{action} on this \
         cluster"
    ));
    if user == "admin" {
        words.push('.');
    } else {
        words.push_str(&format!(
            ". Check that the role {user} exists with LOGIN and is mapped to the identity; as admin:\n\n  \
             CREATE ROLE {user} WITH LOGIN;\n  AWS IAM GRANT {user} TO '<ARN of the IAM role>';"
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
        for (error, title, remedy) in [
            (login("admin", denied, Some("Signature expired: x")), "Token has expired", "clock"),
            (login("admin", mapping, None), "Token does not match", "-admin-auth-token"),
            (login("app", mapping, None), "Token does not match", "user = \"admin\""),
            (login("app", denied, None), "Login refused", "AWS IAM GRANT app TO"),
            (login("app", denied, None), "Login refused", "dsql:DbConnect on"),
            (login("admin", denied, None), "Login refused", "dsql:DbConnectAdmin on"),
            (login("admin", denied, None), "Login refused", "other.dsql.us-east-1.on.aws"),
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
                "ALTER ROLE",
            ),
        ] {
            assert!(summary(&error).starts_with(title), "{title}: {}", summary(&error));
            assert!(advice(&error).contains(remedy), "{remedy}: {}", advice(&error));
        }
        assert!(!advice(&login("admin", denied, None)).contains("AWS IAM GRANT"));
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
            codes.iter().map(|code| summary(&of(*code))).collect();
        assert_eq!(titles.len(), codes.len());
        assert!(advice(&of(Some("AccessDeniedException"))).contains("dsql:GetCluster"));
        assert!(advice(&of(None)).contains("can reach the API"));
        let ConnectError::ControlPlane { identifier, region, code, .. } = of(None) else {
            unreachable!("made above")
        };
        let reason = "…: invalid peer certificate: UnknownIssuer".to_owned();
        let in_between = ConnectError::ControlPlane { identifier, region, code, reason };
        assert!(advice(&in_between).contains("is not trusted here"));
    }
}
