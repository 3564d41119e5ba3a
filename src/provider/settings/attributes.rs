//! The schema of the settings.

use super::{Stored, roles};
use crate::schema::{Attribute, Nesting};

/// The attributes of the `provider` block.
pub(crate) fn provider_attributes() -> Vec<Attribute> {
    let mut attributes = cluster_attributes(Stored::No);
    // Not part of `cluster`: a resource's arguments are stored in the state, a token must not be.
    attributes.push(Attribute::string("token").optional().sensitive().description(
        "A ready-made authentication token, instead of one made from AWS credentials. May be \
         ephemeral. Environment variable: `DSQL_TOKEN`.",
    ));
    attributes
}

/// The `cluster` argument of a resource.
pub(crate) fn cluster_attribute() -> Attribute {
    let attributes = cluster_attributes(Stored::Yes);
    Attribute::nested("cluster", Nesting::Single, attributes).optional().description(
        "The cluster of this resource. What is not set here is taken from the `provider` block. \
         There is no `token` here, because arguments of resources are stored in the state.",
    )
}

fn cluster_attributes(stored: Stored) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::string("endpoint").optional().description(
            "Host name of the cluster, `<id>.dsql.<region>.on.aws`. Environment variable: \
             `DSQL_ENDPOINT`.",
        ),
        Attribute::string("cluster_identifier").optional().description(
            "Identifier of the cluster. Without `endpoint`: AWS is asked for its endpoint \
             (`dsql:GetCluster`), and a cluster that is being created is waited for; needs \
             `region` or `AWS_REGION`. With an `endpoint` that is no name of it, such as a VPC \
             endpoint without private DNS or a tunnel: tells which cluster behind it is meant. \
             Environment variable: `DSQL_CLUSTER_IDENTIFIER`.",
        ),
        Attribute::number("port")
            .optional()
            .description("TCP port. Default: `5432`. Environment variable: `DSQL_PORT`."),
        Attribute::string("region").optional().description(
            "AWS Region to sign the token for. Default: the Region in `endpoint`, then \
             `AWS_REGION`.",
        ),
        Attribute::string("user")
            .optional()
            .description("Database role. Default: `admin`. Environment variable: `DSQL_USER`."),
        Attribute::string("profile").optional().description(
            "Profile of the shared AWS configuration files. Environment variable: `AWS_PROFILE`.",
        ),
        Attribute::string("ca_file").optional().description(
            "PEM file with the certificate authorities to trust for the cluster instead of \
             Amazon's and the system's; for AWS's services they are added. Environment variable: \
             `DSQL_CA_FILE`.",
        ),
        Attribute::string("ledger_schema").optional().description(
            "Database schema that holds the ledger. Default: `dsql_migrations`. Environment \
             variable: `DSQL_LEDGER_SCHEMA`.",
        ),
    ];
    attributes.extend(roles::attributes(stored));
    attributes
}
