//! Compares the provider with sqlx and psql: the same migrations, on the same emulator, with and
//! without a network delay. `README.md` describes what is measured and how.

mod contenders;
mod measure;
mod migrations;
mod proxy;
mod table;
#[path = "../../tests/crash/terraform.rs"]
mod terraform;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use self::contenders::{Contender, ContenderRun, Programs};
use self::measure::MEASURE;
use self::migrations::Migrations;
use self::terraform::Failure;

const USAGE: &str = "usage: benchmarks [--quick] [--provider <binary>]

--quick              up to 100 migrations, two rounds
--provider <binary>  instead of a release build of this repository";

/// As close to a thousand as it gets: DSQL takes 1,000 tables, and the ledgers have some of them.
const MOST: usize = 990;

/// How much is measured.
struct Extent {
    /// In each direction.
    delay: Duration,
    /// Number of migrations, and of rounds with it.
    rounds: &'static [(usize, usize)],
}

const WHOLE: &[Extent] = &[
    Extent { delay: Duration::ZERO, rounds: &[(1, 7), (10, 7), (100, 5), (MOST, 3)] },
    Extent { delay: Duration::from_millis(5), rounds: &[(1, 5), (10, 5), (100, 3), (MOST, 1)] },
];

const QUICK: &[Extent] = &[
    Extent { delay: Duration::ZERO, rounds: &[(1, 2), (10, 2), (100, 2)] },
    Extent { delay: Duration::from_millis(5), rounds: &[(1, 2), (10, 2), (100, 2)] },
];

/// The runs of all contenders with one number of migrations and one delay.
pub(crate) struct Measured {
    pub(crate) delay: Duration,
    pub(crate) count: usize,
    /// Each round in the order of [`Contender::ALL`].
    pub(crate) rounds: Vec<[ContenderRun; 3]>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, rest)) if first == MEASURE => measure::measure(rest).map_err(Failure::from),
        _ => benchmark(&arguments).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn benchmark(arguments: &[String]) -> Result<(), Failure> {
    let mut extents = WHOLE;
    let mut provider = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => extents = QUICK,
            "--provider" => provider = Some(PathBuf::from(arguments.next().ok_or(USAGE)?)),
            _ => return Err(USAGE.into()),
        }
    }
    let programs = programs(provider)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = runtime.block_on(Box::pin(rounds(extents, &programs)))?;
    print!("{}", table::table(&measured));
    Ok(())
}

/// The contenders take turns, so that what else the machine does hits all of them.
async fn rounds(extents: &[Extent], programs: &Programs) -> Result<Vec<Measured>, Failure> {
    let directory = tempfile::tempdir()?;
    let mut all = Vec::new();
    for Extent { delay, rounds } in extents {
        for &(count, rounds) in *rounds {
            let migrations = Migrations::write(count, directory.path())?;
            let mut measured = Measured { delay: *delay, count, rounds: Vec::new() };
            for round in 1..=rounds {
                let mut runs = Vec::new();
                for contender in Contender::ALL {
                    let run = contenders::run(contender, programs, &migrations, *delay).await;
                    let run = run.map_err(|error| format!("{}: {error}", contender.name()))?;
                    let name = contender.name();
                    eprintln!("{delay:?} {count} {round}/{rounds} {name}: {:?}", run.wall);
                    runs.push(run);
                }
                measured.rounds.extend(<[ContenderRun; 3]>::try_from(runs));
            }
            all.push(measured);
        }
    }
    Ok(all)
}

/// Builds what cargo can build, and finds psql.
fn programs(provider: Option<PathBuf>) -> Result<Programs, Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let provider = match provider {
        Some(provider) => provider,
        None => build(&here.join(".."), "terraform-provider-dsql")?,
    };
    Ok(Programs { provider, sqlx: build(here, "sqlx")?, psql: psql() })
}

/// The variables that `cargo run` has set for this program. Build scripts such as ring's read them,
/// so they would cause everything to be built again.
const OF_THIS_PROGRAM: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

fn build(directory: &Path, binary: &str) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--release", "--bin", binary]).current_dir(directory);
    for name in OF_THIS_PROGRAM {
        cargo.env_remove(name);
    }
    if !cargo.status()?.success() {
        return Err(format!("{binary} could not be built").into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(target.unwrap_or_else(|| directory.join("target")).join("release").join(binary))
}

/// The newest psql; Debian's `psql` on the `PATH` is a script in Perl around it.
fn psql() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.map(|version| version.path().join("bin/psql"));
    versions.filter(|path| path.is_file()).max().unwrap_or_else(|| "psql".into())
}
