//! Tools that are recognized by the names of directories and files.

use std::collections::BTreeSet;

use super::{Evidence, Format, Listing, Tool};
use crate::formats::flyway::{ScriptKind, ScriptName};
use crate::formats::listing::{base, is_sql, stem};
use crate::formats::number::leading_digits;
use crate::formats::{drizzle, folders, refinery};

/// Drizzle v1 and Prisma have a directory for each migration.
pub(super) fn of_folders(listing: &Listing) -> Vec<Evidence> {
    let evidence = |tool, path: &str| vec![Evidence { tool, found: path.to_owned() }];
    let nested = || listing.nested.iter().map(String::as_str);
    // https://www.prisma.io/docs/orm/next/migrations/how-migrations-work
    if let Some(path) = nested().find(|path| base(path) == "ops.json") {
        return evidence(Tool::Unsupported("Prisma Next"), path);
    }
    let migrations = || nested().filter(|path| base(path) == folders::FILE);
    let folder = |path: &str| path.split('/').next().unwrap_or(path).to_owned();
    if let Some(path) = migrations().find(|path| drizzle::folders::name(&folder(path)).is_none()) {
        return evidence(Tool::Format(Format::Prisma), path);
    }
    let Some(first) = migrations().next() else { return Vec::new() };
    // Not every directory of Drizzle has a snapshot.
    match migrations().find(|path| listing.contains(&format!("{}/snapshot.json", folder(path)))) {
        Some(path) => evidence(Tool::Format(Format::Drizzle), path),
        None => evidence(Tool::Either("Drizzle", "Prisma"), first),
    }
}

/// Flyway, refinery, golang-migrate and sqlx name their files in their own ways.
pub(super) fn of_files(listing: &Listing) -> Vec<Evidence> {
    flyway_or_refinery(listing).into_iter().chain(golang_migrate_or_sqlx(listing)).collect()
}

/// Distinguishes two tools with similar names. `V1__a.sql` is a migration of both, and both run it
/// alike, so it counts as Flyway's. `U1__a.sql` reverts a migration in Flyway and applies one in
/// refinery.
fn flyway_or_refinery(listing: &Listing) -> Option<Evidence> {
    let evidence = |tool, path: &str| Some(Evidence { tool, found: path.to_owned() });
    if let Some(path) = listing.all_files().find(|path| refinery::is_rust(path)) {
        return evidence(Tool::Format(Format::Refinery), path);
    }
    let named: Vec<(&str, ScriptName)> = listing
        .all_files()
        .filter(|path| is_sql(path))
        .filter_map(|path| Some((path, ScriptName::parse(stem(base(path)))?)))
        .collect();
    let (first, _) = named.first()?;
    let only_flyway = |path: &str, name: &ScriptName| {
        matches!(name.kind, ScriptKind::Repeatable | ScriptKind::Baseline)
            || name.parts.len() > 1
            || !base(path).contains("__")
    };
    if let Some((path, _)) = named.iter().find(|(path, name)| only_flyway(path, name)) {
        return evidence(Tool::Format(Format::Flyway), path);
    }
    let versioned = named.iter().filter(|(_, name)| name.kind == ScriptKind::Versioned);
    let versions: BTreeSet<_> = versioned.map(|(_, name)| &name.parts).collect();
    // refinery rejects `U1` next to `V1` as the same version.
    let lone = |name: &ScriptName| name.kind == ScriptKind::Undo && !versions.contains(&name.parts);
    match named.iter().find(|(_, name)| lone(name)) {
        Some((path, _)) => evidence(Tool::Either("Flyway", "refinery"), path),
        None => evidence(Tool::Format(Format::Flyway), first),
    }
}

/// Distinguishes the two tools that have a file for each direction. Only sqlx has files without a
/// direction, and a comment that turns the transaction off.
fn golang_migrate_or_sqlx(listing: &Listing) -> Option<Evidence> {
    let directed = |name: &str| {
        let stem = stem(name);
        is_sql(name) && (stem.ends_with(".up") || stem.ends_with(".down"))
    };
    let found = listing.files.iter().find(|name| directed(name))?.clone();
    let simple = |name: &str| {
        let (digits, rest) = leading_digits(name);
        !digits.is_empty() && rest.starts_with('_') && is_sql(name) && !directed(name)
    };
    let without_transaction = |text: &str| text.starts_with("-- no-transaction");
    let is_sqlx = listing.files.iter().any(|name| simple(name))
        || listing.sql.iter().any(|source| source.text.as_deref().is_ok_and(without_transaction));
    let tool =
        if is_sqlx { Tool::Format(Format::Sqlx) } else { Tool::Either("golang-migrate", "sqlx") };
    Some(Evidence { tool, found })
}
