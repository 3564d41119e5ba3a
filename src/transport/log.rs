//! Logs on standard error, in the form that Terraform takes apart and shows again.
//!
//! One JSON object a line, with the level, message and time under names that start with `@`. Any
//! other line would be shown as plain text; one that starts with `panic: ` is a crash report.

use std::any::Any;
use std::backtrace::Backtrace;
use std::fmt;
use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry, Scope};

/// Targets of this crate begin with it.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// The most that other crates may say: at lower levels they print requests with their secrets.
const OTHERS: LevelFilter = LevelFilter::INFO;

/// The level that the practitioner wants, from the variable for this provider, for all providers
/// or for everything, in this order. As in Terraform, `JSON` and what is no level mean everything.
pub fn level(var: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let names = ["TF_LOG_PROVIDER_DSQL", "TF_LOG_PROVIDER", "TF_LOG"];
    let wanted = names.into_iter().filter_map(var).find(|value| !value.is_empty());
    match wanted.map(|level| level.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("ERROR") => LevelFilter::ERROR,
        Some("WARN") => LevelFilter::WARN,
        Some("INFO") => LevelFilter::INFO,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some(_) => LevelFilter::TRACE,
    }
}

/// Logs what is at `level` or above for the rest of the process. With `OFF` nothing is built.
pub fn install(level: LevelFilter) {
    if level == LevelFilter::OFF {
        return;
    }
    let layer = Hclog { level, now: SystemTime::now, write: write_to_stderr };
    // Only the first call of a process has an effect.
    let _installed = tracing::subscriber::set_global_default(Registry::default().with(layer));
}

/// Makes panics readable for Terraform, which shows them when the command fails.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic_message(panic.payload());
        let location =
            panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
        let backtrace = Backtrace::force_capture();
        write_to_stderr(format!("panic: {message}{location}\n{backtrace}\n").as_bytes());
    }));
}

/// The text of a panic.
pub(super) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

fn write_to_stderr(line: &[u8]) {
    // There is nowhere else to say that it failed.
    let _failed = io::stderr().lock().write_all(line);
}

/// Writes events as go-hclog does in its JSON form.
struct Hclog<W> {
    level: LevelFilter,
    now: fn() -> SystemTime,
    write: W,
}

/// The fields of a span, kept for the events in it.
struct SpanFields(Map<String, Json>);

impl<S, W> Layer<S> for Hclog<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let is_own = metadata.target().split("::").next() == Some(OWN_TARGET);
        let limit = if is_own { self.level } else { self.level.min(OTHERS) };
        *metadata.level() <= limit
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            let mut recorded = Fields::default();
            record.record(&mut recorded);
            fields.0.extend(recorded.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        let spans = context.event_scope(event).into_iter().flat_map(Scope::from_root);
        for span in spans {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                line.extend(fields.0.clone());
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message");
        line.extend(fields.0);

        // The host takes these for strings, and panics if they are not.
        let metadata = event.metadata();
        line.insert("@level".to_owned(), level_name(*metadata.level()).into());
        line.insert("@message".to_owned(), message.unwrap_or_else(|| "".into()));
        line.insert("@module".to_owned(), metadata.target().replace("::", ".").into());
        line.insert("@timestamp".to_owned(), timestamp((self.now)()).into());
        (self.write)(format!("{}\n", Json::Object(line)).as_bytes());
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Gathers fields under names that cannot be taken for the ones with `@`.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Json>) {
        self.0.insert(field.name().trim_start_matches('@').to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }
}

/// UTC with microseconds: `2006-01-02T15:04:05.000000Z`.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The Gregorian date of a day since 1970-01-01.
///
/// Counted in years that begin in March, so that the leap day is the last of its year, and in eras
/// of 400 years, which all have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march_0000 = days + 719_468;
    let (era, day) = (since_march_0000 / 146_097, since_march_0000 % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn fixed() -> SystemTime {
        UNIX_EPOCH + Duration::new(1_795_425_696, 123_456_789)
    }

    /// What is written while `work` runs.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let write = move |line: &[u8]| {
            let line = String::from_utf8(line.to_vec()).expect("text");
            written.lock().expect("a lock").push(line);
        };
        let subscriber = Registry::default().with(Hclog { level, now: fixed, write });
        tracing::subscriber::with_default(subscriber, work);
        let lines = lines.lock().expect("a lock");
        lines.clone()
    }

    #[test]
    fn an_event_is_a_line_of_hclog() {
        let lines = logged(LevelFilter::DEBUG, || {
            let span = tracing::info_span!("rpc", tf_rpc = "PlanResourceChange", tf_req_id = 7);
            let _entered = span.entered();
            tracing::warn!(port = 5432_u64, ok = true, error = %"no\n\"way\"", "it {}", "failed");
        });
        assert_eq!(
            lines,
            [concat!(
                r#"{"@level":"warn","@message":"it failed","#,
                r#""@module":"terraform_provider_dsql.transport.log.tests","#,
                r#""@timestamp":"2026-11-23T09:21:36.123456Z","#,
                r#""error":"no\n\"way\"","ok":true,"port":5432,"#,
                r#""tf_req_id":7,"tf_rpc":"PlanResourceChange"}"#,
                "\n"
            )]
        );
    }

    #[test]
    fn a_field_recorded_later_is_in_the_line() {
        let lines = logged(LevelFilter::INFO, || {
            let span = tracing::info_span!("run", rows = tracing::field::Empty);
            span.record("rows", 3);
            span.in_scope(|| tracing::info!("done"));
        });
        assert!(lines[0].contains(r#""rows":3"#), "{lines:?}");
    }

    #[test]
    fn a_level_below_the_wanted_one_is_not_written() {
        let lines = logged(LevelFilter::WARN, || {
            tracing::info!("quiet");
            tracing::error!("loud");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn other_crates_say_nothing_in_detail() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::debug!(target: "aws_smithy_runtime::client", "Authorization: …");
            tracing::info!(target: "aws_smithy_runtime::client", "hello");
            tracing::trace!("ours");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("hello") && lines[1].contains("ours"), "{lines:?}");
    }

    #[test]
    fn the_variable_of_the_provider_comes_first() {
        let with = |vars: &'static [(&str, &str)]| {
            level(move |name| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[]), LevelFilter::OFF);
        assert_eq!(with(&[("TF_LOG", "debug")]), LevelFilter::DEBUG);
        assert_eq!(with(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(with(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "WARN")]), LevelFilter::WARN);
        assert_eq!(with(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "")]), LevelFilter::TRACE);
        assert_eq!(with(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER_DSQL", "off")]), LevelFilter::OFF);
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        let days = |year: u64| {
            (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400
        };
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(days(2000) + 59), (2000, 2, 29));
        assert_eq!(date(days(2024) + 60), (2024, 3, 1));
        assert_eq!(date(days(2026) - 1), (2025, 12, 31));
        assert_eq!(date(days(2100) + 59), (2100, 3, 1));
    }

    #[test]
    fn a_panic_has_a_text() {
        assert_eq!(panic_message(&"plain"), "plain");
        assert_eq!(panic_message(&String::from("made")), "made");
        assert_eq!(panic_message(&7), "no message");
    }
}
