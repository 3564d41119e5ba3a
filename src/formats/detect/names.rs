//! What names of directories and files say about their tool.

use std::collections::BTreeSet;

use super::super::flyway::{Kind, Name};
use super::super::number::leading_digits;
use super::super::refinery;
use super::{Format, Listing, Says, Sign, base, drizzle, folders, quoted};
use crate::formats::listing::{is_sql, stem};

/// Drizzle v1 and Prisma have a directory for each migration.
pub(super) fn of_folders(listing: &Listing) -> Vec<Sign> {
    let sign = |says, path: &str| vec![Sign { says, found: quoted(path) }];
    let nested = || listing.nested.iter().map(String::as_str);
    // https://www.prisma.io/docs/orm/next/migrations/how-migrations-work
    if let Some(path) = nested().find(|path| base(path) == "ops.json") {
        return sign(Says::Unsupported("Prisma Next"), path);
    }
    let migrations = || nested().filter(|path| base(path) == folders::FILE);
    let folder = |path: &str| path.split('/').next().unwrap_or(path).to_owned();
    if let Some(path) = migrations().find(|path| drizzle::folders::name(&folder(path)).is_none()) {
        return sign(Says::Format(Format::Prisma), path);
    }
    let Some(first) = migrations().next() else { return Vec::new() };
    // Not every directory has a snapshot.
    match migrations().find(|path| listing.holds(&format!("{}/snapshot.json", folder(path)))) {
        Some(path) => sign(Says::Format(Format::Drizzle), path),
        None => sign(Says::Either("Drizzle", "Prisma"), first),
    }
}

/// Flyway, refinery, golang-migrate and sqlx have names of their own.
pub(super) fn of_files(listing: &Listing) -> Vec<Sign> {
    flyway_or_refinery(listing).into_iter().chain(golang_migrate_or_sqlx(listing)).collect()
}

/// `V1__a.sql` fits both, and both read it alike: it is taken for Flyway's. `U1__a.sql` undoes for
/// Flyway and goes forward for refinery.
fn flyway_or_refinery(listing: &Listing) -> Option<Sign> {
    let sign = |says, path: &str| Some(Sign { says, found: quoted(path) });
    if let Some(path) = listing.all_files().find(|path| refinery::is_rust(path)) {
        return sign(Says::Format(Format::Refinery), path);
    }
    let named: Vec<(&str, Name)> = listing
        .all_files()
        .filter(|path| is_sql(path))
        .filter_map(|path| Some((path, Name::parse(stem(base(path)))?)))
        .collect();
    let (first, _) = named.first()?;
    let only_flyway = |name: &Name| {
        matches!(name.kind, Kind::Repeatable | Kind::Baseline) || name.parts.len() > 1
    };
    if let Some((path, _)) = named.iter().find(|(_, name)| only_flyway(name)) {
        return sign(Says::Format(Format::Flyway), path);
    }
    let versioned = named.iter().filter(|(_, name)| name.kind == Kind::Versioned);
    let versions: BTreeSet<_> = versioned.map(|(_, name)| &name.parts).collect();
    // refinery would refuse `U1` beside `V1` as the same version.
    let lone = |name: &Name| name.kind == Kind::Undo && !versions.contains(&name.parts);
    match named.iter().find(|(_, name)| lone(name)) {
        Some((path, _)) => sign(Says::Either("Flyway", "refinery"), path),
        None => sign(Says::Format(Format::Flyway), first),
    }
}

/// Both have a file for each direction. Only sqlx has files without one, and a comment that
/// switches the transaction off.
fn golang_migrate_or_sqlx(listing: &Listing) -> Option<Sign> {
    let directed = |name: &str| {
        let stem = stem(name);
        is_sql(name) && (stem.ends_with(".up") || stem.ends_with(".down"))
    };
    let found = quoted(listing.files.iter().find(|name| directed(name))?);
    let simple = |name: &str| {
        let (digits, rest) = leading_digits(name);
        !digits.is_empty() && rest.starts_with('_') && is_sql(name) && !directed(name)
    };
    let unwrapped = |text: &str| text.starts_with("-- no-transaction");
    let is_sqlx = listing.files.iter().any(|name| simple(name))
        || listing.sql.iter().any(|source| source.text.as_deref().is_ok_and(unwrapped));
    let says =
        if is_sqlx { Says::Format(Format::Sqlx) } else { Says::Either("golang-migrate", "sqlx") };
    Some(Sign { says, found })
}
