//! Reads the definitions of single objects, as the query of `describe.rs` describes them.

use super::describe::{PLAIN_NAMES, describe_objects_sql};
use super::object::CatalogObject;
use crate::database::error::Error;
use crate::database::session::{Rows, Session};

/// An object of the catalog with its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedObject {
    /// The object.
    pub object: CatalogObject,
    /// The relation that it belongs to or that it is, as in the name of the object.
    pub relation: String,
    /// Its definition.
    pub definition: String,
    /// Its identity, as in the facts of the catalog; `None` for a column.
    pub identity: Option<String>,
}

impl Session {
    /// Reads the definitions of objects with these identities, and of what belongs to them;
    /// read-only, one round trip. An identity is unique among objects of one kind only, so there
    /// may be other objects in the result.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn describe(&mut self, identities: &[String]) -> Result<Vec<DescribedObject>, Error> {
        let identities: Result<Vec<u32>, _> = identities.iter().map(|it| it.parse()).collect();
        let identities =
            identities.map_err(|_| Error::Answer("an identity that is not a number".into()))?;
        let sql = format!("{PLAIN_NAMES}; {}", describe_objects_sql(&identities));
        let mut objects = parse(self.read(&sql).await?.pop().unwrap_or_default())?;
        // For messages; the server returns them in any order.
        objects.sort_by(|one, other| one.object.cmp(&other.object));
        Ok(objects)
    }
}

fn parse(rows: Rows) -> Result<Vec<DescribedObject>, Error> {
    rows.into_iter()
        .map(|row| match <[Option<String>; 5]>::try_from(row) {
            Ok([Some(relation), Some(object), Some(definition), _owner, identity]) => {
                let object = object.as_str().into();
                Ok(DescribedObject { object, relation, definition, identity })
            }
            _ => Err(Error::Answer("the catalog query returned other columns".into())),
        })
        .collect()
}
