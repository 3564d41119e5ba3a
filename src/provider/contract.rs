//! What Terraform may ask of this provider, in native types.
//!
//! The transport decodes an RPC into these requests and encodes the responses. Nothing here knows
//! tonic, prost or `MessagePack`; nothing here knows SQL.

use async_trait::async_trait;

use crate::diagnostic::Diagnostic;
use crate::schema::Schema;
use crate::value::{AttributePath, Type, Value};

/// The provider as Terraform sees it. Calls for different resources run concurrently.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The schema of the `provider` block.
    fn schema(&self) -> Schema;

    /// All resource types, in a fixed order.
    fn resources(&self) -> &[Box<dyn Resource>];

    /// All functions, in a fixed order.
    fn functions(&self) -> &[Box<dyn Function>];

    /// All data source types, in a fixed order.
    fn data_sources(&self) -> &[Box<dyn DataSource>];

    /// All ephemeral resource types, in a fixed order.
    fn ephemeral_resources(&self) -> &[Box<dyn EphemeralResource>];

    /// Checks the `provider` block. Values may be unknown; nothing is configured yet.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Takes the `provider` block over. One process can be configured again and again (reattach
    /// mode), so this replaces what an earlier call set, also a stop.
    async fn configure(&self, terraform_version: &str, config: Value) -> Vec<Diagnostic>;

    /// Asks all running calls to end soon. Must return at once.
    fn stop(&self);
}

/// One resource type.
///
/// All values have the type that [`Resource::schema`] implies, and responses must have it too:
/// an object with a missing attribute in an apply response loses the resource.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// Full type name, for example `dsql_migration_set`.
    fn type_name(&self) -> &'static str;

    /// Its schema. Must be deterministic.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Refreshes the state. A null state in the response means that the object is gone.
    async fn read(&self, request: ReadRequest) -> ReadResponse;

    /// Plans a create, an update, or a destroy (`config` and `proposed` are null then).
    async fn plan(&self, request: PlanRequest) -> PlanResponse;

    /// Carries the planned change out. `planned` is null for a destroy.
    async fn apply(&self, request: ApplyRequest) -> ApplyResponse;

    /// Finds the object that a practitioner named in `terraform import`.
    async fn import(&self, id: &str) -> ImportResponse;
}

/// One provider function. It must be pure, and it may run in a process that is not configured.
pub trait Function: Send + Sync + 'static {
    /// Its name, without the provider's.
    fn name(&self) -> &'static str;

    /// What it takes and gives. Must be deterministic.
    fn signature(&self) -> Signature;

    /// Answers a call. The arguments have the types of the signature; none is null or unknown.
    ///
    /// # Errors
    ///
    /// What a practitioner must mend, and in which argument.
    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError>;
}

/// What a function takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What it is, as a title.
    pub summary: &'static str,
    /// What it does, in Markdown.
    pub description: &'static str,
    /// Its arguments in order; all are required.
    pub parameters: Vec<Parameter>,
    /// The type of its answer.
    pub returns: Type,
    /// What the answer holds, in Markdown. Only documentation: the protocol has no place for it.
    pub answer: &'static str,
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; unique among those of the function.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What it is for, in Markdown.
    pub description: &'static str,
}

/// Why a function has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// What happened and what to do, in full sentences.
    pub text: String,
    /// Position of the argument at fault, from 0.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// An error that no argument is at fault of.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), argument: None }
    }

    /// Names the argument at fault.
    #[must_use]
    pub fn of_argument(self, position: usize) -> Self {
        Self { argument: Some(position), ..self }
    }
}

/// One data source type.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// Full type name, for example `dsql_schema`.
    fn type_name(&self) -> &'static str;

    /// Its schema. Must be deterministic.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Looks. The configuration is wholly known, and so must be the answer: an object of the type
    /// that the schema implies.
    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>>;
}

/// One ephemeral resource type: what it makes is stored nowhere. It is made in each phase that
/// needs it, also while planning, and Terraform forgets it at the end of the phase.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// Full type name, for example `dsql_auth_token`.
    fn type_name(&self) -> &'static str;

    /// Its schema. Must be deterministic.
    fn schema(&self) -> Schema;

    /// Checks a configuration without any connection. Values may be unknown.
    fn validate(&self, config: &Value) -> Vec<Diagnostic>;

    /// Makes it. The configuration is wholly known; the answer is an object of the type that the
    /// schema implies, repeats the configuration, and may be unknown in what it adds.
    async fn open(&self, config: &Value) -> Result<Value, Vec<Diagnostic>>;
}

/// Terraform asks what a stored object looks like now.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The state as stored; never unknown.
    pub current_state: Value,
    /// Our own bytes stored beside the state. They are erased unless the response repeats them.
    pub private: Vec<u8>,
}

/// The refreshed object.
#[derive(Debug, Clone)]
pub struct ReadResponse {
    /// The new state, or null when the object is gone.
    pub new_state: Value,
    /// Replaces the stored bytes.
    pub private: Vec<u8>,
    /// Warnings and errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// Terraform asks what an apply would do.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// The configuration as written; unset attributes are null. Null for a destroy.
    pub config: Value,
    /// The refreshed state; null for a create.
    pub prior_state: Value,
    /// Core's merge of prior state and configuration. Null for a destroy.
    pub proposed_new_state: Value,
    /// The bytes stored with the prior state.
    pub prior_private: Vec<u8>,
    /// The bytes of the first plan, if this repeats one at apply. Empty before Terraform 1.16.
    pub planned_private: Vec<u8>,
}

/// What an apply would do.
#[derive(Debug, Clone)]
pub struct PlanResponse {
    /// The planned state; null for a destroy.
    pub planned_state: Value,
    /// Attributes whose change needs a new object.
    pub requires_replace: Vec<AttributePath>,
    /// Bytes that Terraform passes on to the apply.
    pub planned_private: Vec<u8>,
    /// Warnings and errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// Terraform asks to carry a plan out.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The configuration, wholly known now. Null for a destroy.
    pub config: Value,
    /// The state before; null for a create.
    pub prior_state: Value,
    /// The planned state; null for a destroy.
    pub planned_state: Value,
    /// The bytes that the plan returned.
    pub planned_private: Vec<u8>,
}

/// How the apply ended.
#[derive(Debug, Clone)]
pub struct ApplyResponse {
    /// The best known new state, also beside errors. Null after a destroy, and after a failed
    /// create that must not be stored.
    pub new_state: Value,
    /// Stored beside the state.
    pub private: Vec<u8>,
    /// Warnings and errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// The outcome of an import.
#[derive(Debug, Clone)]
pub struct ImportResponse {
    /// As much of the state as a following read needs; null with errors.
    pub state: Value,
    /// Stored beside the state.
    pub private: Vec<u8>,
    /// Warnings and errors.
    pub diagnostics: Vec<Diagnostic>,
}
