//! The schema of the settings.

use super::{Stored, roles};
use crate::schema::{Attribute, Nesting};

/// The attributes of the `provider` block.
pub(crate) fn provider_attributes() -> Vec<Attribute> {
    let mut attributes = cluster_attributes(Stored::No);
    // Not part of `cluster`: a resource's arguments are stored in the state, a token must not be.
    attributes.push(Attribute::string("token").optional().sensitive().description(
        "Authentication token to use instead of one that is generated from AWS credentials. The \
         value can be ephemeral.",
    ));
    attributes
}

/// The `cluster` argument of a resource or data source.
pub(crate) fn cluster_attribute() -> Attribute {
    cluster(
        "Cluster to connect to. Arguments that are not set here are taken from the `provider` \
         block. There is no `token` here, because Terraform stores the arguments of resources in \
         its state.",
    )
}

/// The `cluster` argument of an ephemeral resource, which signs tokens and connects to no cluster.
pub(crate) fn token_cluster_attribute() -> Attribute {
    cluster(
        "Cluster for which to generate the token. Arguments that are not set here are taken from \
         the `provider` block.",
    )
}

fn cluster(description: &str) -> Attribute {
    let attributes = cluster_attributes(Stored::Yes);
    Attribute::nested("cluster", Nesting::Single, attributes).optional().description(description)
}

fn cluster_attributes(stored: Stored) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::string("endpoint").optional().description(
            "Host name of the cluster, for example \
             `abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws`.",
        ),
        Attribute::string("cluster_identifier").optional().description(
            "Identifier of the cluster. Without `endpoint`, the provider looks up the endpoint in \
             AWS and waits until the cluster is active. With an endpoint that is not a name of \
             the cluster, such as a tunnel, it determines the certificate and the token.",
        ),
        Attribute::number("port")
            .optional()
            .description("TCP port of the cluster. Default: `5432`."),
        Attribute::string("region").optional().description(
            "AWS Region for which the token is signed if the endpoint contains none. Default: \
             `AWS_REGION`. A Region in the endpoint takes precedence over `region` in another \
             block, and must match `region` in the same block.",
        ),
        Attribute::string("user")
            .optional()
            .description("Database role to log in as. Default: `admin`."),
        Attribute::string("profile")
            .optional()
            .description("Profile in the shared AWS configuration files."),
        Attribute::string("ca_file").optional().description(
            "PEM file with the certificate authorities to trust for the cluster, instead of \
             Amazon's and those of the system. For AWS services, they are trusted in addition to \
             the others.",
        ),
        Attribute::string("ledger_schema")
            .optional()
            .description("Database schema that contains the ledger. Default: `dsql_migrations`."),
    ];
    attributes.extend(roles::attributes(stored));
    attributes
}
