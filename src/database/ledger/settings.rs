//! The settings of a session that a migration must not change.
//!
//! A migration can call a function of its own that calls `set_config`, so its text does not show
//! the change. A table of a later migration would then be created in another schema. The settings
//! are read with the claim and compared in each transaction that runs statements of the author, so
//! neither takes a round trip. DSQL has `current_setting`: Prisma calls it when it connects, and
//! AWS tests Prisma on a cluster.

use crate::database::session::literal;

/// An SQL expression for the settings that change what a statement means and that DSQL lets a
/// session set.
pub(super) const SETTINGS: &str = "concat_ws(' | ', pg_catalog.current_setting('search_path'),
        pg_catalog.current_setting('TimeZone'), pg_catalog.current_setting('DateStyle'),
        pg_catalog.current_setting('IntervalStyle'),
        pg_catalog.current_setting('extra_float_digits'))";

/// Returns a query that fails like a fence if the settings are not `expected`.
pub(super) fn check_sql(expected: &str) -> String {
    format!("SELECT 1 / CASE WHEN {SETTINGS} = {} THEN 1 ELSE 0 END", literal(expected))
}
