//! The subject of a warning: a migration set or a migration, and its cluster.
//!
//! The command line and HCP Terraform show only one of several warnings with the same title, so a
//! title names both.

use std::fmt;

/// A migration set or a migration on a cluster, as a title names it. Unknown parts are left out.
#[derive(Debug, Clone)]
pub(in crate::provider) struct Subject {
    kind: &'static str,
    name: Option<String>,
    cluster: Option<String>,
}

const MIGRATION: &str = "migration";

impl Subject {
    /// Returns the subject for a migration set.
    pub(in crate::provider) fn set(name: Option<&str>) -> Self {
        Self { kind: "set", name: name.map(str::to_owned), cluster: None }
    }

    /// Returns the subject for a single migration.
    pub(in crate::provider) fn migration(version: Option<&str>) -> Self {
        Self { kind: MIGRATION, name: version.map(str::to_owned), cluster: None }
    }

    /// Returns the subject for the beginning of a title, if it is a single migration.
    pub(in crate::provider) fn as_migration(&self) -> Option<String> {
        (self.kind == MIGRATION).then(|| {
            let text = self.to_string();
            let (first, rest) = text.split_at(1);
            first.to_ascii_uppercase() + rest
        })
    }

    /// Adds the cluster, by its identifier or by host and port.
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
        let first = Subject::migration(Some("0001")).on(cluster()).as_migration();
        assert_eq!(first.as_deref(), Some("Migration 0001 on abc"));
        assert_eq!(Subject::set(Some("app")).as_migration(), None);
        assert_eq!(Subject::migration(None).on(cluster()).to_string(), "a migration on abc");
    }
}
