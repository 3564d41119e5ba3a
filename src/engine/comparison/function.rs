//! Functions. Several functions may have one name.

use super::{Comparer, Likeness, NONE, PartLikeness};
use crate::migration::expression::ExpressionScope;
use crate::migration::fact::QualifiedName;
use crate::sql::{ArgumentDefinition, FunctionDefinition, without_length};

impl Comparer<'_, '_> {
    /// Compares a function with the one that has the same argument types.
    pub(super) fn function(
        &mut self,
        function: &FunctionDefinition,
        name: &QualifiedName,
        identities: &str,
    ) -> Likeness {
        let Some(found) = self.catalog.function_with(identities, &function.signature()) else {
            return Likeness::different(&format!("function {name}"), &function.text, NONE);
        };
        let object = found.object.to_string();
        let mut part = PartLikeness::new(&object, &function.text, &found.definition);
        let Some(described) = FunctionDefinition::described(&found.definition) else {
            part.note(None);
            return part.finish();
        };
        part.note_equal(&function.options, &described.options);
        part.note_equal(&function.body, &described.body);
        part.note_equal(&function.arguments.len(), &described.arguments.len());
        for (argument, other) in function.arguments.iter().zip(&described.arguments) {
            self.argument(argument, other, &mut part);
        }
        // Arguments that are results define it if the statement does not.
        if !function.returns.is_empty() {
            let (written, found) = (&function.returns, &described.returns);
            part.note(self.is_type(without_length(written), without_length(found)));
        }
        part.note((!function.has_unknown).then_some(true));
        part.finish()
    }

    fn argument(
        &mut self,
        argument: &ArgumentDefinition,
        found: &ArgumentDefinition,
        part: &mut PartLikeness<'_>,
    ) {
        part.note_equal(&argument.mode, &found.mode);
        part.note_equal(&argument.name, &found.name);
        let (written, type_name) = (&argument.type_name, &found.type_name);
        part.note(self.is_type(without_length(written), without_length(type_name)));
        part.note(match (&argument.default, &found.default) {
            (Some(written), Some(default)) => {
                let cast = |text: &str| format!("CAST(({text}) AS {type_name})");
                self.printer.is_alike(&ExpressionScope::Constant, &cast(written), &cast(default))
            }
            (written, default) => Some(written.is_none() && default.is_none()),
        });
    }
}
