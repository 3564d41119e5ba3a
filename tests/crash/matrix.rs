//! Interrupts runs at every statement in every way, and checks the result at each point.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dsql_local::{Cluster, Fault, LoggedStatement, Matcher, Options};
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease, Session};

use crate::cases::{Case, Set, has_drift, state};
use crate::common::session;
use crate::directories::cases;
use crate::ways::{Interrupted, MOMENTS, Way, ways};
use crate::workers::{check_points, processors};

/// A statement of a run: the nth with its command. Except for the lookups of jobs, this number is
/// the same in every run.
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

    /// Whether it commits.
    pub(crate) fn commits(&self) -> bool {
        matches!(self.command.as_str(), "COMMIT" | "ANALYZE")
    }

    /// Whether an interruption at it can have a result of its own. A statement that reads, or only
    /// begins a transaction, has the same result as the statement before it.
    pub(crate) fn writes(&self) -> bool {
        !matches!(self.command.as_str(), "BEGIN" | "SELECT" | "WITH" | "SET" | "ROLLBACK")
    }
}

/// A run of a case without faults: its statements and its result.
pub(crate) struct Undisturbed {
    pub(crate) case: Case,
    pub(crate) set: Set,
    pub(crate) spots: Vec<Spot>,
    pub(crate) end: Vec<String>,
    /// How many times each of its statements takes effect.
    effects: BTreeMap<String, usize>,
}

pub(crate) async fn start() -> Cluster {
    let mut options = Options::default();
    options.job_delay = Duration::from_millis(1);
    Cluster::start(options).await.expect("a cluster starts")
}

/// Runs a case without faults. Repeats the run if a conflict occurred, which happens on a busy
/// machine, because such a run sends more statements than others.
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
        assert!(tries < 10, "{}: every run had a conflict", case.name);
    };
    let spots = counted(&sent);
    let end = state(&mut session).await;
    // If a later run has recorded the same schema, there is no drift either.
    assert!(!has_drift(&mut session).await, "{}: drift", case.name);
    let effects = set.effects(cluster, since);
    for (sql, wanted) in set.wanted() {
        assert_eq!(effects.get(sql), Some(&wanted), "{}: {sql:?}", case.name);
    }
    let effects = effects.into_iter().map(|(sql, count)| (sql.to_owned(), count)).collect();
    Undisturbed { case, set, spots, end, effects }
}

/// The statements of a run, in order.
pub(crate) fn counted(sent: &[LoggedStatement]) -> Vec<Spot> {
    let mut counts = HashMap::<String, usize>::new();
    let spot = |logged: &LoggedStatement| {
        let command = logged.command();
        let nth = counts.entry(command.clone()).and_modify(|nth| *nth += 1).or_insert(1);
        Spot { nth: *nth, command, sql: logged.sql.clone() }
    };
    sent.iter().map(spot).collect()
}

impl Undisturbed {
    /// Checks the result after an interrupted run and another one. `may_repeat` selects statements
    /// that may have taken effect more than once.
    ///
    /// # Errors
    /// The differences from the undisturbed run.
    pub(crate) async fn check(
        &self,
        cluster: &Cluster,
        session: &mut Session,
        since: usize,
        may_repeat: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        // Statements of a dead process that are still in flight end first.
        sessions_left(cluster, 1).await;
        let end = state(session).await;
        if end != self.end {
            let missing = self.end.iter().filter(|line| !end.contains(line));
            let more = end.iter().filter(|line| !self.end.contains(line));
            let lines = missing.map(|line| format!("- {line}\n"));
            let lines = lines.chain(more.map(|line| format!("+ {line}\n")));
            return Err(format!("the result differs:\n{}", lines.collect::<String>()));
        }
        for (sql, count) in self.set.effects(cluster, since) {
            let wanted = self.effects[sql];
            if count < wanted || (count > wanted && !self.set.may_repeat(sql) && !may_repeat(sql)) {
                return Err(format!("{sql:?} has taken effect {count} times, not {wanted}"));
            }
        }
        Ok(())
    }

    /// Runs the case again, without faults.
    ///
    /// # Errors
    /// The error of the run.
    pub(crate) async fn run_again(&self, session: &mut Session) -> Result<(), String> {
        let result = self.set.run(session, Lease::new("next", LEASE_LENGTH)).await;
        result.map_err(|error| format!("the next run has failed: {error:?}"))
    }

    /// Interrupts a run, completes it with another one, and checks the result. Returns the session
    /// of the second run.
    async fn interrupt_at(
        &self,
        cluster: &Cluster,
        mut first: Session,
        spot: &Spot,
        way: &Way,
    ) -> Result<(Interrupted, Session), String> {
        sessions_left(cluster, 1).await;
        self.case.reset(&mut first).await;
        let since = cluster.received();
        let interrupted = way.interrupt(cluster, first, &self.set, spot.matcher()).await;

        let mut next = session(cluster).await;
        let checked = match self.run_again(&mut next).await {
            Ok(()) => self.check(cluster, &mut next, since, |_| false).await,
            Err(error) => Err(error),
        };
        checked.map_err(|error| format!("{error}\nafter {:?}", interrupted.result))?;
        match &interrupted.result {
            Some(result) if spot.writes() && !way.admits(result) => {
                Err(format!("the interrupted run ended with {result:?}"))
            }
            _ => Ok((interrupted, next)),
        }
    }
}

/// Waits until this number of sessions is open.
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

/// Interrupts the cases at their statements: in every way that can make a difference, or at every
/// statement in every way if `all` is set. Prints the number of points.
pub(crate) fn run_matrix(all: bool) {
    let cases: Vec<Undisturbed> = runtime().block_on(async {
        let cluster = start().await;
        let mut all = Vec::new();
        for case in cases() {
            all.push(undisturbed(&cluster, case).await);
        }
        cluster.stop().await;
        all
    });
    let points = points(&cases, all);
    let (count, reached, completed) = (points.len(), AtomicUsize::new(0), AtomicUsize::new(0));
    // The last session of a point is the first of the next one, because a login is expensive.
    let check = async |cluster: &Cluster, left: &mut Option<Session>, point: &Point<'_>| {
        let first = match left.take() {
            Some(session) => session,
            None => session(cluster).await,
        };
        let Point { case, spot, way } = point;
        let checked = Box::pin(case.interrupt_at(cluster, first, spot, way)).await;
        let (interrupted, next) = checked.map_err(|it| format!("{:.200}\n{it}", spot.sql))?;
        *left = Some(next);
        let is_reached = usize::from(interrupted.reached);
        reached.fetch_add(is_reached, Ordering::SeqCst);
        let is_whole = usize::from(matches!(interrupted.result, Some(Ok(()))));
        completed.fetch_add(is_reached * is_whole, Ordering::SeqCst);
        if !interrupted.reached {
            eprintln!("not reached: {point}");
        }
        Ok(())
    };
    // More workers than processors, because they sometimes wait.
    let are_all = check_points(points, processors() + 2, check);
    let (reached, completed) = (reached.into_inner(), completed.into_inner());
    eprintln!(
        "{} statements of {} cases, {reached} points reached, {completed} interrupted runs were \
         completed without another one",
        cases.iter().map(|case| case.spots.len()).sum::<usize>(),
        cases.len(),
    );
    // The number of lookups of jobs differs from run to run.
    assert!(!are_all || reached * 50 >= count * 49, "{reached} of {count} points");
}

/// The points of all cases. Statements that commit and those of the files are interrupted in every
/// way that makes a difference there, and all others in one way, in turns. With `all`, every
/// statement that writes is interrupted in every way. The other statements are those of the ledger
/// inside a transaction, which are rolled back in every case, and those that begin a transaction,
/// which have the result of the previous commit.
fn points(cases: &[Undisturbed], all: bool) -> Vec<Point<'_>> {
    let ways = ways();
    let mut points = Vec::new();
    for case in cases {
        for spot in &case.spots {
            let is_full = spot.commits() || case.effects.contains_key(&spot.sql);
            // Commands alternate, so each turn starts with the next way.
            let turn = spot.nth + spot.nth / ways.len();
            for (nth, way) in ways.iter().enumerate() {
                let is_due = match way {
                    _ if all && spot.writes() => true,
                    _ if !is_full => nth == turn % ways.len() && (all || spot.command != "BEGIN"),
                    // In the middle of a transaction, the moment makes no difference.
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

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
