//! The interface between `transport` and the provider: the requests and responses of the plugin
//! protocol in native types, under the protocol's names.
//!
//! It knows neither tonic, prost and `MessagePack` nor SQL.

use async_trait::async_trait;

use crate::diagnostic::Diagnostic;
use crate::schema::Schema;
use crate::value::{AttributePath, Type, Value};

/// A provider. Terraform calls it concurrently for different resources.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Returns the schema of the `provider` block.
    fn schema(&self) -> Schema;

    /// Returns all resource types in a fixed order.
    fn resources(&self) -> &[Box<dyn Resource>];

    /// Returns all functions in a fixed order.
    fn functions(&self) -> &[Box<dyn Function>];

    /// Returns all data source types in a fixed order.
    fn data_sources(&self) -> &[Box<dyn DataSource>];

    /// Returns all ephemeral resource types in a fixed order.
    fn ephemeral_resources(&self) -> &[Box<dyn EphemeralResource>];

    /// Validates the `provider` block before the provider is configured. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Configures the provider. In debug mode, one process is configured many times, so the call
    /// replaces the former configuration and revokes an earlier stop.
    async fn configure(&self, terraform_version: &str, config: Value) -> Vec<Diagnostic>;

    /// Requests that all running calls stop soon, and returns immediately.
    fn stop(&self);
}

/// A resource type.
///
/// All values in requests have the type that [`Resource::schema`] implies. Values in responses must
/// have it too: Terraform loses track of a resource if an apply returns a malformed object.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// Returns the full type name, such as `dsql_migration_set`.
    fn type_name(&self) -> &'static str;

    /// Returns the schema, which must be deterministic.
    fn schema(&self) -> Schema;

    /// Returns an earlier version of the schema; `None` if its states have the current type.
    fn earlier_schema(&self, version: i64) -> Option<EarlierSchema>;

    /// Validates a configuration without a connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Refreshes the state. A null state in the response means that the object no longer exists.
    async fn read(&self, request: ReadRequest) -> ReadResponse;

    /// Plans a create, an update or a destroy. For a destroy, `config` and `proposed_new_state` are
    /// null.
    async fn plan(&self, request: PlanRequest) -> PlanResponse;

    /// Applies the planned change. For a destroy, `planned_state` is null.
    async fn apply(&self, request: ApplyRequest) -> ApplyResponse;

    /// Imports the object with the ID that `terraform import` or an `import` block names.
    async fn import(&self, id: &str) -> ImportResponse;
}

/// A provider function. It must be pure, because Terraform calls it without configuring the
/// provider.
pub trait Function: Send + Sync + 'static {
    /// Returns the name without the namespace of the provider.
    fn name(&self) -> &'static str;

    /// Returns the signature, which must be deterministic.
    fn signature(&self) -> Signature;

    /// Calls the function. The arguments have the types of the signature, and none is null or
    /// unknown.
    ///
    /// # Errors
    /// [`FunctionError`] if an argument is invalid.
    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError>;
}

/// The signature of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Title for lists of functions.
    pub summary: &'static str,
    /// Description in Markdown.
    pub description: &'static str,
    /// Parameters in order. All are required.
    pub parameters: Vec<Parameter>,
    /// Type of the result.
    pub returns: Type,
    /// Description of the result in Markdown, for the documentation only. The protocol has no field
    /// for it.
    pub returns_description: &'static str,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Name, unique within the function.
    pub name: &'static str,
    /// Type of the argument.
    pub ty: Type,
    /// Description in Markdown.
    pub description: &'static str,
}

/// The error of a function call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// What happened and what to do, in full sentences.
    pub text: String,
    /// Index of the invalid argument, from 0.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// Creates an error that is not tied to an argument.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), argument: None }
    }

    /// Ties the error to an argument.
    #[must_use]
    pub fn of_argument(self, position: usize) -> Self {
        Self { argument: Some(position), ..self }
    }
}

/// A data source type.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// Returns the full type name, such as `dsql_schema`.
    fn type_name(&self) -> &'static str;

    /// Returns the schema, which must be deterministic.
    fn schema(&self) -> Schema;

    /// Validates a configuration without a connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Reads the data source. The configuration is wholly known, and so must be the returned
    /// object, which has the type that the schema implies.
    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>>;
}

/// An ephemeral resource type. Terraform opens it in each phase that needs it, including the plan,
/// and stores its result nowhere.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// Returns the full type name, such as `dsql_auth_token`.
    fn type_name(&self) -> &'static str;

    /// Returns the schema, which must be deterministic.
    fn schema(&self) -> Schema;

    /// Validates a configuration without a connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Opens the ephemeral resource. The configuration is wholly known. The result has the type
    /// that the schema implies and repeats the configuration; computed attributes may be unknown.
    async fn open(&self, config: &Value) -> Result<Value, Vec<Diagnostic>>;
}

/// An earlier version of a resource's schema.
pub struct EarlierSchema {
    /// The type of its states.
    pub ty: Type,
    /// Returns a state of that type as one of the current type.
    pub upgrade: fn(Value) -> Value,
}

/// The request to refresh a resource.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// State as stored. It contains nothing unknown.
    pub current_state: Value,
    /// Private data of the provider, stored with the state. It is lost unless the response repeats
    /// it.
    pub private: Vec<u8>,
}

/// The response to [`ReadRequest`].
#[derive(Debug, Clone)]
pub struct ReadResponse {
    /// Refreshed state, or null if the object no longer exists.
    pub new_state: Value,
    /// Private data to store with the state.
    pub private: Vec<u8>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The request to plan a change.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Configuration as written, in which unset attributes are null. Null for a destroy.
    pub config: Value,
    /// Prior state: the refreshed state. Null for a create.
    pub prior_state: Value,
    /// Proposed new state: Terraform's merge of prior state and configuration. Null for a destroy.
    pub proposed_new_state: Value,
    /// Prior private data, stored with the prior state.
    pub prior_private: Vec<u8>,
    /// Planned private data of the first plan, if this call repeats it during an apply. Empty
    /// before Terraform 1.16.
    pub planned_private: Vec<u8>,
}

/// The response to [`PlanRequest`].
#[derive(Debug, Clone)]
pub struct PlanResponse {
    /// Planned state. Null for a destroy.
    pub planned_state: Value,
    /// Attributes whose changes require the object to be replaced.
    pub requires_replace: Vec<AttributePath>,
    /// Planned private data, which Terraform passes to the apply.
    pub planned_private: Vec<u8>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The request to apply a planned change.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// Configuration, which is wholly known. Null for a destroy.
    pub config: Value,
    /// Prior state. Null for a create.
    pub prior_state: Value,
    /// Planned state. Null for a destroy.
    pub planned_state: Value,
    /// Planned private data, as the plan returned it.
    pub planned_private: Vec<u8>,
}

/// The response to [`ApplyRequest`].
#[derive(Debug, Clone)]
pub struct ApplyResponse {
    /// State after the change, as far as it is known, even with errors. Null after a destroy, and
    /// after a failed create that must not be stored.
    pub new_state: Value,
    /// Private data to store with the state.
    pub private: Vec<u8>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// The response to an import.
#[derive(Debug, Clone)]
pub struct ImportResponse {
    /// State with the attributes that the following read needs. Null with errors.
    pub state: Value,
    /// Private data to store with the state.
    pub private: Vec<u8>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}
