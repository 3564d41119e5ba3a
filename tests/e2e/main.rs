//! Real Terraform, the real binary, and a cluster of `dsql-local`: what a practitioner sees.
//!
//! Each scenario runs on each Terraform that [`terraform::all`] finds, with a cluster and a folder
//! of its own. It asserts on exit codes, on words of the output (whose line breaks are undone),
//! and on what the cluster has received.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a scenario that cannot continue has failed")]

mod terraform;
mod world;

mod adoption;
mod aws_emulator;
mod bad_input;
mod batches;
mod cluster_identifier;
mod clusters;
mod counted;
mod credentials;
mod data_sources;
mod dead_runs;
mod drift;
mod drift_guards;
mod examples;
mod existing;
mod failed_runs;
mod formats;
mod functions;
mod hazards;
mod installation;
mod least_privilege;
mod ledger_rows;
mod life_cycle;
mod lint;
mod missing_cluster;
mod mocks;
mod order;
mod pending;
mod plan_output;
mod policies;
mod refresh;
mod renamed;
mod repeatable;
mod right_cluster;
mod saved_plans;
mod scheduled_plans;
mod secrets;
mod two_machines;
mod upgrade;
mod wait_for_jobs;
