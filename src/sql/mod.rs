//! Reads SQL text: where statements end, what kind each one is, and how to show it in one line.
//!
//! Works on tokens and builds no syntax tree, because only the server decides what is valid SQL.
//! Does not know files, databases or Terraform.

mod classify;
mod comments;
mod cursor;
mod definition;
mod delimiter;
mod directive;
mod disallowed;
mod edit;
mod effect;
mod error;
mod hazards;
mod invisible;
mod lex;
mod lint;
mod names;
mod obscuring;
mod references;
mod render;
mod rewrite;
mod split;
mod summary;
#[cfg(test)]
mod testing;
mod tokens;

pub use classify::{StatementKind, classify};
pub use comments::{Comment, Heading, headings, line_comments};
pub use definition::{
    Alteration, ArgumentDefinition, ColumnDefinition, ConstraintDefinition, ConstraintKind,
    Definition, DomainDefinition, ForeignKey, FunctionDefinition, IdentityDefinition,
    IndexDefinition, KeyDefinition, KeyPart, SequenceOptions, TableDefinition, ViewDefinition,
    has_semicolon, is_same_signature, is_same_text, is_same_type, names_same_objects, signature_of,
    without_length,
};
pub use delimiter::{cut, has_delimiter_command, unescaped};
pub use directive::{Misplaced, StatementDirective, directives};
pub use disallowed::Disallowed;
pub use effect::{
    Ask, Becomes, Collision, CreatedObject, Effect, JobTarget, UsedName, Whole, begins_with,
    collisions, effect, job_target, mentioned, mentions, temporary_table, whole,
};
pub use error::{SplitError, SplitProblem};
pub use hazards::{
    FoundHazard, HIDDEN_NAME, Hazard, HazardSubject, Keys, RULES, RunStatement, ShownName,
    Surroundings, UNBATCHED_WRITE, WrittenName, hazards,
};
pub use lint::{Finding, FindingSeverity, is_rule, lint};
pub use obscuring::obscures;
pub use references::{Introduced, Reference, introduced, references};
pub use render::{RenderError, Rendered, Variables, is_variable_name, variables_in};
pub use rewrite::{OMISSIONS, Omission, REWRITES, Rewrite, is_omitted, rewrite};
pub use split::{Piece, Pieces, pieces, pieces_with, split};
pub use summary::{condensed, has_same_tokens, summary};
