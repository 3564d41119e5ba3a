//! Types and their JSON form, as it stands in schemas and beside dynamic values.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Decided by each value for itself.
    Dynamic,
    /// Ordered, all of one type.
    List(Box<Self>),
    /// Without order and duplicates, all of one type.
    Set(Box<Self>),
    /// Any keys, all values of one type.
    Map(Box<Self>),
    /// Fixed length, each element of its own type.
    Tuple(Vec<Self>),
    /// Fixed names, each attribute of its own type.
    Object(BTreeMap<String, Self>),
}

/// A text is not a type constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid type constraint {found}")]
pub struct ParseTypeError {
    found: String,
}

impl Type {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of `element`.
    #[must_use]
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of `element`.
    #[must_use]
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object with these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }

    /// The JSON type constraint, for example `["list","string"]`; attributes are sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> Json {
        match self {
            Self::String => "string".into(),
            Self::Number => "number".into(),
            Self::Bool => "bool".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(element) => Json::Array(vec!["list".into(), element.json()]),
            Self::Set(element) => Json::Array(vec!["set".into(), element.json()]),
            Self::Map(element) => Json::Array(vec!["map".into(), element.json()]),
            Self::Tuple(elements) => {
                let elements = elements.iter().map(Self::json).collect();
                Json::Array(vec!["tuple".into(), Json::Array(elements)])
            }
            Self::Object(attributes) => {
                let attributes =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.json())).collect();
                Json::Array(vec!["object".into(), Json::Object(attributes)])
            }
        }
    }

    /// Reads a JSON type constraint.
    ///
    /// # Errors
    /// [`ParseTypeError`] if the bytes are not JSON or not a type.
    pub fn from_json(json: &[u8]) -> Result<Self, ParseTypeError> {
        let invalid = || ParseTypeError { found: String::from_utf8_lossy(json).into_owned() };
        let json: Json = serde_json::from_slice(json).map_err(|_| invalid())?;
        Self::parse(&json)
    }

    pub(super) fn parse(json: &Json) -> Result<Self, ParseTypeError> {
        let invalid = || ParseTypeError { found: json.to_string() };
        match json {
            Json::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(invalid()),
            },
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(kind), inner] => match (kind.as_str(), inner) {
                    ("list", element) => Self::parse(element).map(Self::list),
                    ("set", element) => Self::parse(element).map(Self::set),
                    ("map", element) => Self::parse(element).map(Self::map),
                    ("tuple", Json::Array(elements)) => {
                        elements.iter().map(Self::parse).collect::<Result<_, _>>().map(Self::Tuple)
                    }
                    ("object", Json::Object(attributes)) => Self::parse_object(attributes),
                    _ => Err(invalid()),
                },
                // The third part names optional attributes; a value of the type has them all.
                [Json::String(kind), Json::Object(attributes), Json::Array(_)]
                    if kind == "object" =>
                {
                    Self::parse_object(attributes)
                }
                _ => Err(invalid()),
            },
            _ => Err(invalid()),
        }
    }

    fn parse_object(attributes: &serde_json::Map<String, Json>) -> Result<Self, ParseTypeError> {
        let attributes = attributes.iter().map(|(name, ty)| Ok((name.clone(), Self::parse(ty)?)));
        attributes.collect::<Result<_, _>>().map(Self::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_the_core_reads_it() {
        let ty = Type::object([
            ("tags", Type::map(Type::String)),
            ("any", Type::Dynamic),
            ("ports", Type::set(Type::Number)),
            ("pair", Type::Tuple(vec![Type::Bool, Type::list(Type::String)])),
        ]);
        assert_eq!(
            ty.to_json(),
            r#"["object",{"any":"dynamic","pair":["tuple",["bool",["list","string"]]],"ports":["set","number"],"tags":["map","string"]}]"#
        );
    }

    #[test]
    fn a_type_survives_its_json_form() {
        let ty = Type::object([
            ("none", Type::object([] as [(&str, Type); 0])),
            ("pair", Type::Tuple(vec![Type::Bool, Type::list(Type::set(Type::Dynamic))])),
        ]);
        assert_eq!(Type::from_json(ty.to_json().as_bytes()), Ok(ty));
    }

    #[test]
    fn optional_attributes_of_an_object_type_are_plain_attributes() {
        let ty = Type::from_json(br#"["object",{"a":"string"},["a"]]"#);
        assert_eq!(ty, Ok(Type::object([("a", Type::String)])));
    }

    #[test]
    fn what_is_not_a_type_is_refused() {
        for text in [r#""text""#, "1", r#"["list"]"#, r#"["tuple","string"]"#, "[", r#"["map",3]"#]
        {
            assert!(Type::from_json(text.as_bytes()).is_err(), "{text}");
        }
    }
}
