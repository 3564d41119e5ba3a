//! The path of a value in an object.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Enters an attribute of an object.
    Attribute(String),
    /// Enters an element of a map.
    Key(String),
    /// Enters an element of a list. Elements of sets have no path: stop at the set.
    Index(i64),
}

/// The path from the root of a resource or of the `provider` block to a value.
///
/// `AttributePath::root().attribute("cluster").attribute("port")` prints as `cluster.port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AttributePath {
    steps: Vec<Step>,
}

impl AttributePath {
    /// Returns the path of the whole object.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Appends an attribute.
    #[must_use]
    pub fn attribute(self, name: impl Into<String>) -> Self {
        self.step(Step::Attribute(name.into()))
    }

    /// Appends an element of a map.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// Appends an element of a list.
    #[must_use]
    pub fn index(self, index: i64) -> Self {
        self.step(Step::Index(index))
    }

    /// Returns all steps, from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Enters a value while a codec walks it. Paired with [`AttributePath::leave`].
    pub(super) fn enter(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn leave(&mut self) {
        self.steps.pop();
    }
}

impl From<&str> for AttributePath {
    /// Returns the path of an attribute at the root.
    fn from(name: &str) -> Self {
        Self::root().attribute(name)
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("the root");
        }
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_in_a_configuration() {
        let path = AttributePath::from("cluster").attribute("hosts").index(0).key("a b");
        assert_eq!(path.to_string(), r#"cluster.hosts[0]["a b"]"#);
    }

    #[test]
    fn the_empty_path_has_a_name() {
        assert_eq!(AttributePath::root().to_string(), "the root");
    }
}
