//! Runs of different sets at the same time. Each run is held at each of its writes while the others
//! finish, also two of them at once. Meanwhile no set has drift, and afterward the ledger has the
//! schema as it is.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dsql_local::{Cluster, Fault};
use terraform_provider_dsql::database::{
    LEASE_LENGTH, Lease, Observation, ObserveQuery, Session, Snapshot, Watched,
};
use terraform_provider_dsql::engine::drift::settle;
use terraform_provider_dsql::engine::{
    Budget, Cluster as _, Policy, SetOnCluster, WaitForJobs, apply, observe, plan,
};
use tokio_util::sync::CancellationToken;

use crate::cases::Case;
use crate::common::{PATIENCE, ledger, migrations, session};
use crate::matrix::{Spot, counted, runtime, start};
use crate::ways::{held, holds};
use crate::workers::{check_points, processors};

/// A migration set of a team.
pub(crate) struct Team {
    pub(crate) set: &'static str,
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// The set whose tables the others change.
const BASE: Team = Team {
    set: "base",
    files: &[(
        "1_tables.sql",
        "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY)",
    )],
};

const TEAMS: [Team; 3] = [
    Team {
        set: "validating",
        files: &[
            (
                "1_constraint.sql",
                "ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
                 ALTER TABLE ASYNC t VALIDATE CONSTRAINT positive",
            ),
            ("2_table.sql", "CREATE TABLE v (id int PRIMARY KEY); INSERT INTO v VALUES (1)"),
        ],
    },
    Team {
        set: "indexing",
        files: &[
            (
                "1_indexes.sql",
                "CREATE TABLE i (id int PRIMARY KEY, n int); CREATE INDEX ASYNC i_n ON i (n);
                 CREATE INDEX ASYNC t_n ON t (n)",
            ),
            ("2_comment.sql", "COMMENT ON TABLE u IS 'of all'"),
        ],
    },
    Team {
        set: "altering",
        files: &[
            ("1_column.sql", "ALTER TABLE t ADD COLUMN x int; CREATE VIEW w AS SELECT n FROM t"),
            ("2_column.sql", "ALTER TABLE u ADD COLUMN y int; DROP VIEW w"),
        ],
    },
];

impl Team {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<(), String> {
        let (ledger, files) = (ledger(), migrations(self.files));
        let lease = Lease::new("a team", LEASE_LENGTH);
        let (set, watched) = (self.set, &Watched::All);
        let mut cluster = SetOnCluster {
            session,
            ledger: &ledger,
            set,
            watched,
            with_facts: &[],
            replaces: None,
            lease,
        };
        let observed = cluster.observe().await.expect("an observation");
        let plan = plan(&files, &observed.migrations, &Policy::default()).expect("a plan");
        let budget = Budget::new(PATIENCE, CancellationToken::new());
        let (_, result) =
            Box::pin(apply(&mut cluster, &plan, &observed, &[], WaitForJobs::All, &budget)).await;
        result.map_err(|error| format!("the run of {set} has failed: {error:?}"))
    }
}

/// The sessions of a worker: one for each team, and one that looks.
struct Sessions {
    teams: [Session; 3],
    other: Session,
}

impl Sessions {
    async fn open(cluster: &Cluster) -> Self {
        let teams = [session(cluster).await, session(cluster).await, session(cluster).await];
        Self { teams, other: session(cluster).await }
    }

    /// Leaves only the tables of the base.
    async fn reset(&mut self) {
        Case::default().reset(&mut self.other).await;
        BASE.run(&mut self.other).await.expect("the base runs");
    }
}

/// A write at which the run of a team is held.
#[derive(Clone, Copy)]
struct HeldAt<'a> {
    team: usize,
    spot: &'a Spot,
    /// Whether the write takes effect before it is held.
    is_after: bool,
}

/// One or two runs that are held at once.
struct Point<'a> {
    first: HeldAt<'a>,
    second: Option<HeldAt<'a>>,
}

/// The writes of the run of each team, and the schema after all of them.
struct Expected {
    spots: [Vec<Spot>; 3],
    schema: Snapshot,
}

async fn expected() -> Expected {
    let cluster = start().await;
    let mut sessions = Sessions::open(&cluster).await;
    sessions.reset().await;
    let mut spots = Vec::new();
    for (team, session) in TEAMS.iter().zip(&mut sessions.teams) {
        let since = cluster.received();
        team.run(session).await.expect("runs alone");
        let sent = counted(&cluster.statements_since(since));
        spots.push(sent.into_iter().filter(Spot::writes).collect());
    }
    let schema = checked(&mut sessions.other).await.expect("runs one after the other");
    drop(sessions);
    cluster.stop().await;
    let spots = spots.try_into().expect("three teams");
    Expected { spots, schema }
}

/// Checks that no set has drift, and returns the recorded schema.
async fn checked(session: &mut Session) -> Result<Snapshot, String> {
    no_drift(session).await?;
    let observation = observed(session, BASE.set).await;
    if observation.recorded != observation.live {
        return Err("the recorded schema is not the live one".to_owned());
    }
    match observation.runs.first() {
        Some(run) => Err(format!("the run of {} has not recorded", run.set)),
        None => Ok(observation.recorded),
    }
}

async fn observed(session: &mut Session, set: &str) -> Observation {
    let ledger = ledger();
    observe(session, ObserveQuery::new(&ledger, set, &Watched::All)).await.expect("an observation")
}

async fn no_drift(session: &mut Session) -> Result<(), String> {
    for set in TEAMS.iter().chain([&BASE]).map(|team| team.set) {
        let drift = drift_of(session, set).await;
        if !drift.is_empty() {
            return Err(format!("{set} has drift: {drift:?}"));
        }
    }
    Ok(())
}

/// The drift that a plan of a set reports.
pub(crate) async fn drift_of(session: &mut Session, set: &str) -> Vec<String> {
    let observation = observed(session, set).await;
    let drift = settle(&observation).changes(&["public".to_owned()]).drift;
    drift.iter().map(ToString::to_string).collect()
}

impl fmt::Display for HeldAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { command, nth, .. } = self.spot;
        let moment = if self.is_after { "after" } else { "before" };
        write!(f, "{} held {moment} {command} {nth}", TEAMS[self.team].set)
    }
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.second {
            Some(second) => write!(f, "{} and {second}", self.first),
            None => self.first.fmt(f),
        }
    }
}

impl HeldAt<'_> {
    fn hold(&self, cluster: &Cluster) {
        let fault = if self.is_after { Fault::HoldAnswer } else { Fault::HoldBefore };
        cluster.inject(self.spot.matcher(), fault);
    }
}

impl Point<'_> {
    /// Holds the runs, lets the others finish, releases them, and checks the result. Returns
    /// whether the others have finished meanwhile.
    async fn run(
        &self,
        cluster: &Cluster,
        sessions: &mut Sessions,
        expected: &Snapshot,
    ) -> Result<bool, String> {
        sessions.reset().await;
        let (ended, in_meantime) = Box::pin(self.run_all(cluster, sessions)).await;
        if let Some(error) = ended.into_iter().find_map(Result::err) {
            return Err(error);
        }
        let schema = checked(&mut sessions.other).await?;
        if schema != *expected {
            return Err("the schema is not that of the runs one after the other".to_owned());
        }
        Ok(in_meantime)
    }

    /// Runs all teams. Returns how they have ended, and whether the ones that are not held have
    /// finished while the others were.
    async fn run_all(
        &self,
        cluster: &Cluster,
        sessions: &mut Sessions,
    ) -> (Vec<Result<(), String>>, bool) {
        /// What the others may take. They would wait forever for a lock of a held transaction,
        /// which the emulator has and DSQL does not.
        const WHILE_HELD: Duration = Duration::from_secs(3);

        let Sessions { teams, other } = sessions;
        let mut free: Vec<(usize, &mut Session)> = teams.iter_mut().enumerate().collect();
        let mut take = |team: usize| {
            let at = free.iter().position(|(index, _)| *index == team).expect("a session");
            free.remove(at).1
        };
        let mut held_runs = Vec::new();
        let mut ended = Vec::new();
        for at in [Some(self.first), self.second].into_iter().flatten() {
            let session = take(at.team);
            let mut run = Box::pin(async move { TEAMS[at.team].run(session).await });
            let before = holds(cluster);
            at.hold(cluster);
            tokio::select! {
                result = &mut run => ended.push(result),
                () = held(cluster, before) => held_runs.push(run),
            }
            cluster.clear_faults();
        }
        let is_held = !held_runs.is_empty();
        let mut others = pin!(async {
            let mut ended = Vec::new();
            for (team, session) in free {
                ended.push(TEAMS[team].run(session).await);
            }
            ended.push(no_drift(other).await);
            ended
        });
        let in_time = tokio::time::timeout(WHILE_HELD, &mut others).await;
        let in_meantime = is_held && in_time.is_ok();
        cluster.release_held();
        let rest = async {
            match in_time {
                Ok(others) => others,
                Err(_) => others.await,
            }
        };
        let (second, first) = (held_runs.pop(), held_runs.pop());
        let (first, second, of_others) = tokio::join!(end(first), end(second), rest);
        ended.extend([first, second]);
        ended.extend(of_others);
        (ended, in_meantime)
    }
}

async fn end(run: Option<impl Future<Output = Result<(), String>>>) -> Result<(), String> {
    match run {
        Some(run) => run.await,
        None => Ok(()),
    }
}

/// Holds each write before or after it takes effect, in turns, and every third one together with a
/// write of the next team. With `all`, holds each write in both ways, and each pair of writes.
fn points(spots: &[Vec<Spot>; 3], all: bool) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    for (team, of_team) in spots.iter().enumerate() {
        let next = (team + 1) % 3;
        for (nth, spot) in of_team.iter().enumerate() {
            for is_after in [false, true] {
                if !all && is_after != nth.is_multiple_of(2) {
                    continue;
                }
                let first = HeldAt { team, spot, is_after };
                points.push(Point { first, second: None });
                for (other, spot) in spots[next].iter().enumerate() {
                    if all || nth.is_multiple_of(3) && other == nth % spots[next].len() {
                        let is_after = (nth + other).is_multiple_of(2);
                        let second = Some(HeldAt { team: next, spot, is_after });
                        points.push(Point { first, second });
                    }
                }
            }
        }
    }
    points
}

/// Runs the teams at the same time, held at their writes.
pub(crate) fn hold_each_run(all: bool) {
    let Expected { spots, schema } = runtime().block_on(expected());
    let points = points(&spots, all);
    let (count, finished) = (points.len(), AtomicUsize::new(0));
    let check = async |cluster: &Cluster, open: &mut Option<Sessions>, point: &Point<'_>| {
        let mut sessions = match open.take() {
            Some(sessions) => sessions,
            None => Sessions::open(cluster).await,
        };
        let result = Box::pin(point.run(cluster, &mut sessions, &schema)).await;
        *open = Some(sessions);
        finished.fetch_add(usize::from(result?), Ordering::SeqCst);
        Ok(())
    };
    let are_all = check_points(points, processors(), check);
    let finished = finished.into_inner();
    eprintln!("the others finished at {finished} points");
    // Elsewhere they waited for a lock, or the machine was slow.
    assert!(!are_all || finished * 2 >= count, "the others finished at {finished} points");
}
