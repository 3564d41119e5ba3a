//! Tests of the RPCs through the generated client, without a connection.

use std::sync::atomic::Ordering;

use super::schemas::capabilities;
use super::*;
use crate::transport::fake::FakeProvider;
use crate::transport::wire::tfplugin6::provider_client::ProviderClient;
use crate::transport::wire::tfplugin6::provider_server::ProviderServer;
use crate::value::{Value, decode, encode};

type Client = ProviderClient<ProviderServer<Service>>;

fn client_of(provider: &Arc<FakeProvider>) -> Client {
    let provider: Arc<dyn Provider> = Arc::clone(provider) as _;
    ProviderClient::new(ProviderServer::new(Service::new(provider, Lifetime::default())))
}

fn client() -> Client {
    client_of(&Arc::new(FakeProvider::new()))
}

const THING: &str = "fake_thing";

fn thing_type() -> Type {
    Type::object([("id", Type::String), ("name", Type::String), ("size", Type::Number)])
}

fn thing(id: impl Into<Value>, name: &str) -> Value {
    Value::object([("id", id.into()), ("name", name.into()), ("size", Value::Null)])
}

fn wired(value: &Value) -> Option<wire::DynamicValue> {
    let msgpack = encode(value, &thing_type()).expect("encoded");
    Some(wire::DynamicValue { msgpack, json: Vec::new() })
}

fn unwired(message: Option<wire::DynamicValue>) -> Value {
    decode(&message.expect("a value").msgpack, &thing_type()).expect("decoded")
}

/// Returns summary and detail of the only diagnostic, which must be an error.
fn error(diagnostics: &[wire::Diagnostic]) -> (&str, &str) {
    let [diagnostic] = diagnostics else { panic!("{diagnostics:?}") };
    assert_eq!(diagnostic.severity(), wire::diagnostic::Severity::Error);
    (&diagnostic.summary, &diagnostic.detail)
}

fn apply_request(prior: &Value, planned: &Value) -> wire::apply_resource_change::Request {
    wire::apply_resource_change::Request {
        type_name: THING.into(),
        prior_state: wired(prior),
        planned_state: wired(planned),
        config: wired(planned),
        planned_private: b"kept".to_vec(),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_schema_includes_the_capabilities() {
    let response = client().get_provider_schema(wire::get_provider_schema::Request {}).await;
    let schemas = response.expect("a response").into_inner();
    assert_eq!(schemas.provider.expect("a schema").block.expect("a block").attributes.len(), 1);
    assert_eq!(schemas.resource_schemas[THING].version, 2);
    assert_eq!(schemas.server_capabilities, Some(capabilities()));
    assert!(capabilities().plan_destroy && capabilities().get_provider_schema_optional);

    let response = client().get_metadata(wire::get_metadata::Request {}).await;
    let metadata = response.expect("a response").into_inner();
    assert_eq!(metadata.resources[0].type_name, THING);
    assert_eq!(metadata.server_capabilities, Some(capabilities()));
}

#[tokio::test]
async fn the_provider_is_configured_by_each_call() {
    let provider = Arc::new(FakeProvider::new());
    let mut client = client_of(&provider);
    let ty = provider.schema().implied_type();
    for endpoint in ["a", "b"] {
        let config = encode(&Value::object([("endpoint", endpoint.into())]), &ty);
        let request = wire::configure_provider::Request {
            terraform_version: "1.11.4".into(),
            config: Some(wire::DynamicValue { msgpack: config.expect("encoded"), json: vec![] }),
            ..Default::default()
        };
        let response = client.configure_provider(request).await.expect("a response").into_inner();
        assert_eq!(response.diagnostics, []);
    }
    let configured = provider.configured.lock().expect("a lock").clone();
    assert_eq!(configured.len(), 2);
    assert_eq!(configured[1].0, "1.11.4");
    assert_eq!(configured[1].1.get("endpoint"), Some(&"b".into()));
}

#[tokio::test]
async fn a_configuration_in_json_is_decoded() {
    let config = wire::DynamicValue { msgpack: vec![], json: br#"{"endpoint":null}"#.to_vec() };
    let request = wire::validate_provider_config::Request { config: Some(config) };
    let response = client().validate_provider_config(request).await.expect("a response");
    assert_eq!(response.into_inner().diagnostics, []);
}

#[tokio::test]
async fn an_unknown_value_reaches_the_provider() {
    let config = wire::DynamicValue {
        msgpack: [&[0x81, 0xa8][..], b"endpoint", &[0xd4, 0, 0]].concat(),
        json: vec![],
    };
    let request = wire::validate_provider_config::Request { config: Some(config) };
    let response = client().validate_provider_config(request).await.expect("a response");
    assert_eq!(response.into_inner().diagnostics[0].summary, "Unknown endpoint");
}

#[tokio::test]
async fn a_diagnostic_points_at_its_attribute() {
    let mut config = thing(Value::Null, "a");
    config.set("size", 3_u64);
    let request = wire::validate_resource_config::Request {
        type_name: THING.into(),
        config: wired(&config),
        ..Default::default()
    };
    let response = client().validate_resource_config(request).await.expect("a response");
    let diagnostics = response.into_inner().diagnostics;
    assert_eq!(error(&diagnostics).0, "Too large");
    assert_eq!(diagnostics[0].attribute, Some(to_proto::attribute_path(&"size".into())));
}

#[tokio::test]
async fn a_create_is_planned_and_applied() {
    let mut client = client();
    let proposed = thing(Value::Null, "a");
    let request = wire::plan_resource_change::Request {
        type_name: THING.into(),
        prior_state: wired(&Value::Null),
        proposed_new_state: wired(&proposed),
        config: wired(&proposed),
        prior_private: b"prior-".to_vec(),
        ..Default::default()
    };
    let plan = client.plan_resource_change(request).await.expect("a response").into_inner();
    assert_eq!(plan.diagnostics, []);
    assert_eq!(plan.planned_private, b"prior-planned");
    assert_eq!(plan.requires_replace, [to_proto::attribute_path(&"size".into())]);
    let planned = unwired(plan.planned_state);
    assert_eq!(planned, thing(Value::Unknown, "a"));

    let request = apply_request(&Value::Null, &planned);
    let applied = client.apply_resource_change(request).await.expect("a response").into_inner();
    assert_eq!(unwired(applied.new_state), thing("made", "a"));
    assert_eq!(applied.private, b"kept");
    assert_eq!(applied.diagnostics[0].severity(), wire::diagnostic::Severity::Warning);
}

#[tokio::test]
async fn a_destroy_is_planned_and_applied() {
    let mut client = client();
    let request = wire::plan_resource_change::Request {
        type_name: THING.into(),
        prior_state: wired(&thing("made", "a")),
        proposed_new_state: wired(&Value::Null),
        config: wired(&Value::Null),
        ..Default::default()
    };
    let plan = client.plan_resource_change(request).await.expect("a response").into_inner();
    assert_eq!(unwired(plan.planned_state), Value::Null);

    let request = apply_request(&thing("made", "a"), &Value::Null);
    let applied = client.apply_resource_change(request).await.expect("a response").into_inner();
    assert_eq!(unwired(applied.new_state), Value::Null);
}

#[tokio::test]
async fn a_read_returns_the_private_bytes() {
    let request = wire::read_resource::Request {
        type_name: THING.into(),
        current_state: wired(&thing("made", "a")),
        private: b"kept".to_vec(),
        ..Default::default()
    };
    let read = client().read_resource(request).await.expect("a response").into_inner();
    assert_eq!(unwired(read.new_state), thing("made", "a"));
    assert_eq!(read.private, b"kept");
}

#[tokio::test]
async fn a_stored_state_with_large_numbers_is_read() {
    let mut expected = thing(Value::Null, "a");
    expected.set("size", 9_007_199_254_740_993_u64);
    // A state of an earlier version has the type of that version.
    for (version, name) in [(2, "size"), (1, "length")] {
        let json = format!(r#"{{"name":"a","{name}":9007199254740993}}"#).into_bytes();
        let request = wire::upgrade_resource_state::Request {
            type_name: THING.into(),
            version,
            raw_state: Some(wire::RawState { json, ..Default::default() }),
        };
        let upgraded = client().upgrade_resource_state(request).await.expect("a response");
        let upgraded = upgraded.into_inner();
        assert_eq!(upgraded.diagnostics, []);
        assert_eq!(unwired(upgraded.upgraded_state), expected);
    }
}

#[tokio::test]
async fn a_stored_state_that_does_not_match_is_an_error() {
    let mut client = client();
    let flatmap = [("id".to_owned(), "made".to_owned())].into();
    let cases = [
        (
            Some(wire::RawState { json: br#"{"gone":1}"#.to_vec(), ..Default::default() }),
            "\"gone\"",
        ),
        (Some(wire::RawState { json: vec![], flatmap }), "Terraform 0.11"),
        (None, "no state"),
    ];
    for (raw_state, reason) in cases {
        let request = wire::upgrade_resource_state::Request {
            type_name: THING.into(),
            version: 1,
            raw_state,
        };
        let response = client.upgrade_resource_state(request).await.expect("a response");
        let diagnostics = response.into_inner().diagnostics;
        let (summary, detail) = error(&diagnostics);
        assert_eq!(summary, "Stored state does not match the provider version");
        assert!(detail.contains(reason), "{detail}");
    }
}

#[tokio::test]
async fn an_import_returns_one_complete_object_or_an_error() {
    let mut client = client();
    let mut import = async |id: &str| {
        let request = wire::import_resource_state::Request {
            type_name: THING.into(),
            id: id.into(),
            ..Default::default()
        };
        client.import_resource_state(request).await.expect("a response").into_inner()
    };
    let imported = import("made").await.imported_resources;
    let [imported] = <[_; 1]>::try_from(imported).expect("one");
    assert_eq!(imported.type_name, THING);
    let expected =
        Value::object([("id", "made".into()), ("name", Value::Null), ("size", Value::Null)]);
    assert_eq!(unwired(imported.state), expected);

    let response = import("none").await;
    assert_eq!(error(&response.diagnostics).0, "No such thing");
    assert_eq!(response.imported_resources, []);

    assert_eq!(error(&import("").await.diagnostics).0, "Import ID is required");
}

#[tokio::test]
async fn a_panic_in_apply_keeps_state_and_private_bytes() {
    let mut client = client();
    let prior = thing("made", "a");
    let planned = thing("made", "panic");
    let response = client.apply_resource_change(apply_request(&prior, &planned)).await;
    let applied = response.expect("no gRPC error").into_inner();
    let (summary, detail) = error(&applied.diagnostics);
    assert_eq!(summary, "The provider crashed");
    assert!(detail.starts_with("ApplyResourceChange panicked: asked to."), "{detail}");
    assert_eq!(unwired(applied.new_state), prior);
    assert_eq!(applied.private, b"kept");

    let response = client.apply_resource_change(apply_request(&Value::Null, &planned)).await;
    let applied = response.expect("no gRPC error").into_inner();
    assert_eq!(unwired(applied.new_state), Value::Null);
}

#[tokio::test]
async fn a_panic_in_read_keeps_the_state() {
    let request = wire::read_resource::Request {
        type_name: THING.into(),
        current_state: wired(&thing("made", "panic")),
        private: b"kept".to_vec(),
        ..Default::default()
    };
    let read = client().read_resource(request).await.expect("no gRPC error").into_inner();
    assert_eq!(error(&read.diagnostics).0, "The provider crashed");
    assert_eq!(unwired(read.new_state), thing("made", "panic"));
    assert_eq!(read.private, b"kept");
}

#[tokio::test]
async fn a_misshapen_state_is_reported_and_the_prior_state_kept() {
    let prior = thing("made", "a");
    let request = apply_request(&prior, &thing("made", "misshapen"));
    let response = client().apply_resource_change(request).await;
    let applied = response.expect("no gRPC error").into_inner();
    let [own, added] = applied.diagnostics.as_slice() else { panic!("{applied:?}") };
    assert_eq!(own.summary, "Applied");
    assert!(added.detail.starts_with(r#"unsupported attribute "surplus""#), "{}", added.detail);
    assert_eq!(unwired(applied.new_state), prior);
}

#[tokio::test]
async fn invalid_bytes_are_an_error_and_the_prior_state_is_kept() {
    let mut request = apply_request(&thing("made", "a"), &thing("made", "b"));
    request.config = Some(wire::DynamicValue { msgpack: vec![0xa3, b'x'], json: vec![] });
    let response = client().apply_resource_change(request).await;
    let applied = response.expect("no gRPC error").into_inner();
    assert_eq!(error(&applied.diagnostics).0, "Provider cannot decode a value from Terraform");
    assert_eq!(unwired(applied.new_state), thing("made", "a"));
}

#[tokio::test]
async fn an_unknown_type_is_a_diagnostic_and_the_prior_state_is_kept() {
    let mut request = apply_request(&thing("made", "a"), &Value::Null);
    request.type_name = "fake_other".into();
    let response = client().apply_resource_change(request).await;
    let applied = response.expect("no gRPC error").into_inner();
    let (summary, detail) = error(&applied.diagnostics);
    assert_eq!(summary, "Unknown resource type");
    assert_eq!(detail, r#"This version of the provider has no resource type "fake_other"."#);
    assert_eq!(unwired(applied.new_state), thing("made", "a"));
}

#[tokio::test]
async fn a_stop_reaches_the_provider() {
    let provider = Arc::new(FakeProvider::new());
    let response = client_of(&provider).stop_provider(wire::stop_provider::Request {}).await;
    assert_eq!(response.expect("a response").into_inner().error, "");
    assert_eq!(provider.stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_missing_rpc_is_unimplemented() {
    let request = wire::list_resource::Request::default();
    let status = client().list_resource(request).await.expect_err("unimplemented");
    assert_eq!(status.code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn functions_are_listed_in_all_three_responses() {
    let schemas = client().get_provider_schema(wire::get_provider_schema::Request {}).await;
    let in_schema = schemas.expect("a response").into_inner().functions;
    let listed = client().get_functions(wire::get_functions::Request {}).await;
    let listed = listed.expect("a response").into_inner();
    let metadata = client().get_metadata(wire::get_metadata::Request {}).await;
    let names = metadata.expect("a response").into_inner().functions;

    assert_eq!(names.iter().map(|function| &function.name).collect::<Vec<_>>(), ["repeat"]);
    assert!(listed.diagnostics.is_empty());
    assert_eq!(in_schema, listed.functions);
    let repeat = &in_schema["repeat"];
    assert_eq!(repeat.summary, "A repeated text");
    assert_eq!(repeat.r#return.as_ref().expect("a type").r#type, br#""string""#);
    let [text, times] = repeat.parameters.as_slice() else { panic!("{repeat:?}") };
    assert_eq!((text.name.as_str(), text.r#type.as_slice()), ("text", &br#""string""#[..]));
    assert_eq!((times.name.as_str(), times.r#type.as_slice()), ("times", &br#""number""#[..]));
    assert!(!times.allow_null_value && !times.allow_unknown_values);
}

/// Calls `repeat`.
async fn repeat(arguments: &[(Value, Type)]) -> wire::call_function::Response {
    let arguments = arguments.iter().map(|(value, ty)| {
        let msgpack = encode(value, ty).expect("encoded");
        wire::DynamicValue { msgpack, json: Vec::new() }
    });
    let request =
        wire::call_function::Request { name: "repeat".to_owned(), arguments: arguments.collect() };
    client().call_function(request).await.expect("a response").into_inner()
}

async fn repeat_ab(times: u64) -> wire::call_function::Response {
    repeat(&[("ab".into(), Type::String), (times.into(), Type::Number)]).await
}

#[tokio::test]
async fn a_function_returns_a_result_or_an_error_of_an_argument() {
    let called = repeat_ab(3).await;
    let result = called.result.expect("a result");
    assert_eq!(decode(&result.msgpack, &Type::String), Ok("ababab".into()));
    assert!(called.error.is_none());

    let called = repeat_ab(0).await;
    assert!(called.result.is_none());
    let error = called.error.expect("an error");
    assert_eq!((error.text.as_str(), error.function_argument), ("Not once?", Some(1)));
}

#[tokio::test]
async fn every_failure_of_a_function_is_a_function_error() {
    let text = |called: wire::call_function::Response| {
        assert!(called.result.is_none());
        let error = called.error.expect("an error");
        (error.text, error.function_argument)
    };

    let (crash, argument) = text(repeat_ab(13).await);
    assert!(crash.contains("CallFunction panicked: asked to"), "{crash}");
    assert_eq!(argument, None);
    let (misshapen, _) = text(repeat_ab(99).await);
    assert!(misshapen.contains("a value of the wrong type"), "{misshapen}");
    let wrong = [("ab".into(), Type::String), ("x".into(), Type::String)];
    let (wrong, argument) = text(repeat(&wrong).await);
    assert!(wrong.contains("\"x\" is not a decimal number"), "{wrong}");
    assert_eq!(argument, Some(1));
    let (short, _) = text(repeat(&[("ab".into(), Type::String)]).await);
    assert_eq!(short, "2 arguments are required, found 1");

    let request = wire::call_function::Request { name: "none".to_owned(), arguments: Vec::new() };
    let called = client().call_function(request).await.expect("a response").into_inner();
    let (unknown, _) = text(called);
    assert_eq!(unknown, "This version of the provider has no function \"none\"");
}

fn echo_type() -> Type {
    Type::object([("name", Type::String), ("echo", Type::String)])
}

fn echo(name: impl Into<Value>) -> Option<wire::DynamicValue> {
    let config = Value::object([("name", name.into()), ("echo", Value::Null)]);
    let msgpack = encode(&config, &echo_type()).expect("encoded");
    Some(wire::DynamicValue { msgpack, json: Vec::new() })
}

async fn read_echo(type_name: &str, name: &str) -> wire::read_data_source::Response {
    let request = wire::read_data_source::Request {
        type_name: type_name.into(),
        config: echo(name),
        ..Default::default()
    };
    client().read_data_source(request).await.expect("a response").into_inner()
}

#[tokio::test]
async fn a_data_source_is_listed_validated_and_read() {
    let response = client().get_metadata(wire::get_metadata::Request {}).await;
    let metadata = response.expect("a response").into_inner();
    assert_eq!(metadata.data_sources[0].type_name, "fake_echo");
    let response = client().get_provider_schema(wire::get_provider_schema::Request {}).await;
    let schemas = response.expect("a response").into_inner();
    assert!(schemas.data_source_schemas.contains_key("fake_echo"));

    let request = wire::validate_data_resource_config::Request {
        type_name: "fake_echo".into(),
        config: echo(Value::Null),
    };
    let response = client().validate_data_resource_config(request).await.expect("a response");
    assert_eq!(error(&response.into_inner().diagnostics).0, "No name");

    let read = read_echo("fake_echo", "stars").await;
    assert!(read.diagnostics.is_empty());
    let state = decode(&read.state.expect("a state").msgpack, &echo_type()).expect("decoded");
    assert_eq!(state.get("echo"), Some(&"stars".into()));
}

#[tokio::test]
async fn a_data_source_that_fails_or_is_unknown_returns_an_error_and_no_state() {
    let read = read_echo("fake_echo", "fail").await;
    assert_eq!(error(&read.diagnostics).0, "Not found");
    assert_eq!(read.state, None);
    let read = read_echo("fake_other", "stars").await;
    assert_eq!(error(&read.diagnostics).0, "Unknown data source type");
}

fn pass_type() -> Type {
    Type::object([("name", Type::String), ("word", Type::String)])
}

fn pass(name: impl Into<Value>) -> Option<wire::DynamicValue> {
    let config = Value::object([("name", name.into()), ("word", Value::Null)]);
    let msgpack = encode(&config, &pass_type()).expect("encoded");
    Some(wire::DynamicValue { msgpack, json: Vec::new() })
}

async fn open(type_name: &str, name: &str) -> wire::open_ephemeral_resource::Response {
    let request = wire::open_ephemeral_resource::Request {
        type_name: type_name.into(),
        config: pass(name),
        ..Default::default()
    };
    client().open_ephemeral_resource(request).await.expect("a response").into_inner()
}

#[tokio::test]
async fn an_ephemeral_resource_is_listed_validated_opened_renewed_and_closed() {
    let response = client().get_metadata(wire::get_metadata::Request {}).await;
    let metadata = response.expect("a response").into_inner();
    assert_eq!(metadata.ephemeral_resources[0].type_name, "fake_pass");
    let response = client().get_provider_schema(wire::get_provider_schema::Request {}).await;
    let schemas = response.expect("a response").into_inner();
    assert!(schemas.ephemeral_resource_schemas.contains_key("fake_pass"));

    let request = wire::validate_ephemeral_resource_config::Request {
        type_name: "fake_pass".into(),
        config: pass(""),
    };
    let response = client().validate_ephemeral_resource_config(request).await.expect("a response");
    assert_eq!(error(&response.into_inner().diagnostics).0, "No name");

    let opened = open("fake_pass", "ada").await;
    assert!(opened.diagnostics.is_empty());
    assert_eq!(opened.renew_at, None);
    let result = decode(&opened.result.expect("a result").msgpack, &pass_type()).expect("decoded");
    assert_eq!(result.get("word"), Some(&"word of ada".into()));

    let request =
        wire::renew_ephemeral_resource::Request { type_name: "fake_pass".into(), private: None };
    let renewed = client().renew_ephemeral_resource(request).await.expect("a response");
    assert!(renewed.into_inner().diagnostics.is_empty());
    let request =
        wire::close_ephemeral_resource::Request { type_name: "fake_pass".into(), private: None };
    let closed = client().close_ephemeral_resource(request).await.expect("a response");
    assert!(closed.into_inner().diagnostics.is_empty());
}

#[tokio::test]
async fn an_ephemeral_resource_that_fails_panics_or_is_unknown_has_no_result() {
    for (type_name, name, summary) in [
        ("fake_pass", "nobody", "No word"),
        ("fake_pass", "panic", "The provider crashed"),
        ("fake_other", "ada", "Unknown ephemeral resource type"),
    ] {
        let opened = open(type_name, name).await;
        assert_eq!(error(&opened.diagnostics).0, summary);
        assert_eq!(opened.result, None);
    }
}
