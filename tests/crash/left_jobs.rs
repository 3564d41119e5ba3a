//! Runs that do not wait for their jobs. They are interrupted at their writes while the jobs are
//! running, or after the jobs have ended. Meanwhile the set runs another migration, and so does
//! another set. In the end, the database and the ledger are those of runs that have waited.

use std::fmt;

use dsql_local::Cluster;
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease, Session};
use terraform_provider_dsql::engine::{Policy, WaitForJobs, plan};

use crate::cases::{Case, Set, state};
use crate::common::{jobs_ended, lines, observe, rows, session};
use crate::matrix::{Spot, counted, runtime, sessions_left, start};
use crate::parallel::{Team, drift_of};
use crate::ways::{Way, ways};
use crate::workers::{check_points, processors};

const FILES: [(&str, &str); 5] = [
    (
        "0001_users.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age int);
         INSERT INTO users VALUES (1, 'a@example.com', 30), (2, 'b@example.com', 40);
         ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;",
    ),
    (
        "0002_jobs.sql",
        "CREATE UNIQUE INDEX ASYNC users_email ON users (email);
         CREATE INDEX ASYNC ON users (age);
         ALTER TABLE ASYNC users VALIDATE CONSTRAINT adult;
         INSERT INTO users VALUES (3, 'c@example.com', 50);",
    ),
    (
        "0003_orders.sql",
        "CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1);",
    ),
    ("0004_row.sql", "INSERT INTO orders VALUES (2);"),
    ("0005_row.sql", "INSERT INTO orders VALUES (3);"),
];

/// The statement whose job fails, and whose index is dropped.
const BUILD: &str = "CREATE UNIQUE INDEX ASYNC users_email ON users (email)";

const OTHER: Team =
    Team { set: "other", files: &[("1_other.sql", "CREATE TABLE other (id int PRIMARY KEY)")] };

/// What happens to the unique index after the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeds,
    /// Also, `sys.jobs` does not list the jobs any more.
    SucceedsUnlisted,
    Fails,
    FailsUnlisted,
    /// Someone drops it while it is being built, and creates it again.
    Dropped,
}

const FATES: [Fate; 5] =
    [Fate::Succeeds, Fate::SucceedsUnlisted, Fate::Fails, Fate::FailsUnlisted, Fate::Dropped];

impl Fate {
    fn fails(self) -> bool {
        matches!(self, Self::Fails | Self::FailsUnlisted)
    }

    /// Ends the jobs.
    async fn happen(self, cluster: &Cluster, session: &mut Session) -> Result<(), String> {
        if self.fails() {
            cluster.fail_job("public.users_email", "no space").await.expect("a cluster that runs");
        }
        if self == Self::Dropped {
            rows(session, "DROP INDEX users_email").await;
            let drift = drift_of(session, "default").await;
            let [only] = &drift[..] else { return Err(format!("the drift is {drift:?}")) };
            if !only.contains("users_email") {
                return Err(format!("the drift is {only}"));
            }
            rows(session, BUILD).await;
        }
        cluster.release_jobs().await.expect("a cluster that runs");
        jobs_ended(cluster).await;
        if matches!(self, Self::SucceedsUnlisted | Self::FailsUnlisted) {
            cluster.purge_jobs().await.expect("a cluster that runs");
        }
        if !self.fails() {
            return check_quiet(session, 3).await;
        }
        let pending = pending(session, 3).await;
        if pending != ["0002"] {
            return Err(format!("after the failure, the pending migrations are {pending:?}"));
        }
        let (own, of_other) =
            (drift_of(session, "default").await, drift_of(session, OTHER.set).await);
        if !own.is_empty() || of_other.len() != 1 {
            return Err(format!("after the failure, the drift is {own:?} and {of_other:?}"));
        }
        Ok(())
    }
}

/// The run that is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InterruptedRun {
    /// The one that starts the jobs.
    Starting,
    /// The first one after the jobs have ended.
    Settling,
}

#[derive(Debug, Clone)]
struct Point<'a> {
    run: InterruptedRun,
    spot: &'a Spot,
    way: Way,
    fate: Fate,
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, spot: Spot { command, nth, .. }, way, fate } = self;
        write!(f, "{run:?} {fate:?}: {way:?} at {command} {nth}")
    }
}

/// The statements of the runs that are interrupted.
#[derive(Debug, Default)]
struct Sent {
    starting: Vec<Spot>,
    settling: Vec<Spot>,
}

/// The first files as a set whose runs do not wait.
fn set(files: usize) -> Set {
    Set { wait: WaitForJobs::Needed, ..Case::new("left jobs", &FILES[..files]).set() }
}

async fn run(session: &mut Session, set: &Set) -> Result<(), String> {
    let result = set.run(session, Lease::new("next", LEASE_LENGTH)).await;
    result.map_err(|error| format!("a run has failed: {error:?}"))
}

async fn pending(session: &mut Session, files: usize) -> Vec<String> {
    let (observed, set) = (observe(session).await, set(files));
    let plan = plan(&set.migrations, &observed.migrations, &Policy::default()).expect("a plan");
    plan.pending().map(|entry| entry.migration.version.0.clone()).collect()
}

/// Checks that nothing is pending, and that no set has drift.
async fn check_quiet(session: &mut Session, files: usize) -> Result<(), String> {
    let pending = pending(session, files).await;
    if !pending.is_empty() {
        return Err(format!("{pending:?} are pending"));
    }
    for set in ["default", OTHER.set] {
        let drift = drift_of(session, set).await;
        if !drift.is_empty() {
            return Err(format!("{set} has drift: {drift:?}"));
        }
    }
    Ok(())
}

/// Runs everything with these fates. Interrupts a run at the point, if there is one.
async fn run_all(
    cluster: &Cluster,
    fate: Fate,
    point: Option<&Point<'_>>,
) -> Result<(Sent, Vec<String>), String> {
    sessions_left(cluster, 0).await;
    cluster.release_jobs().await.expect("a cluster that runs");
    let mut first = session(cluster).await;
    Case::default().reset(&mut first).await;
    let since = cluster.received();
    cluster.hold_jobs().await.expect("a cluster that runs");
    let (mut session, starting) =
        interrupt(cluster, first, 2, point.filter(|it| it.run == InterruptedRun::Starting)).await?;
    check_quiet(&mut session, 2).await?;
    OTHER.run(&mut session).await?;
    run(&mut session, &set(3)).await?;
    check_quiet(&mut session, 3).await?;
    let building = "SELECT version FROM dsql_migrations.migration WHERE state = 'building'";
    let building = lines(&mut session, building).await;
    if building != ["0002"] {
        return Err(format!("while the jobs are running, the ledger has {building:?} as building"));
    }

    fate.happen(cluster, &mut session).await?;
    let (mut session, settling) =
        interrupt(cluster, session, 4, point.filter(|it| it.run == InterruptedRun::Settling))
            .await?;
    jobs_ended(cluster).await;
    run(&mut session, &set(5)).await?;
    check_quiet(&mut session, 5).await?;
    check_effects(cluster, since, fate)?;
    let end = state(&mut session).await;
    Ok((Sent { starting, settling }, end))
}

/// Runs the first files, interrupted at the point, and once more. Returns the session of the second
/// run and the writes of the first.
async fn interrupt(
    cluster: &Cluster,
    mut session: Session,
    files: usize,
    point: Option<&Point<'_>>,
) -> Result<(Session, Vec<Spot>), String> {
    let (set, since) = (set(files), cluster.received());
    if let Some(Point { way, spot, .. }) = point {
        let interrupted = way.interrupt(cluster, session, &set, spot.matcher()).await;
        session = crate::common::session(cluster).await;
        run(&mut session, &set).await.map_err(|it| format!("{it}\nafter {interrupted:?}"))?;
        return Ok((session, Vec::new()));
    }
    run(&mut session, &set).await?;
    let mut spots = counted(&cluster.statements_since(since));
    spots.retain(Spot::writes);
    Ok((session, spots))
}

/// Checks that each statement has taken effect once, and a build again after its failure.
fn check_effects(cluster: &Cluster, since: usize, fate: Fate) -> Result<(), String> {
    let set = set(FILES.len());
    for (sql, count) in set.effects(cluster, since) {
        let again = sql == BUILD && (fate.fails() || fate == Fate::Dropped);
        let wanted = 1 + usize::from(again);
        if count != wanted && !(count > wanted && set.may_repeat(sql)) {
            return Err(format!("{sql:?} has taken effect {count} times, not {wanted}"));
        }
    }
    Ok(())
}

/// The state after runs that wait for their jobs.
async fn expected(cluster: &Cluster) -> Vec<String> {
    let mut session = session(cluster).await;
    Case::default().reset(&mut session).await;
    let waiting = |files| Case::new("left jobs", &FILES[..files]).set();
    run(&mut session, &waiting(2)).await.expect("a run");
    OTHER.run(&mut session).await.expect("a run of the other set");
    run(&mut session, &waiting(FILES.len())).await.expect("a run");
    state(&mut session).await
}

/// Interrupts each run at each write, in one way and with one fate in turns, or with `all` in every
/// way. After a failure, a run also drops and repeats, so its writes are never left out.
fn points(sent: &[(Fate, Sent)], all: bool) -> Vec<Point<'_>> {
    let ways = ways();
    let mut points = Vec::new();
    for (at, (fate, Sent { starting, settling })) in sent.iter().enumerate() {
        let runs = [(InterruptedRun::Starting, starting), (InterruptedRun::Settling, settling)];
        for (run, nth, spot) in runs.into_iter().flat_map(|(run, spots)| {
            spots.iter().enumerate().map(move |(nth, spot)| (run, nth, spot))
        }) {
            for (way_at, way) in ways.iter().enumerate() {
                let is_due = match run {
                    InterruptedRun::Starting if all => (nth + way_at) % FATES.len() == at,
                    InterruptedRun::Starting => {
                        nth % FATES.len() == at && nth % ways.len() == way_at
                    }
                    InterruptedRun::Settling if all => true,
                    InterruptedRun::Settling => {
                        let is_due = *fate == Fate::Fails || nth == at;
                        is_due && (nth + at) % ways.len() == way_at
                    }
                };
                if is_due {
                    points.push(Point { run, spot, way: way.clone(), fate: *fate });
                }
            }
        }
    }
    points
}

/// Interrupts runs that leave their jobs, and checks each result. Prints the number of points.
pub(crate) fn interrupt_each_run(all: bool) {
    let (sent, expected) = runtime().block_on(async {
        let cluster = start().await;
        let expected = expected(&cluster).await;
        let mut sent = Vec::new();
        for fate in FATES {
            let (of_fate, end) = run_all(&cluster, fate, None).await.expect("undisturbed runs");
            assert_eq!(end, expected, "{fate:?}");
            sent.push((fate, of_fate));
        }
        cluster.stop().await;
        (sent, expected)
    });
    let check = async |cluster: &Cluster, (): &mut (), point: &Point<'_>| {
        let error = match Box::pin(run_all(cluster, point.fate, Some(point))).await {
            Ok((_, end)) if end == expected => return Ok(()),
            Ok((_, end)) => format!("the state is\n{}", end.join("\n")),
            Err(error) => error,
        };
        Err(format!("{:.200}\n{error}", point.spot.sql))
    };
    check_points(points(&sent, all), processors(), check);
}
