//! Every statement in every way: which points there are, and what has to be true after each.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dsql_local::{Cluster, Fault, Matcher, Options};
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease, Session};

use crate::cases::{Case, Set, has_drift, state};
use crate::common::session;
use crate::directories::cases;
use crate::ways::{Broken, MOMENTS, Way, ways};

/// A statement of a run: the nth of its command. Counted so, all but the looks at jobs have the
/// same place in every run.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) command: String,
    pub(crate) nth: usize,
    pub(crate) sql: String,
}

impl Spot {
    pub(crate) fn matcher(&self) -> Matcher {
        Matcher::command(&self.command).nth(self.nth)
    }

    /// Whether what it does stays from here on.
    pub(crate) fn commits(&self) -> bool {
        matches!(self.command.as_str(), "COMMIT" | "ANALYZE")
    }

    /// Whether breaking it can leave something behind: what reads or only opens a transaction
    /// leaves what the statement before it has left.
    fn writes(&self) -> bool {
        !matches!(self.command.as_str(), "BEGIN" | "SELECT" | "WITH" | "SET" | "ROLLBACK")
    }
}

/// A case without faults: the statements that a run sends, and its end.
pub(crate) struct Undisturbed {
    pub(crate) case: Case,
    pub(crate) set: Set,
    pub(crate) spots: Vec<Spot>,
    pub(crate) end: Vec<String>,
    /// How often each of its statements takes effect.
    effects: BTreeMap<String, usize>,
}

pub(crate) async fn start() -> Cluster {
    let mut options = Options::default();
    options.job_delay = Duration::from_millis(1);
    Cluster::start(options).await.expect("a cluster starts")
}

/// Runs a case without faults; again if it has met a conflict by itself, which a busy machine
/// brings about, because then it has sent more than others will.
pub(crate) async fn undisturbed(cluster: &Cluster, case: Case) -> Undisturbed {
    let mut session = session(cluster).await;
    let set = case.set();
    let mut tries = 0;
    let (since, sent) = loop {
        tries += 1;
        case.reset(&mut session).await;
        let since = cluster.received();
        let result = set.run(&mut session, Lease::new("undisturbed", LEASE_LENGTH)).await;
        result.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        let sent = cluster.statements_since(since);
        if sent.iter().all(|logged| logged.command() != "ROLLBACK") {
            break (since, sent);
        }
        assert!(tries < 10, "{}: no run is without a conflict", case.name);
    };
    let mut counts = HashMap::<String, usize>::new();
    let spots = sent
        .iter()
        .map(|logged| {
            let command = logged.command();
            let nth = counts.entry(command.clone()).and_modify(|nth| *nth += 1).or_insert(1);
            Spot { nth: *nth, command, sql: logged.sql.clone() }
        })
        .collect();
    let end = state(&mut session).await;
    // So there is none either where the same is recorded of the same schema.
    assert!(!has_drift(&mut session).await, "{}: there is drift", case.name);
    let effects = set.effects(cluster, since);
    for (sql, wanted) in set.wanted() {
        assert_eq!(effects.get(sql), Some(&wanted), "{}: {sql:?}", case.name);
    }
    let effects = effects.into_iter().map(|(sql, count)| (sql.to_owned(), count)).collect();
    Undisturbed { case, set, spots, end, effects }
}

impl Undisturbed {
    /// What has to be true after a broken run and one more. `may_repeat` names statements that may
    /// have taken effect more often than by themselves.
    ///
    /// # Errors
    /// What is not.
    pub(crate) async fn check(
        &self,
        cluster: &Cluster,
        session: &mut Session,
        since: usize,
        may_repeat: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        // What a dead process has left on its way is over.
        sessions_left(cluster, 1).await;
        let end = state(session).await;
        if end != self.end {
            let missing = self.end.iter().filter(|line| !end.contains(line));
            let more = end.iter().filter(|line| !self.end.contains(line));
            let lines = missing.map(|line| format!("- {line}\n"));
            let lines = lines.chain(more.map(|line| format!("+ {line}\n")));
            return Err(format!("it ends otherwise:\n{}", lines.collect::<String>()));
        }
        for (sql, count) in self.set.effects(cluster, since) {
            let wanted = self.effects[sql];
            if count < wanted || (count > wanted && !self.set.may_repeat(sql) && !may_repeat(sql)) {
                return Err(format!("{sql:?} has taken effect {count} times, not {wanted}"));
            }
        }
        Ok(())
    }

    /// One more run, which has to come to its end.
    ///
    /// # Errors
    /// Why it has not.
    pub(crate) async fn one_more(&self, session: &mut Session) -> Result<(), String> {
        let result = self.set.run(session, Lease::new("next", LEASE_LENGTH)).await;
        result.map_err(|error| format!("the next run has failed: {error:?}"))
    }

    /// Breaks a run, lets the next one finish, and checks. Gives back the session of the next one.
    async fn break_at(
        &self,
        cluster: &Cluster,
        mut first: Session,
        spot: &Spot,
        way: &Way,
    ) -> Result<(Broken, Session), String> {
        sessions_left(cluster, 1).await;
        self.case.reset(&mut first).await;
        let since = cluster.received();
        let broken = way.break_run(cluster, first, &self.set, spot.matcher()).await;

        let mut next = session(cluster).await;
        let checked = match self.one_more(&mut next).await {
            Ok(()) => self.check(cluster, &mut next, since, |_| false).await,
            Err(error) => Err(error),
        };
        checked.map_err(|error| format!("{error}\nafter {:?}", broken.result))?;
        match &broken.result {
            Some(result) if spot.writes() && !way.admits(result) => {
                Err(format!("the broken run has ended with {result:?}"))
            }
            _ => Ok((broken, next)),
        }
    }
}

/// Returns when only so many sessions are open.
pub(crate) async fn sessions_left(cluster: &Cluster, count: usize) {
    while cluster.open_sessions() > count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

struct Point<'a> {
    case: &'a Undisturbed,
    spot: &'a Spot,
    way: Way,
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { command, nth, .. } = self.spot;
        write!(f, "{}: {:?} at {command} {nth}", self.case.case.name, self.way)
    }
}

#[derive(Default)]
struct Tally {
    reached: AtomicUsize,
    went_on: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Breaks the cases at their statements, in all ways wherever it can matter, and anywhere if `all` is
/// set. Prints how many points that were.
pub(crate) fn run_matrix(all: bool) {
    let begun = Instant::now();
    let runtime = runtime();
    let cases: Vec<Undisturbed> = runtime.block_on(async {
        let cluster = start().await;
        let mut all = Vec::new();
        for case in cases() {
            all.push(undisturbed(&cluster, case).await);
        }
        cluster.stop().await;
        all
    });
    let mut points = points(&cases, all);
    // A point that has failed, as it was printed.
    let only = std::env::var("CRASH_ONLY").ok();
    if let Some(only) = &only {
        points.retain(|point| point.to_string().contains(only));
    }
    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    // A point waits now and then, so there are more than processors.
    let workers = std::thread::available_parallelism().map_or(2, NonZero::get) + 2;
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&points, &next, &tally));
        }
    });

    let (reached, went_on) = (tally.reached.into_inner(), tally.went_on.into_inner());
    let failures = tally.failures.into_inner().unwrap_or_default();
    eprintln!(
        "{} points at {} statements of {} cases, {reached} reached, {went_on} broken runs came to \
         their end by themselves, {} failures, {} s",
        points.len(),
        cases.iter().map(|case| case.spots.len()).sum::<usize>(),
        cases.len(),
        failures.len(),
        begun.elapsed().as_secs()
    );
    assert!(failures.is_empty(), "{} points:\n{}", failures.len(), failures.join("\n\n"));
    // The number of looks at jobs differs from run to run.
    let enough = reached * 50 >= points.len() * 49;
    assert!(enough || only.is_some(), "{reached} of {} points", points.len());
}

/// The points of all cases: what commits and the statements of the files in all ways that differ
/// there, every other statement in one way, in turns; and with `all` everything that writes in all
/// ways. The others are the ledger's, inside of a transaction, and gone with it whatever happens to
/// them; and where a transaction begins is where the one before it has ended.
fn points(cases: &[Undisturbed], all: bool) -> Vec<Point<'_>> {
    let ways = ways();
    let mut points = Vec::new();
    for case in cases {
        for spot in &case.spots {
            let is_full = spot.commits() || case.effects.contains_key(&spot.sql);
            // Commands come in turns, so each turn begins one way further.
            let turn = spot.nth + spot.nth / ways.len();
            for (nth, way) in ways.iter().enumerate() {
                let is_due = match way {
                    _ if all && spot.writes() => true,
                    _ if !is_full => nth == turn % ways.len() && (all || spot.command != "BEGIN"),
                    // In the middle of a transaction there is nothing that may be left of it.
                    Way::Kill(moment) if !spot.commits() => *moment == MOMENTS[turn % 3],
                    Way::Fault(Fault::UnavailableAfter) => spot.commits(),
                    Way::Expire(Fault::CloseBefore) => turn.is_multiple_of(2),
                    Way::Expire(_) => !turn.is_multiple_of(2),
                    Way::Kill(_) | Way::Fault(_) | Way::Cancel => true,
                };
                if is_due {
                    points.push(Point { case, spot, way: way.clone() });
                }
            }
        }
    }
    points
}

fn work(points: &[Point<'_>], next: &AtomicUsize, tally: &Tally) {
    /// The journal of a cluster only grows.
    const POINTS_PER_CLUSTER: usize = 60;

    runtime().block_on(async {
        let mut cluster = start().await;
        // What has brought one point to its end begins the next one: a login is a dear thing.
        let mut left: Option<Session> = None;
        for used in 1.. {
            let nth = next.fetch_add(1, Ordering::SeqCst);
            let Some(point) = points.get(nth) else { break };
            if nth % 250 == 249 {
                eprintln!("{nth} of {} points", points.len());
            }
            if used % POINTS_PER_CLUSTER == 0 {
                left = None;
                std::mem::replace(&mut cluster, start().await).stop().await;
            }
            let first = match left.take() {
                Some(session) => session,
                None => session(&cluster).await,
            };
            let Point { case, spot, way } = point;
            match Box::pin(case.break_at(&cluster, first, spot, way)).await {
                Ok((broken, next)) => {
                    left = Some(next);
                    let is_reached = usize::from(broken.reached);
                    tally.reached.fetch_add(is_reached, Ordering::SeqCst);
                    let is_whole = usize::from(matches!(broken.result, Some(Ok(()))));
                    tally.went_on.fetch_add(is_reached * is_whole, Ordering::SeqCst);
                    if !broken.reached {
                        eprintln!("not reached: {point}");
                    }
                }
                Err(error) => {
                    let line = format!("{point}, {:.200}\n{error}", spot.sql);
                    eprintln!("{line}");
                    if let Ok(mut failures) = tally.failures.lock() {
                        failures.push(line);
                    }
                }
            }
        }
        drop(left);
        cluster.stop().await;
    });
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
