//! What a warning is about: a set or a migration, and its cluster.
//!
//! Command lines and HCP Terraform fold warnings with equal titles and show only one of them, so a
//! title names both.

use std::fmt;

/// A set or a migration on a cluster, for a title. What is unknown is left out.
#[derive(Debug, Clone)]
pub(in crate::provider) struct Subject {
    kind: &'static str,
    name: Option<String>,
    cluster: Option<String>,
}

impl Subject {
    /// A set by its name.
    pub(in crate::provider) fn set(name: Option<&str>) -> Self {
        Self { kind: "set", name: name.map(str::to_owned), cluster: None }
    }

    /// A single migration by its version.
    pub(in crate::provider) fn migration(version: Option<&str>) -> Self {
        Self { kind: "migration", name: version.map(str::to_owned), cluster: None }
    }

    /// Adds the cluster: its identifier, or host and port.
    pub(in crate::provider) fn on(self, cluster: Option<String>) -> Self {
        Self { cluster, ..self }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} {name}", self.kind)?,
            None => write!(f, "a {}", self.kind)?,
        }
        match &self.cluster {
            Some(cluster) => write!(f, " on {cluster}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_what_is_known() {
        let cluster = || Some("abc".to_owned());
        assert_eq!(Subject::set(Some("app")).on(cluster()).to_string(), "set app on abc");
        assert_eq!(Subject::set(Some("app")).to_string(), "set app");
        assert_eq!(Subject::migration(Some("0001")).to_string(), "migration 0001");
        assert_eq!(Subject::migration(None).on(cluster()).to_string(), "a migration on abc");
    }
}
