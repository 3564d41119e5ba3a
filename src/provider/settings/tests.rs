//! Which block a setting comes from, and which settings are rejected.

use super::*;
use crate::value::{AttributePath, Object, Value};

fn settings(attributes: &[(&str, Value)]) -> Result<Settings, Diagnostic> {
    let names = provider_attributes().into_iter().map(|attribute| attribute.name);
    let mut block = Value::object(names.map(|name| (name, Value::Null)));
    for (name, value) in attributes {
        block.set(*name, value.clone());
    }
    Settings::decode(&Object::new(&block).unwrap())
}

fn environment(vars: &'static [(&str, &str)]) -> Environment {
    let var = |wanted: &str| {
        vars.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
    };
    Environment::new(var, None)
}

#[test]
fn a_resource_wins_over_the_provider_block_and_that_over_the_environment() {
    let narrow = settings(&[("user", "app".into())]).unwrap();
    let wide = settings(&[("user", "other".into()), ("port", 5433_u64.into())]).unwrap();
    let environment = environment(&[("DSQL_ENDPOINT", "host"), ("DSQL_PORT", "1")]);

    let location = narrow.or(&wide).resolve(&environment).unwrap().known().unwrap();

    assert_eq!(location.target.to_string(), "host:5433 as app");
    assert_eq!(location.ledger.to_string(), "\"dsql_migrations\"");
}

#[test]
fn an_unknown_endpoint_is_not_replaced_by_a_wider_one() {
    let narrow = settings(&[("endpoint", Value::Unknown)]).unwrap();
    let wide = settings(&[("endpoint", "host".into())]).unwrap();
    assert!(narrow.or(&wide).resolve(&Environment::default()).unwrap().is_unknown());
}

#[test]
fn a_missing_endpoint_names_the_three_places_for_it() {
    let error = Settings::default().resolve(&Environment::default()).unwrap_err();
    assert!(error.detail.contains("DSQL_ENDPOINT"), "{error:?}");
}

#[test]
fn a_port_outside_of_its_range_is_an_error_at_the_port() {
    for port in [Value::from(0_u64), Value::from(70_000_u64), Value::from(-1_i64)] {
        let error = settings(&[("port", port)]).unwrap_err();
        assert_eq!(error.path, Some(AttributePath::from("port")));
    }
    let environment = environment(&[("DSQL_ENDPOINT", "host"), ("DSQL_PORT", "many")]);
    let error = Settings::default().resolve(&environment).unwrap_err();
    assert!(error.summary.contains("DSQL_PORT"), "{error:?}");
}

#[test]
fn an_endpoint_that_is_not_a_bare_host_name_is_an_error_at_the_endpoint() {
    for text in ["https://abc.dsql.us-east-1.on.aws", "abc.on.aws:5432", "abc.on.aws/", "a b"] {
        let error = settings(&[("endpoint", text.into())]).unwrap_err();
        assert_eq!(error.path, Some(AttributePath::from("endpoint")), "{text}");
        assert!(error.detail.contains(text), "{error:?}");
    }
    let environment = environment(&[("DSQL_ENDPOINT", "https://abc.on.aws")]);
    let error = Settings::default().resolve(&environment).unwrap_err();
    assert_eq!(error.summary, "Invalid environment variable DSQL_ENDPOINT");
}

fn locate(attributes: &[(&str, Value)], vars: &'static [(&str, &str)]) -> LedgerLocation {
    let settings = settings(attributes).unwrap();
    settings.resolve(&environment(vars)).unwrap().known().unwrap()
}

const ID: &str = "abcdefghijklmnopqrstuvwxyz";
const HOST: &str = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws";

#[test]
fn the_region_in_the_endpoint_counts_more_than_that_of_the_environment() {
    let vars = &[("AWS_REGION", "us-east-1")];
    let region = |attributes: &[(&str, Value)]| locate(attributes, vars).target.region;
    assert_eq!(region(&[("endpoint", HOST.into())]).as_deref(), Some("eu-central-1"));
    let both = [("endpoint", HOST.into()), ("region", "eu-central-1".into())];
    assert_eq!(region(&both).as_deref(), Some("eu-central-1"));
    assert_eq!(region(&[("endpoint", "localhost".into())]).as_deref(), Some("us-east-1"));
}

/// `region` in one block and the name of the cluster in another one.
#[test]
fn a_region_counts_for_a_name_in_another_block_only_if_that_contains_none() {
    let other = ("region", Value::from("us-east-1"));
    let same = ("region", Value::from("eu-central-1"));
    let unknown = ("region", Value::Unknown);
    let host = ("endpoint", Value::from(HOST));
    let vpce = ("endpoint", Value::from("vpce-1.dsql-x.eu-central-1.vpce.amazonaws.com"));
    let tunnel = ("endpoint", Value::from("localhost"));
    let identifier = ("cluster_identifier", Value::from(ID));
    for (narrow, wide, expected) in [
        (vec![host.clone()], vec![other.clone()], "eu-central-1"),
        (vec![host.clone(), same.clone()], vec![other.clone()], "eu-central-1"),
        (vec![host.clone()], vec![unknown], "eu-central-1"),
        (vec![vpce, identifier.clone()], vec![other.clone()], "eu-central-1"),
        (vec![other.clone()], vec![host], "eu-central-1"),
        (vec![identifier.clone()], vec![same.clone()], "eu-central-1"),
        (vec![tunnel.clone()], vec![same.clone()], "eu-central-1"),
        (vec![tunnel.clone(), identifier], vec![same.clone()], "eu-central-1"),
        (vec![same.clone()], vec![tunnel.clone()], "eu-central-1"),
        (vec![tunnel, same], vec![other], "eu-central-1"),
    ] {
        let location = settings(&narrow).unwrap().or(&settings(&wide).unwrap());
        let location = location.resolve(&environment(&[("AWS_REGION", "us-west-2")]));
        let target = location.unwrap().known().unwrap().target;
        assert_eq!(target.signing_region(), Some(expected), "{narrow:?} {wide:?}");
    }
    // The environment can name the cluster as well.
    let wide = settings(&[("region", "us-east-1".into())]).unwrap();
    let location = wide.resolve(&environment(&[("DSQL_ENDPOINT", HOST)])).unwrap();
    let target = location.known().unwrap().target;
    assert_eq!(target.signing_region(), Some("eu-central-1"));
}

#[test]
fn a_region_next_to_an_endpoint_in_another_region_is_an_error_at_the_region() {
    let vpce = "vpce-1.dsql-x.eu-central-1.vpce.amazonaws.com";
    for endpoint in [HOST, vpce] {
        let both = [("endpoint", endpoint.into()), ("region", "eu-west-1".into())];
        let error = settings(&both).unwrap_err();
        assert_eq!(error.path, Some(AttributePath::from("region")));
        assert!(error.detail.contains("the endpoint is in eu-central-1"), "{error:?}");
    }
    settings(&[("endpoint", HOST.into()), ("region", Value::Unknown)]).unwrap();
    settings(&[("endpoint", Value::Unknown), ("region", "eu-west-1".into())]).unwrap();
}

#[test]
fn a_cluster_is_named_by_its_endpoint_its_identifier_or_both() {
    let vars = &[("AWS_REGION", "eu-central-1"), ("DSQL_ENDPOINT", "of.another.cluster")];
    let named = |attributes: &[(&str, Value)]| {
        let target = locate(attributes, vars).target;
        (target.endpoint, target.naming)
    };
    let identifier = ("cluster_identifier", Value::from(ID));
    assert_eq!(
        named(std::slice::from_ref(&identifier)),
        (HOST.to_owned(), Naming::Identifier(ID.to_owned()))
    );
    assert_eq!(
        named(&[identifier.clone(), ("endpoint", HOST.into())]),
        (HOST.to_owned(), Naming::Endpoint)
    );
    assert_eq!(
        named(&[identifier, ("endpoint", "vpce-1.example.com".into())]),
        ("vpce-1.example.com".to_owned(), Naming::Behind(ID.to_owned()))
    );
}

#[test]
fn what_names_a_cluster_is_not_mixed_from_two_places() {
    let narrow = settings(&[("endpoint", HOST.into())]).unwrap();
    let wide = settings(&[("cluster_identifier", "other".into())]).unwrap();
    let location = narrow.or(&wide).resolve(&Environment::default()).unwrap().known().unwrap();
    assert_eq!(
        (location.target.endpoint.as_str(), location.target.naming),
        (HOST, Naming::Endpoint)
    );
}

#[test]
fn an_identifier_without_a_region_is_an_error() {
    let settings = settings(&[("cluster_identifier", ID.into())]).unwrap();
    let error = settings.resolve(&Environment::default()).unwrap_err();
    assert!(error.detail.contains("AWS_REGION"), "{error:?}");
}

#[test]
fn a_title_names_a_cluster_by_its_identifier_or_else_by_host_and_port() {
    let name = |attributes: &[(&str, Value)]| locate(attributes, &[]).title_name();
    let region = ("region", "us-east-1".into());
    assert_eq!(name(&[("endpoint", "abc.dsql.us-east-1.on.aws".into())]), "abc");
    assert_eq!(name(&[("cluster_identifier", "abc".into()), region.clone()]), "abc");
    let vpce = "vpce-1.dsql-x.us-east-1.vpce.amazonaws.com";
    assert_eq!(name(&[("endpoint", vpce.into())]), format!("{vpce}:5432"));
    let tunnel = [("endpoint", "localhost".into()), ("cluster_identifier", "abc".into()), region];
    assert_eq!(name(&tunnel), "abc");
    assert_eq!(name(&[("endpoint", "localhost".into()), ("port", 1_u64.into())]), "localhost:1");
    // Two ledgers of one cluster may have sets of the same name.
    let schema = [("endpoint", "localhost".into()), ("ledger_schema", "l2".into())];
    assert_eq!(name(&schema), "localhost:5432/l2");
}

/// An object with these attributes and null for the rest.
fn nested(name: &str, attributes: &[(&str, Value)]) -> Value {
    let all = roles::attributes(Stored::No);
    let found = all.into_iter().find(|attribute| attribute.name == name).unwrap();
    let crate::schema::AttributeType::Nested { attributes: inner, .. } = found.kind else {
        panic!("{name} is not nested");
    };
    let mut object = Value::object(inner.into_iter().map(|inner| (inner.name, Value::Null)));
    for (name, value) in attributes {
        object.set(*name, value.clone());
    }
    object
}

const ARN: &str = "arn:aws:iam::123456789012:role/app";

#[test]
fn a_role_is_read_with_all_that_it_has() {
    let role = nested(
        "assume_role",
        &[
            ("role_arn", ARN.into()),
            ("session_name", "ci".into()),
            ("external_id", "x".into()),
            ("duration", "30m".into()),
            ("tags", Value::map([("team", "data")])),
        ],
    );
    let location = locate(&[("assume_role", role)], &[("DSQL_ENDPOINT", HOST)]);
    let role = location.target.identity.role.unwrap();
    assert_eq!(role.session.role_arn, ARN);
    assert_eq!(role.session.name.as_deref(), Some("ci"));
    assert_eq!(role.session.duration, Some(std::time::Duration::from_secs(1800)));
    assert_eq!(role.external_id.as_deref(), Some("x"));
    assert_eq!(role.tags["team"], "data");
}

#[test]
fn a_role_that_cannot_be_is_rejected_with_its_path() {
    let web = "assume_role_with_web_identity";
    for (block, attributes, path) in [
        ("assume_role", vec![("role_arn", "app".into())], "assume_role.role_arn"),
        (
            "assume_role",
            vec![("role_arn", ARN.into()), ("duration", "1m".into())],
            "assume_role.duration",
        ),
        (web, vec![("role_arn", ARN.into())], web),
        (
            web,
            vec![
                ("role_arn", ARN.into()),
                ("web_identity_token_file", "f".into()),
                ("web_identity_token", "t".into()),
            ],
            web,
        ),
        ("endpoints", vec![("sts", "localhost".into())], "endpoints.sts"),
    ] {
        let error = settings(&[(block, nested(block, &attributes))]).unwrap_err();
        assert_eq!(error.path.unwrap().to_string(), path);
    }
}

#[test]
fn a_profile_in_a_cluster_takes_the_place_of_a_web_identity_in_the_provider() {
    let web = nested(
        "assume_role_with_web_identity",
        &[("role_arn", ARN.into()), ("web_identity_token", "secret".into())],
    );
    let narrow = settings(&[("profile", "ops".into()), ("endpoint", HOST.into())]).unwrap();
    let wide = settings(&[("assume_role_with_web_identity", web.clone())]).unwrap();
    assert!(!format!("{wide:?}").contains("secret"));
    let location = narrow.or(&wide).resolve(&Environment::default()).unwrap().known().unwrap();
    assert_eq!(location.target.identity.profile.as_deref(), Some("ops"));
    assert_eq!(location.target.identity.web_identity, None);
    let both = [("profile", "ops".into()), ("assume_role_with_web_identity", web)];
    assert_eq!(settings(&both).unwrap_err().path, Some("profile".into()));
}
