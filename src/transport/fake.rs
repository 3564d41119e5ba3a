//! A small provider for the tests of the transport.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use tokio::sync::Notify;

use crate::diagnostic::Diagnostic;
use crate::provider::contract::{
    ApplyRequest, ApplyResponse, DataSource, EarlierSchema, EphemeralResource, Function,
    FunctionError, ImportResponse, Parameter, PlanRequest, PlanResponse, Provider, ReadRequest,
    ReadResponse, Resource, Signature,
};
use crate::schema::{Attribute, Schema};
use crate::value::{AttributePath, Type, Value};

/// A provider with a resource type `fake_thing`, whose `name` selects its behavior:
///
/// * `panic` panics in every call;
/// * `misshapen` returns an attribute that the schema does not have;
/// * `slow` applies until it is stopped.
///
/// It has a function `repeat(text, times)`, which rejects 0, panics at 13, and returns a number
/// instead of a string at 99. Its ephemeral resource type `fake_pass` derives `word` from `name`,
/// but fails for `nobody` and panics for `panic`.
pub(super) struct FakeProvider {
    resources: Vec<Box<dyn Resource>>,
    functions: Vec<Box<dyn Function>>,
    data_sources: Vec<Box<dyn DataSource>>,
    ephemeral_resources: Vec<Box<dyn EphemeralResource>>,
    pub(super) configured: Mutex<Vec<(String, Value)>>,
    pub(super) stops: AtomicUsize,
    pub(super) applying: Arc<AtomicUsize>,
    stopped: Arc<Notify>,
}

impl FakeProvider {
    pub(super) fn new() -> Self {
        let (applying, stopped) = (Arc::default(), Arc::default());
        let thing = Thing { applying: Arc::clone(&applying), stopped: Arc::clone(&stopped) };
        Self {
            resources: vec![Box::new(thing)],
            functions: vec![Box::new(Repeat)],
            data_sources: vec![Box::new(Echo)],
            ephemeral_resources: vec![Box::new(Pass)],
            configured: Mutex::default(),
            stops: AtomicUsize::new(0),
            applying,
            stopped,
        }
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn schema(&self) -> Schema {
        let endpoint = Attribute::string("endpoint").optional().description("Endpoint.");
        Schema::new(vec![endpoint]).description("A provider.")
    }

    fn resources(&self) -> &[Box<dyn Resource>] {
        &self.resources
    }

    fn functions(&self) -> &[Box<dyn Function>] {
        &self.functions
    }

    fn data_sources(&self) -> &[Box<dyn DataSource>] {
        &self.data_sources
    }

    fn ephemeral_resources(&self) -> &[Box<dyn EphemeralResource>] {
        &self.ephemeral_resources
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        match config.get("endpoint") {
            Some(Value::Unknown) => vec![Diagnostic::warning("Unknown endpoint").at("endpoint")],
            _ => Vec::new(),
        }
    }

    async fn configure(&self, terraform_version: &str, config: Value) -> Vec<Diagnostic> {
        let call = (terraform_version.to_owned(), config);
        self.configured.lock().expect("a lock").push(call);
        Vec::new()
    }

    fn stop(&self) {
        self.stops.fetch_add(1, Ordering::SeqCst);
        self.stopped.notify_one();
    }
}

struct Repeat;

impl Function for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "A repeated text",
            description: "Repeats a text.",
            parameters: vec![
                Parameter { name: "text", ty: Type::String, description: "Text." },
                Parameter { name: "times", ty: Type::Number, description: "Count." },
            ],
            returns: Type::String,
            returns_description: "Repeated text.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let [Value::String(text), times] = arguments else { panic!("{arguments:?}") };
        match (0..100_u64).find(|number| Value::from(*number) == *times) {
            Some(0) => Err(FunctionError::new("Not once?").of_argument(1)),
            Some(13) => panic!("asked to"),
            Some(99) => Ok(99_u64.into()),
            Some(times) => Ok(text.repeat(usize::try_from(times).expect("small")).into()),
            None => panic!("{times:?}"),
        }
    }
}

struct Thing {
    applying: Arc<AtomicUsize>,
    stopped: Arc<Notify>,
}

/// Panics if the name of an object is `panic`, and reports whether it is `misshapen`.
fn behave(object: &Value) -> bool {
    let name = object.get("name").cloned().unwrap_or(Value::Null);
    assert!(name != "panic".into(), "asked to");
    name == "misshapen".into()
}

fn shaped(mut state: Value, misshapen: bool) -> Value {
    if misshapen {
        state.set("surplus", true);
    }
    state
}

#[async_trait]
impl Resource for Thing {
    fn type_name(&self) -> &'static str {
        "fake_thing"
    }

    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::string("name").required().description("Behavior."),
            Attribute::string("id").computed().description("Identifier."),
            Attribute::number("size").optional().description("Size."),
        ];
        Schema::new(attributes).version(2).description("A thing.")
    }

    /// Version 1 had the size in an attribute `length`.
    fn earlier_schema(&self, version: i64) -> Option<EarlierSchema> {
        let attributes = [("name", Type::String), ("id", Type::String), ("length", Type::Number)];
        let ty = Type::object(attributes);
        let upgrade = |state: Value| {
            let length = state.get("length").cloned();
            let name = state.get("name").cloned();
            Value::object([
                ("name", name.unwrap_or(Value::Null)),
                ("size", length.unwrap_or(Value::Null)),
            ])
        };
        (version == 1).then_some(EarlierSchema { ty, upgrade })
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        behave(config);
        match config.get("size") {
            Some(Value::Number(_)) => vec![Diagnostic::error("Too large").at("size")],
            _ => Vec::new(),
        }
    }

    async fn read(&self, request: ReadRequest) -> ReadResponse {
        let misshapen = behave(&request.current_state);
        let new_state = shaped(request.current_state, misshapen);
        ReadResponse { new_state, private: request.private, diagnostics: Vec::new() }
    }

    async fn plan(&self, request: PlanRequest) -> PlanResponse {
        let misshapen = behave(&request.proposed_new_state);
        let mut planned = request.proposed_new_state;
        if !planned.is_null() && request.prior_state.is_null() {
            planned.set("id", Value::Unknown);
        }
        PlanResponse {
            planned_state: shaped(planned, misshapen),
            requires_replace: vec![AttributePath::from("size")],
            planned_private: [request.prior_private, b"planned".to_vec()].concat(),
            diagnostics: Vec::new(),
        }
    }

    async fn apply(&self, request: ApplyRequest) -> ApplyResponse {
        let destroys = request.planned_state.is_null();
        let object = if destroys { &request.prior_state } else { &request.planned_state };
        let misshapen = behave(object);
        self.applying.fetch_add(1, Ordering::SeqCst);
        let is_slow = object.get("name") == Some(&"slow".into());
        if is_slow {
            self.stopped.notified().await;
        }
        let mut state = request.planned_state;
        if !state.is_null() {
            state.set("id", "made");
        }
        ApplyResponse {
            new_state: shaped(state, misshapen),
            private: request.planned_private,
            diagnostics: vec![Diagnostic::warning(if is_slow { "Stopped" } else { "Applied" })],
        }
    }

    async fn import(&self, id: &str) -> ImportResponse {
        let (state, diagnostics) = match id {
            "none" => (Value::Null, vec![Diagnostic::error("No such thing")]),
            id => (Value::object([("id", id.into())]), Vec::new()),
        };
        ImportResponse { state, private: Vec::new(), diagnostics }
    }
}

/// The data source `fake_echo`, which returns its `name`, or an error if the name is `fail`.
struct Echo;

#[async_trait]
impl DataSource for Echo {
    fn type_name(&self) -> &'static str {
        "fake_echo"
    }

    fn schema(&self) -> Schema {
        let name = Attribute::string("name").optional().description("Name.");
        let echo = Attribute::string("echo").computed().description("Copy of the name.");
        Schema::new(vec![name, echo]).description("A data source.")
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        match config.get("name") {
            Some(Value::Null) => vec![Diagnostic::error("No name").at("name")],
            _ => Vec::new(),
        }
    }

    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let name = config.get("name").cloned().unwrap_or(Value::Null);
        if name == "fail".into() {
            return Err(vec![Diagnostic::error("Not found")]);
        }
        Ok(Value::object([("name", name.clone()), ("echo", name)]))
    }
}

struct Pass;

#[async_trait]
impl EphemeralResource for Pass {
    fn type_name(&self) -> &'static str {
        "fake_pass"
    }

    fn schema(&self) -> Schema {
        Schema::new(vec![
            Attribute::string("name").required(),
            Attribute::string("word").computed().sensitive(),
        ])
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        match config.get("name").and_then(|name| name.string().known()) {
            Some("") => vec![Diagnostic::error("No name").at("name")],
            _ => Vec::new(),
        }
    }

    async fn open(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let name = config.get("name").and_then(|name| name.string().known()).unwrap_or_default();
        match name {
            "nobody" => Err(vec![Diagnostic::error("No word")]),
            "panic" => panic!("requested"),
            name => {
                let mut opened = config.clone();
                opened.set("word", format!("word of {name}"));
                Ok(opened)
            }
        }
    }
}
