//! One attribute, built in the order in which one would say it.

use super::object_type;
use crate::value::Type;

/// An argument, or something that the provider fills in, or both.
///
/// ```
/// # use terraform_provider_dsql::schema::Attribute;
/// let endpoint = Attribute::string("endpoint").optional().description("Host name of the cluster.");
/// # assert!(endpoint.optional);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: AttributeType,
    /// The configuration must set it.
    pub required: bool,
    /// The configuration may set it.
    pub optional: bool,
    /// The provider may fill it in.
    pub computed: bool,
    /// Terraform does not print it.
    pub sensitive: bool,
    /// It should no longer be used, and what to use instead.
    pub deprecated: Option<String>,
    /// What it is for, in Markdown.
    pub description: String,
}

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeType {
    /// A value of a type.
    Plain(Type),
    /// Objects with a schema of their own.
    Nested {
        /// How many, and how they are told apart.
        nesting: Nesting,
        /// What each has.
        attributes: Vec<Attribute>,
    },
}

/// How many objects a nested attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One.
    Single,
    /// Many, by position.
    List,
    /// Many, by what they are.
    Set,
    /// Many, by name.
    Map,
}

impl Attribute {
    /// An attribute of any type. It needs [`required`](Self::required),
    /// [`optional`](Self::optional) or [`computed`](Self::computed) to be valid.
    pub fn of(name: impl Into<String>, ty: Type) -> Self {
        Self::new(name.into(), AttributeType::Plain(ty))
    }

    /// A string.
    pub fn string(name: impl Into<String>) -> Self {
        Self::of(name, Type::String)
    }

    /// A number.
    pub fn number(name: impl Into<String>) -> Self {
        Self::of(name, Type::Number)
    }

    /// A bool.
    pub fn bool(name: impl Into<String>) -> Self {
        Self::of(name, Type::Bool)
    }

    /// A list.
    pub fn list_of(name: impl Into<String>, element: Type) -> Self {
        Self::of(name, Type::list(element))
    }

    /// A set.
    pub fn set_of(name: impl Into<String>, element: Type) -> Self {
        Self::of(name, Type::set(element))
    }

    /// A map.
    pub fn map_of(name: impl Into<String>, element: Type) -> Self {
        Self::of(name, Type::map(element))
    }

    /// Objects whose attributes are described one by one.
    pub fn nested(name: impl Into<String>, nesting: Nesting, attributes: Vec<Self>) -> Self {
        Self::new(name.into(), AttributeType::Nested { nesting, attributes })
    }

    fn new(name: String, kind: AttributeType) -> Self {
        Self {
            name,
            kind,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            deprecated: None,
            description: String::new(),
        }
    }

    /// The configuration must set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The configuration may set it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The provider fills it in; with [`optional`](Self::optional), where the configuration does
    /// not.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// Terraform must not print it. It is in the state all the same.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// It should no longer be used; says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// What it is for, in Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The type of its value.
    #[must_use]
    pub fn implied_type(&self) -> Type {
        match &self.kind {
            AttributeType::Plain(ty) => ty.clone(),
            AttributeType::Nested { nesting, attributes } => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}
