//! A run is broken at its statements, in every way; one more run brings the database to the same
//! end, nothing has taken effect twice, and the ledger says so.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod matrix;
mod ways;

#[test]
fn a_run_that_is_broken_at_a_statement_ends_like_one_that_is_not() {
    matrix::run_matrix(false);
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn a_run_that_is_broken_at_any_statement_in_any_way_ends_like_one_that_is_not() {
    matrix::run_matrix(true);
}
