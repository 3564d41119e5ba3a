//! Types of values, and the JSON form that schemas contain.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A number of any size.
    Number,
    /// `true` or `false`.
    Bool,
    /// Ordered elements of one type.
    List(Box<Self>),
    /// Unordered, distinct elements of one type.
    Set(Box<Self>),
    /// Any keys, with values of one type.
    Map(Box<Self>),
    /// Fixed names, each with its own type.
    Object(BTreeMap<String, Self>),
}

impl Type {
    /// Returns the type of a list of `element`.
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// Returns the type of a set of `element`.
    #[must_use]
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// Returns the type of a map of `element`.
    #[must_use]
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// Returns the type of an object with these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }

    /// Returns the JSON type constraint, such as `["list","string"]`, in which attributes are
    /// sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> Json {
        match self {
            Self::String => "string".into(),
            Self::Number => "number".into(),
            Self::Bool => "bool".into(),
            Self::List(element) => Json::Array(vec!["list".into(), element.json()]),
            Self::Set(element) => Json::Array(vec!["set".into(), element.json()]),
            Self::Map(element) => Json::Array(vec!["map".into(), element.json()]),
            Self::Object(attributes) => {
                let attributes =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.json())).collect();
                Json::Array(vec!["object".into(), Json::Object(attributes)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_terraform_reads_it() {
        let ty = Type::object([
            ("tags", Type::map(Type::String)),
            ("none", Type::object([] as [(&str, Type); 0])),
            ("ports", Type::set(Type::Number)),
            ("flags", Type::list(Type::Bool)),
        ]);
        assert_eq!(
            ty.to_json(),
            r#"["object",{"flags":["list","bool"],"none":["object",{}],"ports":["set","number"],"tags":["map","string"]}]"#
        );
    }
}
