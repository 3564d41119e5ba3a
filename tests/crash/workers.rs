//! Workers that check the points of a campaign, each on clusters of its own.

use std::fmt::Display;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dsql_local::Cluster;

use crate::matrix::{runtime, start};

/// A cluster is replaced after this number of points, because its journal only grows.
const POINTS_PER_CLUSTER: usize = 60;

/// Checks each point once. `Open` is what a worker keeps open on its cluster from one point to the
/// next. With the environment variable `CRASH_ONLY`, checks only the points whose text contains its
/// value, as a failed test prints it. Returns whether all points were checked.
///
/// # Panics
/// A point failed.
pub(crate) fn check_points<Point: Display + Sync, Open: Default>(
    mut points: Vec<Point>,
    workers: usize,
    check: impl AsyncFn(&Cluster, &mut Open, &Point) -> Result<(), String> + Sync,
) -> bool {
    let begun = Instant::now();
    let only = std::env::var("CRASH_ONLY").ok();
    points.retain(|point| only.as_ref().is_none_or(|only| point.to_string().contains(only)));
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = async || {
        let (mut cluster, mut open) = (start().await, Open::default());
        for used in 1.. {
            let nth = next.fetch_add(1, Ordering::SeqCst);
            let Some(point) = points.get(nth) else { break };
            if nth % 250 == 249 {
                eprintln!("{nth} of {} points", points.len());
            }
            if used % POINTS_PER_CLUSTER == 0 {
                open = Open::default();
                std::mem::replace(&mut cluster, start().await).stop().await;
            }
            if let Err(error) = Box::pin(check(&cluster, &mut open, point)).await {
                eprintln!("{point}: {error}");
                failures.lock().expect("no panic").push(format!("{point}: {error}"));
            }
        }
        drop(open);
        cluster.stop().await;
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| runtime().block_on(work()));
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    let seconds = begun.elapsed().as_secs();
    eprintln!("{} points, {} failures, {seconds} s", points.len(), failures.len());
    assert!(failures.is_empty(), "{} points:\n{}", failures.len(), failures.join("\n\n"));
    only.is_none()
}

/// The number of processors.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, NonZero::get)
}
