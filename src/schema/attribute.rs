//! Attributes of a schema, and a builder for them.

use super::object_type;
use crate::value::Type;

/// An argument, a value that the provider computes, or both.
///
/// ```
/// # use terraform_provider_dsql::schema::Attribute;
/// let endpoint = Attribute::string("endpoint").optional().description("Host name.");
/// # assert!(endpoint.optional);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Name, unique in its block or object.
    pub name: String,
    /// Type of its value.
    pub kind: AttributeType,
    /// Whether the configuration must set it.
    pub required: bool,
    /// Whether the configuration may set it.
    pub optional: bool,
    /// Whether the provider computes it.
    pub computed: bool,
    /// Whether Terraform hides the value in its output.
    pub sensitive: bool,
    /// Description in Markdown, which editors show as well.
    pub description: String,
}

/// The type of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeType {
    /// A value of a type.
    Plain(Type),
    /// One or more objects that the provider computes. Terraform receives their plain type, because
    /// a mocked provider in `terraform test` cannot generate the elements of nested attributes.
    Objects {
        /// How many objects, and how they are addressed.
        nesting: Nesting,
        /// Fields of each object, for the documentation.
        fields: Vec<Attribute>,
    },
    /// One or more objects with attributes of their own, which a configuration sets.
    Nested {
        /// How many objects, and how they are addressed.
        nesting: Nesting,
        /// Attributes of each object.
        attributes: Vec<Attribute>,
    },
}

/// How many objects an attribute contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// Many objects, addressed by index.
    List,
    /// Many objects, addressed by key.
    Map,
}

impl Attribute {
    /// Creates a string attribute. Like all others, it must be made [`required`](Self::required),
    /// [`optional`](Self::optional) or [`computed`](Self::computed).
    pub fn string(name: impl Into<String>) -> Self {
        Self::plain(name, Type::String)
    }

    /// Creates a number attribute.
    pub fn number(name: impl Into<String>) -> Self {
        Self::plain(name, Type::Number)
    }

    /// Creates a bool attribute.
    pub fn bool(name: impl Into<String>) -> Self {
        Self::plain(name, Type::Bool)
    }

    /// Creates a list attribute.
    pub fn list_of(name: impl Into<String>, element: Type) -> Self {
        Self::plain(name, Type::list(element))
    }

    /// Creates a set attribute.
    pub fn set_of(name: impl Into<String>, element: Type) -> Self {
        Self::plain(name, Type::set(element))
    }

    /// Creates a map attribute.
    pub fn map_of(name: impl Into<String>, element: Type) -> Self {
        Self::plain(name, Type::map(element))
    }

    /// Creates a computed attribute of objects whose fields have descriptions of their own.
    pub fn objects(name: impl Into<String>, nesting: Nesting, fields: Vec<Self>) -> Self {
        Self::new(name, AttributeType::Objects { nesting, fields }).computed()
    }

    /// Creates an argument of objects whose attributes have descriptions of their own.
    pub fn nested(name: impl Into<String>, nesting: Nesting, attributes: Vec<Self>) -> Self {
        Self::new(name, AttributeType::Nested { nesting, attributes })
    }

    fn plain(name: impl Into<String>, ty: Type) -> Self {
        Self::new(name, AttributeType::Plain(ty))
    }

    fn new(name: impl Into<String>, kind: AttributeType) -> Self {
        Self {
            name: name.into(),
            kind,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            description: String::new(),
        }
    }

    /// Requires the configuration to set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Allows the configuration to set it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Lets the provider compute it. With [`optional`](Self::optional), the provider computes it
    /// only if the configuration does not set it.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// Hides the value in Terraform's output. The state still contains it.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Returns the attributes of its objects.
    #[must_use]
    pub fn inner(&self) -> &[Self] {
        match &self.kind {
            AttributeType::Plain(_) => &[],
            AttributeType::Objects { fields, .. } => fields,
            AttributeType::Nested { attributes, .. } => attributes,
        }
    }

    /// Returns the type of its value.
    #[must_use]
    pub fn implied_type(&self) -> Type {
        match &self.kind {
            AttributeType::Plain(ty) => ty.clone(),
            AttributeType::Objects { nesting, fields: attributes }
            | AttributeType::Nested { nesting, attributes } => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}
