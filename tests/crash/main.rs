//! A run is broken at its statements, in every way; one more run brings the database to the same
//! end, nothing has taken effect twice, and the ledger says so.

#![cfg(unix)]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod directories;
mod jobs;
mod kill;
mod matrix;
mod provider;
mod random;
mod terraform;
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

#[test]
fn a_provider_that_is_killed_leaves_what_the_next_one_finishes() {
    kill::kill_at_every(13);
}

#[test]
fn a_killed_provider_keeps_others_out_no_longer_than_its_lease() {
    kill::kill_and_wait();
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn a_provider_that_is_killed_anywhere_leaves_what_the_next_one_finishes() {
    kill::kill_at_every(1);
}

#[test]
fn a_job_that_fails_or_is_forgotten_is_brought_to_its_end() {
    jobs::every_job_in_every_way();
}

#[test]
fn random_directories_survive_random_faults() {
    random::rounds(20);
}
