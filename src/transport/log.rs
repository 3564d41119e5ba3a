//! Writes logs to standard error in go-hclog's JSON form, which Terraform parses.
//!
//! Each line is a JSON object whose level, message and time have names that start with `@`.
//! Terraform shows any other line as plain text, and one that starts with `panic: ` as a crash.

use std::any::Any;
use std::backtrace::Backtrace;
use std::fmt;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::time::SystemTime;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry, Scope};

/// First segment of the targets of this crate.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// Most verbose level of other crates. At lower levels they print requests with secrets.
const OTHERS: LevelFilter = LevelFilter::INFO;

/// Reads the level from the variable for this provider, for all providers, or for all of Terraform,
/// in this order. As in Terraform, `JSON` and unknown words select every level.
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

/// Logs events at `level` or above for the rest of the process. `OFF` installs nothing.
pub fn install(level: LevelFilter) {
    if level == LevelFilter::OFF {
        return;
    }
    let layer = Hclog { level, now: SystemTime::now, write: write_to_stderr };
    // Only the first call in a process has an effect.
    let _installed = tracing::subscriber::set_global_default(Registry::default().with(layer));
}

/// Writes panics in the form that Terraform shows when a command fails.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic_message(panic.payload());
        let location =
            panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
        let backtrace = Backtrace::force_capture();
        write_to_stderr(format!("panic: {message}{location}\n{backtrace}\n").as_bytes());
    }));
}

/// Returns the message of a panic.
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
    // There is nowhere else to report the failure.
    let _failed = io::stderr().lock().write_all(line);
}

/// A layer that writes events in go-hclog's JSON form.
struct Hclog<W> {
    level: LevelFilter,
    now: fn() -> SystemTime,
    write: W,
}

/// The fields of a span, which each of its events repeats.
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

        // The host panics if any of these is not a string.
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

/// Collects fields, with names that cannot collide with the reserved ones that start with `@`.
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

/// RFC 3339 in UTC with microseconds, as go-hclog writes it: `2006-01-02T15:04:05.000000Z`.
const TIMESTAMP: EncodedConfig = {
    let precision = TimePrecision::Second { decimal_digits: NonZero::new(6) };
    Config::DEFAULT.set_time_precision(precision).encode()
};

fn timestamp(time: SystemTime) -> String {
    // Formatting fails only for years outside 0 to 9999.
    OffsetDateTime::from(time).format(&Iso8601::<TIMESTAMP>).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn fixed() -> SystemTime {
        UNIX_EPOCH + Duration::new(1_795_425_696, 123_456_789)
    }

    /// Returns the lines that are written while `work` runs.
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
    fn an_event_is_a_line_in_the_form_of_hclog() {
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
    fn a_line_contains_a_field_that_was_recorded_later() {
        let lines = logged(LevelFilter::INFO, || {
            let span = tracing::info_span!("run", rows = tracing::field::Empty);
            span.record("rows", 3);
            span.in_scope(|| tracing::info!("done"));
        });
        assert!(lines[0].contains(r#""rows":3"#), "{lines:?}");
    }

    #[test]
    fn an_event_below_the_level_is_not_written() {
        let lines = logged(LevelFilter::WARN, || {
            tracing::info!("quiet");
            tracing::error!("loud");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn other_crates_log_no_details() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::debug!(target: "aws_smithy_runtime::client", "Authorization: …");
            tracing::info!(target: "aws_smithy_runtime::client", "hello");
            tracing::trace!("ours");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("hello") && lines[1].contains("ours"), "{lines:?}");
    }

    #[test]
    fn the_variable_for_this_provider_has_precedence() {
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
    fn a_timestamp_has_microseconds_in_utc() {
        let at = |seconds, nanos| timestamp(UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_782_400, 1_999), "2000-02-29T00:00:00.000001Z");
        assert_eq!(at(4_107_542_399, 999_999_999), "2100-02-28T23:59:59.999999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn a_panic_has_a_message() {
        assert_eq!(panic_message(&"plain"), "plain");
        assert_eq!(panic_message(&String::from("made")), "made");
        assert_eq!(panic_message(&7), "no message");
    }
}
