//! Compares the definition of an object in a statement with the one in the catalog. Pure.
//!
//! The server prints expressions in its own way. Where the texts of two expressions differ, both
//! are printed by the server: the first comparison collects what is to be printed, and the second
//! one has the results. Nothing is the same because of its name.

mod catalog;
mod function;
mod printer;
mod table;

pub(super) use self::catalog::{Catalog, name_of, own_name};
pub(super) use self::printer::Printer;
use self::printer::Side;
use crate::database::{DescribedObject, ObjectKind};
use crate::migration::expression::ExpressionScope;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::migration::quoted_identifier;
use crate::sql::{
    self, Alteration, ConstraintDefinition, Definition, DomainDefinition, IndexDefinition,
    KeyDefinition, KeyPart, SequenceOptions, ViewDefinition,
};

/// The schema of names without one.
const PUBLIC: &str = "public";

/// How alike two definitions are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Likeness {
    /// Parts that certainly differ.
    pub(super) different: Vec<Difference>,
    /// Parts that neither the texts nor the server could compare.
    pub(super) undecided: Vec<Difference>,
}

/// A part of an object, as the statement and as the catalog define it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    object: String,
    statement: String,
    catalog: String,
}

impl Likeness {
    pub(super) fn is_same(&self) -> bool {
        self.different.is_empty() && self.undecided.is_empty()
    }

    pub(super) fn is_different(&self) -> bool {
        !self.different.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.different.extend(other.different);
        self.undecided.extend(other.undecided);
    }

    fn different(object: &str, statement: &str, catalog: &str) -> Self {
        Self { different: vec![Difference::new(object, statement, catalog)], ..Self::default() }
    }

    fn undecided(object: &str, statement: &str, catalog: &str) -> Self {
        Self { undecided: vec![Difference::new(object, statement, catalog)], ..Self::default() }
    }

    /// The parts that are not the same, as text.
    pub(super) fn findings(&self) -> impl Iterator<Item = String> {
        self.different.iter().chain(&self.undecided).map(ToString::to_string)
    }

    /// As [`Likeness::findings`], with a mark on the parts that may be the same.
    pub(super) fn marked_findings(&self) -> impl Iterator<Item = String> {
        let different = self.different.iter().map(ToString::to_string);
        different.chain(self.undecided.iter().map(|it| {
            let object = format!("{} {UNKNOWN}", it.object);
            Difference { object, ..it.clone() }.to_string()
        }))
    }
}

impl Difference {
    fn new(object: &str, statement: &str, catalog: &str) -> Self {
        let in_a_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (statement, catalog) = (in_a_line(statement), in_a_line(catalog));
        Self { object: object.to_owned(), statement, catalog }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { object, statement, catalog } = self;
        write!(f, "{object}\n    statement: {statement}\n    catalog:   {catalog}")
    }
}

/// The word for a part that only one side has.
const NONE: &str = "(none)";

/// What a statement contains where the provider cannot compare it.
const UNKNOWN: &str = "(cannot be compared)";

/// Compares one pair of definitions, part by part.
struct PartLikeness<'a> {
    object: &'a str,
    statement: &'a str,
    catalog: &'a str,
    likeness: Likeness,
}

impl<'a> PartLikeness<'a> {
    fn new(object: &'a str, statement: &'a str, catalog: &'a str) -> Self {
        Self { object, statement, catalog, likeness: Likeness::default() }
    }

    /// Notes whether something is the same; `None` if that is not known.
    fn note(&mut self, is_same: Option<bool>) {
        let of = match is_same {
            Some(true) => return,
            Some(false) => &mut self.likeness.different,
            None => &mut self.likeness.undecided,
        };
        if of.is_empty() {
            of.push(Difference::new(self.object, self.statement, self.catalog));
        }
    }

    fn note_equal<T: PartialEq>(&mut self, statement: &T, catalog: &T) {
        self.note(Some(statement == catalog));
    }

    fn finish(self) -> Likeness {
        self.likeness
    }
}

/// Compares definitions with the catalog as it was read.
pub(super) struct Comparer<'a, 'p> {
    pub(super) catalog: Catalog<'a>,
    pub(super) printer: &'p mut Printer,
}

impl<'a> Comparer<'a, '_> {
    /// Compares what a statement creates with the object that has this identity now.
    pub(super) fn object(
        &mut self,
        definition: &Definition,
        subject: &FactSubject,
        identity: &str,
    ) -> Likeness {
        match (definition, subject) {
            (Definition::Function(function), FactSubject::Routine(name)) => {
                self.function(function, name, identity)
            }
            (Definition::Column(_), FactSubject::Column(table, name)) => {
                match self.catalog.part(table, &ObjectKind::Column, name) {
                    Some(found) => self.described(definition, found),
                    None => Likeness::undecided(&subject.to_string(), text_of(definition), NONE),
                }
            }
            _ => match self.catalog.by_identity(subject, identity) {
                Some(found) => self.described(definition, found),
                None => Likeness::undecided(&subject.to_string(), text_of(definition), UNKNOWN),
            },
        }
    }

    /// Compares a definition with a described object.
    pub(super) fn described(
        &mut self,
        definition: &Definition,
        found: &'a DescribedObject,
    ) -> Likeness {
        let (object, catalog) = (found.object.to_string(), found.definition.as_str());
        let is_kind = found.object.is(&match definition {
            Definition::Table(_) => ObjectKind::Table,
            Definition::Column(_) => ObjectKind::Column,
            Definition::Constraint(_) => ObjectKind::Constraint,
            Definition::Index(_) => ObjectKind::Index,
            Definition::View(_) => ObjectKind::View,
            Definition::Sequence(_) => ObjectKind::Sequence,
            Definition::Domain(_) => ObjectKind::Domain,
            Definition::Function(_) => ObjectKind::Function,
            Definition::Unknown => return Likeness::undecided(&object, UNKNOWN, catalog),
        });
        if !is_kind {
            // The description of a table is in its parts.
            let catalog = if catalog.is_empty() { "a table" } else { catalog };
            return Likeness::different(&object, text_of(definition), catalog);
        }
        let compared = match definition {
            Definition::Table(table) => Some(self.table(table, found)),
            Definition::Column(column) => self.column(column, found),
            Definition::Constraint(constraint) => self.constraint(constraint, found),
            Definition::Index(index) => self.index(index, found),
            Definition::View(view) => self.view(view, found),
            Definition::Sequence(sequence) => sequence_likeness(sequence, &object, catalog),
            Definition::Domain(domain) => self.domain(domain, found),
            Definition::Function(_) | Definition::Unknown => None,
        };
        compared.unwrap_or_else(|| Likeness::undecided(&object, text_of(definition), catalog))
    }

    /// Compares what `ALTER` sets with the object as it is now.
    pub(super) fn alterations(
        &mut self,
        alterations: &[Alteration],
        subject: &FactSubject,
    ) -> Likeness {
        let found = match subject {
            FactSubject::Column(table, name) => self.catalog.part(table, &ObjectKind::Column, name),
            _ => {
                let identity = self.catalog.now.get(&Fact::Identity(subject.clone()));
                identity.and_then(|identity| self.catalog.by_identity(subject, identity))
            }
        };
        let Some(found) = found else {
            return Likeness::undecided(&subject.to_string(), UNKNOWN, NONE);
        };
        let mut likeness = Likeness::default();
        for alteration in alterations {
            let statement = words(alteration);
            let object = found.object.to_string();
            let mut part = PartLikeness::new(&object, &statement, &found.definition);
            part.note(self.is_altered(alteration, found));
            likeness.add(part.finish());
        }
        likeness
    }

    fn is_altered(&mut self, alteration: &Alteration, found: &DescribedObject) -> Option<bool> {
        let definition = found.definition.as_str();
        match found.object.kind {
            ObjectKind::Column => self.is_column_altered(alteration, definition),
            ObjectKind::View => {
                let Alteration::Option(name, value) = alteration else { return None };
                Some(ViewDefinition::described(definition)?.options.get(name) == value.as_ref())
            }
            ObjectKind::Sequence => {
                let Alteration::Sequence(altered) = alteration else { return None };
                Some(SequenceOptions::described(definition)?.includes(altered))
            }
            ObjectKind::Domain => {
                let domain = DomainDefinition::described(definition)?;
                match alteration {
                    Alteration::Default(default) => {
                        self.is_same_default(&domain.type_name, default, &domain.default)
                    }
                    Alteration::NotNull(not_null) => Some(domain.not_null == *not_null),
                    Alteration::NoConstraint(name) => {
                        Some(domain.checks.iter().all(|check| check.name.as_ref() != Some(name)))
                    }
                    _ => None,
                }
            }
            ObjectKind::Constraint => {
                let Alteration::Deferrable { deferrable, initially_deferred } = alteration else {
                    return None;
                };
                let constraint = ConstraintDefinition::described("", definition)?;
                let found = (constraint.deferrable, constraint.initially_deferred);
                Some(found == (*deferrable, *initially_deferred))
            }
            _ => None,
        }
    }

    fn index(&mut self, index: &IndexDefinition, found: &DescribedObject) -> Option<Likeness> {
        let object = found.object.to_string();
        let described = IndexDefinition::described(name_of(&found.relation), &found.definition)?;
        let catalog = format!("{} ON {}", found.definition, found.relation);
        let statement = format!("{} ON {}", index.text, index.table);
        let mut part = PartLikeness::new(&object, &statement, &catalog);
        part.note(self.catalog.is_relation(&index.table, &found.relation));
        part.note_equal(&index.unique, &described.unique);
        part.note_equal(&index.method, &described.method);
        part.note_equal(&index.include, &described.include);
        part.note_equal(&index.nulls_not_distinct, &described.nulls_not_distinct);
        part.note_equal(&index.keys.len(), &described.keys.len());
        for (key, other) in index.keys.iter().zip(&described.keys) {
            self.key(key, other, &found.relation, &mut part);
        }
        match (&index.predicate, &described.predicate) {
            (Some(predicate), Some(other)) => {
                let scope = ExpressionScope::Table(found.relation.clone());
                part.note(self.printer.is_alike(&scope, predicate, other));
            }
            (predicate, other) => part.note_equal(predicate, other),
        }
        part.note((!index.has_unknown).then_some(true));
        Some(part.finish())
    }

    fn key(
        &mut self,
        key: &KeyDefinition,
        found: &KeyDefinition,
        relation: &str,
        part: &mut PartLikeness<'_>,
    ) {
        match (&key.part, &found.part) {
            (KeyPart::Expression(expression), KeyPart::Expression(other)) => {
                let scope = ExpressionScope::Table(relation.to_owned());
                part.note(self.printer.is_alike(&scope, expression, other));
            }
            (column, other) => part.note_equal(column, other),
        }
        part.note_equal(&key.descending, &found.descending);
        part.note_equal(&key.nulls_first, &found.nulls_first);
        for (written, described) in
            [(&key.collation, &found.collation), (&key.operator_class, &found.operator_class)]
        {
            part.note(match (written, described) {
                (written, described) if written == described => Some(true),
                (None, Some(_)) => Some(false),
                // What the statement names may be the default, which the catalog does not show.
                _ => None,
            });
        }
    }

    fn view(&mut self, view: &ViewDefinition, found: &DescribedObject) -> Option<Likeness> {
        let object = found.object.to_string();
        let described = ViewDefinition::described(&found.definition)?;
        let mut part = PartLikeness::new(&object, &view.text, &found.definition);
        part.note_equal(&view.options, &described.options);
        let columns = view.columns.as_ref().map(|columns| {
            let columns: Vec<String> = columns.iter().map(|name| quoted_identifier(name)).collect();
            format!("({})", columns.join(", "))
        });
        let written = Side { scope: ExpressionScope::Query { columns }, text: &view.query };
        let printed =
            Side { scope: ExpressionScope::Query { columns: None }, text: &described.query };
        part.note(self.printer.is_same(&written, &printed));
        part.note(view.has_same_clauses(&described).then_some(true));
        Some(part.finish())
    }

    fn domain(&mut self, domain: &DomainDefinition, found: &DescribedObject) -> Option<Likeness> {
        let object = found.object.to_string();
        let described = DomainDefinition::described(&found.definition)?;
        let mut part = PartLikeness::new(&object, &domain.text, &found.definition);
        part.note(self.is_type(&domain.type_name, &described.type_name));
        part.note_equal(&domain.not_null, &described.not_null);
        let default = &domain.default;
        part.note(self.is_same_default(&described.type_name, default, &described.default));
        part.note((!domain.has_unknown).then_some(true));
        let mut likeness = part.finish();
        let scope = ExpressionScope::Value(described.type_name.clone());
        let checks: Vec<_> = described.checks.iter().map(|check| (object.clone(), check)).collect();
        likeness.add(self.constraints(&domain.checks, &checks, &scope, &object));
        Some(likeness)
    }

    /// Whether a type that the statement names is the one of the catalog.
    fn is_type(&mut self, written: &str, found: &str) -> Option<bool> {
        sql::is_same_type(written, found).or_else(|| {
            let of_type = |name: &str| format!("NULL::{name}");
            self.printer.is_alike(&ExpressionScope::Constant, &of_type(written), &of_type(found))
        })
    }

    /// Whether two defaults of the same type are the same.
    fn is_same_default(
        &mut self,
        type_name: &str,
        written: &Option<String>,
        found: &Option<String>,
    ) -> Option<bool> {
        let is_null = |text: &&str| {
            text.trim_matches(['(', ')', ' ', '\n', '\t']).eq_ignore_ascii_case("NULL")
        };
        let written = written.as_deref().filter(|text| !is_null(text));
        match (written, found.as_deref()) {
            (Some(written), Some(found)) => {
                let cast = |text: &str| format!("CAST(({text}) AS {type_name})");
                let is_same = sql::is_same_text(written, found).then_some(true);
                is_same.or_else(|| {
                    self.printer.is_alike(&ExpressionScope::Constant, &cast(written), &cast(found))
                })
            }
            (written, found) => Some(written == found),
        }
    }
}

fn sequence_likeness(sequence: &SequenceOptions, object: &str, catalog: &str) -> Option<Likeness> {
    let described = SequenceOptions::described(catalog)?;
    let mut part = PartLikeness::new(object, &sequence.text, catalog);
    let completed = sequence.completed("bigint").filter(|_| !sequence.has_unknown);
    part.note(completed.map(|completed| Some(completed) == described.completed("bigint")));
    Some(part.finish())
}

/// The definition of a statement as text.
fn text_of(definition: &Definition) -> &str {
    match definition {
        Definition::Column(column) => &column.text,
        Definition::Constraint(constraint) => &constraint.text,
        Definition::Index(index) => &index.text,
        Definition::View(view) => &view.text,
        Definition::Sequence(sequence) => &sequence.text,
        Definition::Domain(domain) => &domain.text,
        Definition::Function(function) => &function.text,
        Definition::Table(_) => "a table",
        Definition::Unknown => UNKNOWN,
    }
}

/// What `ALTER` sets, as text.
fn words(alteration: &Alteration) -> String {
    match alteration {
        Alteration::Default(Some(default)) => format!("SET DEFAULT {default}"),
        Alteration::Default(None) => "DROP DEFAULT".to_owned(),
        Alteration::NotNull(true) => "SET NOT NULL".to_owned(),
        Alteration::NotNull(false) => "DROP NOT NULL".to_owned(),
        Alteration::Type(name) => format!("TYPE {name}"),
        Alteration::Identity(Some(identity)) => {
            let always = if identity.always { "ALWAYS" } else { "BY DEFAULT" };
            format!("GENERATED {always} AS IDENTITY ({})", identity.options.text)
        }
        Alteration::Identity(None) => "DROP IDENTITY".to_owned(),
        Alteration::Always(true) => "SET GENERATED ALWAYS".to_owned(),
        Alteration::Always(false) => "SET GENERATED BY DEFAULT".to_owned(),
        Alteration::NoExpression => "DROP EXPRESSION".to_owned(),
        Alteration::Sequence(options) => options.text.clone(),
        Alteration::Option(name, Some(value)) => format!("SET ({name} = {value})"),
        Alteration::Option(name, None) => format!("RESET ({name})"),
        Alteration::NoConstraint(name) => format!("DROP CONSTRAINT {name}"),
        Alteration::Deferrable { deferrable, initially_deferred } => {
            let not = if *deferrable { "" } else { "NOT " };
            let deferred = if *initially_deferred { " INITIALLY DEFERRED" } else { "" };
            format!("{not}DEFERRABLE{deferred}")
        }
    }
}

/// Whether a name of the catalog is the one in a statement.
pub(super) fn is_named(catalog: &str, name: &QualifiedName) -> bool {
    let found = name_of(catalog);
    found.name == name.name
        && found.schema.as_deref() == Some(name.schema.as_deref().unwrap_or(PUBLIC))
}

#[cfg(test)]
mod tests;
