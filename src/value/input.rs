//! Reads the arguments of a decoded object.
//!
//! Values were decoded with the schema, so their kinds are right by construction. A wrong kind or
//! name is a bug in the provider: it panics in debug builds and reads as null in release builds.

use std::collections::BTreeMap;

use super::{AttributePath, Number, Value};

/// An argument that may be null, or unknown until apply.
///
/// Inputs combine without a test for each: [`zip`](Self::zip) pairs two, and a function that
/// returns `Result<_, Undecided>` collects any number with [`decided`](Self::decided) and `?`.
///
/// ```
/// # use terraform_provider_dsql::value::{Input, Undecided};
/// fn address(host: Input<&str>, port: Input<u16>) -> Result<(String, u16), Undecided> {
///     let host = host.decided()?.unwrap_or("localhost").to_owned();
///     Ok((host, port.decided()?.unwrap_or(5432)))
/// }
/// let address = |host| Input::from(address(host, Input::Null));
/// assert_eq!(address(Input::Null), Input::Known(("localhost".to_owned(), 5432)));
/// assert_eq!(address(Input::Unknown), Input::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Input<T> {
    /// The argument is not set.
    #[default]
    Null,
    /// The value is unknown until apply.
    Unknown,
    /// The argument is set.
    Known(T),
}

impl<T> Input<T> {
    /// Returns the value if it is set and known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// Reports whether the argument is not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Reports whether the value is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Converts a known value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Input<U> {
        self.and_then(|value| Input::Known(convert(value)))
    }

    /// Converts a known value to an input that may be null or unknown.
    pub fn and_then<U>(self, convert: impl FnOnce(T) -> Input<U>) -> Input<U> {
        match self {
            Self::Null => Input::Null,
            Self::Unknown => Input::Unknown,
            Self::Known(value) => convert(value),
        }
    }

    /// Replaces null with `fallback`. An unknown value stays unknown.
    #[must_use]
    pub fn or(self, fallback: T) -> Self {
        self.or_else(|| Self::Known(fallback))
    }

    /// Replaces null with another input, such as the same argument of a wider block. An unknown
    /// value stays unknown, because it may turn out to be set.
    #[must_use]
    pub fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Null => other(),
            Self::Unknown | Self::Known(_) => self,
        }
    }

    /// Pairs two inputs. The pair is unknown if either is unknown, and else null if either is null.
    pub fn zip<U>(self, other: Input<U>) -> Input<(T, U)> {
        match (self, other) {
            (Self::Unknown, _) | (_, Input::Unknown) => Input::Unknown,
            (Self::Null, _) | (_, Input::Null) => Input::Null,
            (Self::Known(left), Input::Known(right)) => Input::Known((left, right)),
        }
    }

    /// Separates unknown from the two decided cases, null (`None`) and set (`Some`).
    ///
    /// # Errors
    /// [`Undecided`] if the value is unknown.
    pub fn decided(self) -> Result<Option<T>, Undecided> {
        match self {
            Self::Null => Ok(None),
            Self::Unknown => Err(Undecided),
            Self::Known(value) => Ok(Some(value)),
        }
    }

    /// Turns null into a known `None`, for arguments that may stay unset.
    pub fn optional(self) -> Input<Option<T>> {
        self.decided().into()
    }

    /// Borrows a known value.
    pub fn as_ref(&self) -> Input<&T> {
        match self {
            Self::Null => Input::Null,
            Self::Unknown => Input::Unknown,
            Self::Known(value) => Input::Known(value),
        }
    }
}

impl<T, E> Input<Result<T, E>> {
    /// Moves a known error to the outside.
    ///
    /// # Errors
    /// The known error.
    pub fn transpose(self) -> Result<Input<T>, E> {
        match self {
            Self::Null => Ok(Input::Null),
            Self::Unknown => Ok(Input::Unknown),
            Self::Known(result) => result.map(Input::Known),
        }
    }
}

impl<T: Into<Self>> From<Input<T>> for Value {
    /// Converts an input back, for a planned state.
    fn from(input: Input<T>) -> Self {
        match input {
            Input::Null => Self::Null,
            Input::Unknown => Self::Unknown,
            Input::Known(value) => value.into(),
        }
    }
}

/// The error of [`Input::decided`]: the value is unknown until apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided;

impl<T> From<Option<T>> for Input<T> {
    /// Converts `None` to null.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

impl<T> From<Result<T, Undecided>> for Input<T> {
    /// Converts a value that was computed from other inputs, which may be unknown.
    fn from(value: Result<T, Undecided>) -> Self {
        value.map_or(Self::Unknown, Self::Known)
    }
}

impl Value {
    /// Reads a string.
    #[must_use]
    pub fn string(&self) -> Input<&str> {
        self.read("a string", |value| match value {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Reads a bool.
    #[must_use]
    pub fn bool(&self) -> Input<bool> {
        self.read("a bool", |value| match value {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        })
    }

    /// Reads a number.
    #[must_use]
    pub fn number(&self) -> Input<&Number> {
        self.read("a number", |value| match value {
            Self::Number(number) => Some(number),
            _ => None,
        })
    }

    /// Reads the elements of a list or a set.
    #[must_use]
    pub fn elements(&self) -> Input<&[Self]> {
        self.read("a list", |value| match value {
            Self::List(elements) => Some(elements.as_slice()),
            _ => None,
        })
    }

    /// Reads the entries of a map or an object.
    #[must_use]
    pub fn entries(&self) -> Input<&BTreeMap<String, Self>> {
        self.read("a map", |value| match value {
            Self::Map(entries) => Some(entries),
            _ => None,
        })
    }

    fn read<'a, T>(&'a self, wanted: &str, take: impl FnOnce(&'a Self) -> Option<T>) -> Input<T> {
        match self {
            Self::Null => Input::Null,
            Self::Unknown => Input::Unknown,
            known => {
                let taken = take(known);
                debug_assert!(taken.is_some(), "{wanted} is required, found {}", known.kind());
                taken.map_or(Input::Null, Input::Known)
            }
        }
    }
}

/// An object that is neither null nor unknown, with its path.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    attributes: &'a BTreeMap<String, Value>,
    path: AttributePath,
}

impl<'a> Object<'a> {
    /// Reads the root object. Returns `None` if the value is null or unknown.
    #[must_use]
    pub fn new(value: &'a Value) -> Option<Self> {
        let attributes = value.entries().known()?;
        Some(Self { attributes, path: AttributePath::root() })
    }

    /// Iterates over all attributes in the order of their names.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns an attribute as it is.
    #[must_use]
    pub fn value(&self, name: &str) -> &'a Value {
        let value = self.attributes.get(name);
        debug_assert!(value.is_some(), "no attribute {name:?} at {}", self.path);
        value.unwrap_or(&Value::Null)
    }

    /// Reads a string attribute.
    #[must_use]
    pub fn string(&self, name: &str) -> Input<&'a str> {
        self.value(name).string()
    }

    /// Reads a bool attribute.
    #[must_use]
    pub fn bool(&self, name: &str) -> Input<bool> {
        self.value(name).bool()
    }

    /// Reads a number attribute.
    #[must_use]
    pub fn number(&self, name: &str) -> Input<&'a Number> {
        self.value(name).number()
    }

    /// Reads the elements of a list or set attribute.
    #[must_use]
    pub fn list(&self, name: &str) -> Input<&'a [Value]> {
        self.value(name).elements()
    }

    /// Reads the entries of a map attribute.
    #[must_use]
    pub fn map(&self, name: &str) -> Input<&'a BTreeMap<String, Value>> {
        self.value(name).entries()
    }

    /// Reads a nested object.
    #[must_use]
    pub fn object(&self, name: &str) -> Input<Self> {
        self.map(name).map(|attributes| Self { attributes, path: self.path(name) })
    }

    /// Returns the path of an attribute, for diagnostics.
    #[must_use]
    pub fn path(&self, name: &str) -> AttributePath {
        self.path.clone().attribute(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Value {
        Value::object([
            ("name", "orders".into()),
            ("endpoint", Value::Unknown),
            ("token", Value::Null),
            ("verbose", true.into()),
            ("variables", Value::map([("schema", "public")])),
            ("cluster", Value::object([("port", 5432_i64.into())])),
        ])
    }

    #[test]
    fn attributes_are_read_by_their_kind() {
        let config = config();
        let object = Object::new(&config).expect("an object");
        assert_eq!(object.string("name"), Input::Known("orders"));
        assert_eq!(object.string("endpoint"), Input::Unknown);
        assert_eq!(object.string("token"), Input::Null);
        assert_eq!(object.bool("verbose"), Input::Known(true));
        let variables = object.map("variables").known().expect("variables");
        assert_eq!(variables["schema"].string(), Input::Known("public"));
    }

    #[test]
    fn a_nested_object_knows_its_path() {
        let config = config();
        let root = Object::new(&config).expect("an object");
        let cluster = root.object("cluster").known().expect("a cluster");
        assert_eq!(cluster.number("port"), Input::Known(&5432_i64.into()));
        assert_eq!(cluster.path("port").to_string(), "cluster.port");
    }

    #[test]
    fn null_and_unknown_are_not_objects() {
        assert!(Object::new(&Value::Null).is_none());
        assert!(Object::new(&Value::Unknown).is_none());
    }

    #[test]
    fn a_fallback_replaces_null_but_not_unknown() {
        assert_eq!(Input::Null.or(1), Input::Known(1));
        assert_eq!(Input::Unknown.or(1), Input::Unknown);
        assert_eq!(Input::Known(2).or(1), Input::Known(2));
    }

    #[test]
    fn another_input_replaces_null_only() {
        for other in [Input::Null, Input::Unknown, Input::Known(1)] {
            assert_eq!(Input::Null.or_else(|| other), other);
            assert_eq!(Input::Unknown.or_else(|| other), Input::Unknown);
            assert_eq!(Input::Known(2).or_else(|| other), Input::Known(2));
        }
    }

    #[test]
    fn a_pair_is_known_only_if_both_inputs_are() {
        let known = Input::Known(1);
        assert_eq!(known.zip(Input::Known("x")), Input::Known((1, "x")));
        assert_eq!(known.zip(Input::<&str>::Null), Input::Null);
        assert_eq!(Input::<u8>::Null.zip(known), Input::Null);
        assert_eq!(known.zip(Input::<&str>::Unknown), Input::Unknown);
        assert_eq!(Input::<u8>::Null.zip(Input::<u8>::Unknown), Input::Unknown);
        assert_eq!(Input::<u8>::Unknown.zip(Input::<u8>::Null), Input::Unknown);
    }

    #[test]
    fn null_is_decided_and_unknown_is_not() {
        assert_eq!(Input::Known(1).decided(), Ok(Some(1)));
        assert_eq!(Input::<u8>::Null.decided(), Ok(None));
        assert_eq!(Input::<u8>::Unknown.decided(), Err(Undecided));
        assert_eq!(Input::<u8>::default(), Input::Null);
        assert_eq!(Input::from(Some(1)), Input::Known(1));
        assert_eq!(Input::<u8>::from(None), Input::Null);
    }

    #[test]
    fn an_optional_input_is_known_to_be_absent() {
        assert_eq!(Input::Known(1).optional(), Input::Known(Some(1)));
        assert_eq!(Input::<u8>::Null.optional(), Input::Known(None));
        assert_eq!(Input::<u8>::Unknown.optional(), Input::Unknown);
    }

    #[test]
    fn an_input_converts_back_to_a_value() {
        assert_eq!(Value::from(Input::Known("x")), Value::from("x"));
        assert_eq!(Value::from(Input::<&str>::Unknown), Value::Unknown);
        assert_eq!(Value::from(Input::<&str>::Null), Value::Null);
    }
}
