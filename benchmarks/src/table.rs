//! Prints the figures as Markdown, and compares them with the targets.

use std::fmt::Write as _;

use crate::contenders::{Contender, ContenderRun};
use crate::{MOST, Measured};

/// Returns the table, and a line for each target that was measured.
pub(crate) fn table(all: &[Measured]) -> String {
    let mut text = String::from(
        "| delay each way | migrations | | wall | provider ÷ it | round trips after login \
         | per migration | round trips to log in | statements | sent | CPU | peak memory |\n\
         |--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for measured in all {
        for contender in Contender::ALL {
            text += &line(measured, contender);
        }
    }
    text + "\n" + &targets(all)
}

fn line(measured: &Measured, contender: Contender) -> String {
    let median = |of: &dyn Fn(&ContenderRun) -> f64| measured.median(contender, of);
    let wall = median(&|run| run.wall.as_secs_f64() * 1e3);
    let builds = median(&|run| run.builds.as_secs_f64() * 1e3);
    let wall = match contender {
        Contender::Provider => format!("{wall:.0} ms ({builds:.0} after the last statement)"),
        Contender::Sqlx | Contender::Psql => format!("{wall:.0} ms"),
    };
    let ratio = match contender {
        Contender::Provider => String::new(),
        Contender::Sqlx | Contender::Psql => format!("{:.2}", measured.ratio(contender)),
    };
    let traffic = |of: &dyn Fn(&crate::proxy::Traffic) -> u64| {
        let seen = measured.runs(contender).all(|run| run.traffic.is_some());
        #[expect(clippy::cast_precision_loss, reason = "counts, far below 2^53")]
        let of =
            |run: &ContenderRun| run.traffic.as_ref().map_or(0.0, |traffic| of(traffic) as f64);
        seen.then(|| measured.median(contender, &of))
    };
    let number = |value: Option<f64>, digits: usize| {
        value.map_or(String::new(), |value| format!("{value:.digits$}"))
    };
    let round_trips = traffic(&|traffic| traffic.round_trips);
    let count = f64::from(u32::try_from(measured.count).unwrap_or(u32::MAX));
    let mut text = String::new();
    writeln!(
        text,
        "| {} | {} | {} | {wall} | {ratio} | {} | {} | {} | {:.0} | {} | {:.0} ms | {:.1} MiB |",
        match measured.delay.as_millis() {
            0 => "none".to_owned(),
            delay => format!("{delay} ms"),
        },
        measured.count,
        contender.name(),
        number(round_trips, 0),
        number(round_trips.map(|round_trips| round_trips / count), 2),
        number(traffic(&|traffic| traffic.login_round_trips), 0),
        median(&|run| f64::from(u32::try_from(run.statements).unwrap_or(u32::MAX))),
        traffic(&|traffic| traffic.sent)
            .map_or(String::new(), |sent| format!("{:.0} kB", sent / 1e3)),
        median(&|run| run.usage.cpu.as_secs_f64() * 1e3),
        median(&|run| peak(run)),
    )
    .expect("a String takes it");
    text
}

/// In MiB.
#[expect(clippy::cast_precision_loss, reason = "bytes, far below 2^53")]
fn peak(run: &ContenderRun) -> f64 {
    run.usage.peak as f64 / f64::from(1 << 20)
}

fn targets(all: &[Measured]) -> String {
    let mut text = String::new();
    for measured in all {
        let delayed = !measured.delay.is_zero();
        let mut target = |what: &str, value: f64, limit: f64| {
            let verdict = if value <= limit { "met" } else { "missed" };
            writeln!(text, "- {what}: {value:.2}, target {limit}: {verdict}")
                .expect("a String takes it");
        };
        if delayed && measured.count == 100 {
            target(
                "wall against sqlx, 100 migrations, 5 ms",
                measured.ratio(Contender::Sqlx),
                0.15,
            );
        }
        if !delayed && measured.count == MOST {
            target(
                &format!("wall against psql, {MOST} migrations, no delay"),
                measured.ratio(Contender::Psql),
                1.15,
            );
            let peak = measured.median(Contender::Provider, &peak);
            target(&format!("peak MiB with {MOST} migrations"), peak, 16.0);
        }
    }
    // Subtracts the cost that does not depend on the number of migrations.
    let round_trips = |count: usize| {
        let measured = all.iter().find(|it| it.count == count && !it.delay.is_zero())?;
        let round_trips = |run: &ContenderRun| {
            run.traffic.as_ref().map_or(0.0, |traffic| traffic.round_trips as f64)
        };
        Some(measured.median(Contender::Provider, &round_trips))
    };
    if let (Some(few), Some(many)) = (round_trips(10), round_trips(100)) {
        let each = (many - few) / 90.0;
        writeln!(
            text,
            "- round trips of each migration from the 11th to the 100th: {each:.2}, target 1"
        )
        .expect("a String takes it");
    }
    text
}

impl Measured {
    fn runs(&self, contender: Contender) -> impl Iterator<Item = &ContenderRun> {
        self.rounds.iter().map(move |round| &round[contender as usize])
    }

    fn median(&self, contender: Contender, of: &dyn Fn(&ContenderRun) -> f64) -> f64 {
        median(self.runs(contender).map(of).collect())
    }

    /// The provider's wall time divided by another's, in the same round.
    fn ratio(&self, other: Contender) -> f64 {
        let ratio = |round: &[ContenderRun; 3]| {
            let wall = |contender: Contender| round[contender as usize].wall.as_secs_f64();
            wall(Contender::Provider) / wall(other)
        };
        median(self.rounds.iter().map(ratio).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}
