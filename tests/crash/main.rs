//! Runs are interrupted at every statement in every way. After another run, the database must have
//! the same content as after an undisturbed run, no statement may have taken effect twice, and the
//! ledger must match.

#![cfg(unix)]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod directories;
mod foreign;
mod jobs;
mod kill;
mod left_jobs;
mod matrix;
mod parallel;
mod provider;
mod random;
mod terraform;
mod ways;
mod workers;

#[test]
fn a_run_that_is_interrupted_at_a_statement_has_the_same_result() {
    matrix::run_matrix(false);
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn a_run_that_is_interrupted_at_any_statement_in_any_way_has_the_same_result() {
    matrix::run_matrix(true);
}

#[test]
fn the_next_run_completes_the_run_of_a_killed_provider() {
    kill::kill_at_every(13);
}

#[test]
fn a_killed_provider_excludes_other_runs_no_longer_than_its_lease() {
    kill::kill_and_wait();
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn the_next_run_completes_the_run_of_a_provider_that_was_killed_anywhere() {
    kill::kill_at_every(1);
}

#[test]
fn the_next_run_completes_a_job_that_failed_or_is_not_listed_any_more() {
    jobs::every_job_in_every_way();
}

#[test]
fn runs_that_leave_their_jobs_have_the_result_of_runs_that_wait() {
    left_jobs::interrupt_each_run(false);
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn runs_that_leave_their_jobs_have_the_result_of_runs_that_wait_in_every_way() {
    left_jobs::interrupt_each_run(true);
}

#[test]
fn runs_of_several_sets_at_once_record_what_they_have_made() {
    parallel::hold_each_run(false);
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn runs_of_several_sets_at_once_record_what_they_have_made_wherever_they_are_held() {
    parallel::hold_each_run(true);
}

#[test]
fn random_directories_survive_random_faults() {
    random::rounds(20);
}

#[test]
fn an_object_of_someone_else_is_never_recorded_as_the_result_of_an_interrupted_statement() {
    foreign::place_foreign_objects(false);
}

#[test]
#[ignore = "takes long; cargo test --test crash -- --ignored --nocapture"]
fn an_object_of_someone_else_is_never_recorded_wherever_the_run_was_interrupted() {
    foreign::place_foreign_objects(true);
}
