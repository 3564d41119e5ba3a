//! `new-hazard`: a rule about valid statements that a reviewer should know about.

use std::path::Path;

use crate::changes::Changes;
use crate::name::Name;
use crate::{Result, Stub, edit};

pub(crate) const NEW: Stub = Stub { changes, next_steps };

const TABLE: &str = "src/sql/hazards.rs";

fn changes(root: &Path, name: &Name) -> Result<Changes> {
    let mut changes = Changes::new(root);
    let snake = name.snake();
    changes.create(
        format!("src/sql/hazards/{snake}.rs"),
        name.fill(include_str!("templates/hazard.rs.txt")),
    )?;
    changes.edit(TABLE, |text| {
        let text = edit::declare_module(text, &snake)?;
        edit::insert(&text, "static RULES: ", "];", &format!("    &{snake}::RULE,\n"))
    })?;
    Ok(changes)
}

fn next_steps(name: &Name) -> String {
    name.fill(include_str!("templates/hazard_steps.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_hazard_is_registered_in_the_sources_of_today() {
        let name = Name::parse("drop-everything").expect("it is valid");
        let changes = changes(&crate::stubs::root(), &name).expect("the anchors exist");

        assert_eq!(
            changes.paths().collect::<Vec<_>>(),
            [TABLE, "src/sql/hazards/drop_everything.rs"]
        );
        assert_eq!(changes.added(TABLE), ["mod drop_everything;", "    &drop_everything::RULE,"]);
    }

    #[test]
    fn an_existing_hazard_is_not_overwritten() {
        let name = Name::parse("drop_table").expect("it is valid");
        let error = changes(&crate::stubs::root(), &name).err().expect("it exists").to_string();
        assert_eq!(error, "src/sql/hazards/drop_table.rs already exists");
    }
}
