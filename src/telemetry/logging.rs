//! Log lines: one line each, readable or as JSON. Control characters are escaped and long values cut, so that nobody who
//! sends a text can write lines of their own or flood the log.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::logs::{self, LogLine};
use crate::config::{Log, LogFormat};

/// How many characters of a value are written.
const LONGEST: usize = 512;

/// Why logging could not begin.
#[derive(Debug, Error)]
pub enum InitError {
    /// The filter is none.
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else writes the log of this process already.
    #[error("{0}")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Writes the log of this process on standard error from now on; panics too.
///
/// # Errors
/// [`InitError`].
pub fn init(config: &Log) -> Result<(), InitError> {
    subscriber(config, io::stderr, io::stderr().is_terminal() && colours_wanted())?.try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("something that is no text");
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(target: "ctigate::panic", thread = thread.name().unwrap_or("?"), place, "panic: {what}");
    }));
    Ok(())
}

/// Whether the user has not said `NO_COLOR`.
pub fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What turns events into lines for `writer`.
///
/// # Errors
/// When the filter cannot be read.
pub fn subscriber<W>(
    config: &Log,
    writer: W,
    colours: bool,
) -> Result<impl Subscriber + Send + Sync + 'static, tracing_subscriber::filter::ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = match config.format {
        LogFormat::Json => Lines::Json,
        LogFormat::Text => Lines::Text { colours },
    };
    let layer =
        tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(writer).fmt_fields(lines).event_format(lines);
    Ok(tracing_subscriber::registry().with(config.filter.parse::<Targets>()?).with(layer).with(Remember))
}

/// The two forms of a line.
#[derive(Clone, Copy, Debug)]
enum Lines {
    Text { colours: bool },
    Json,
}

/// Keeps each line in memory too.
struct Remember;

impl<S: Subscriber> Layer<S> for Remember {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        logs::memory().push(LogLine {
            number: 0,
            at_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            level: match *meta.level() {
                Level::ERROR => "error",
                Level::WARN => "warn",
                Level::INFO => "info",
                Level::DEBUG => "debug",
                Level::TRACE => "trace",
            },
            target: fields.log_target.unwrap_or_else(|| meta.target().to_owned()),
            message: fields.message,
            fields: fields.others.into_iter().map(|(name, value)| (name, value.plain())).collect(),
        });
    }
}

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = OffsetDateTime::now_utc().format(TIME).map_err(|_| fmt::Error)?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        let target = fields.log_target.take().unwrap_or_else(|| meta.target().to_owned());
        let spans = ctx.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root);
        match *self {
            Self::Text { colours } => {
                let paint = |code: &'static str| if colours { code } else { "" };
                let (dim, reset) = (paint("\x1b[2m"), paint("\x1b[0m"));
                let level = paint(match *meta.level() {
                    Level::ERROR => "\x1b[31m",
                    Level::WARN => "\x1b[33m",
                    Level::INFO => "\x1b[32m",
                    Level::DEBUG => "\x1b[34m",
                    Level::TRACE => "\x1b[35m",
                });
                let place = target.strip_prefix("ctigate::").unwrap_or(&target);
                write!(
                    to,
                    "{dim}{now}{reset} {level}{:>5}{reset} {dim}{place}:{reset} {}",
                    meta.level(),
                    fields.message
                )?;
                for (name, value) in &fields.others {
                    write!(to, " {dim}{name}={reset}{}", value.text())?;
                }
                for span in spans {
                    if let Some(written) = span.extensions().get::<FormattedFields<N>>().filter(|f| !f.is_empty()) {
                        write!(to, " {dim}{}{{{reset}{written}{dim}}}{reset}", span.name())?;
                    }
                }
            }
            Self::Json => {
                let level = meta.level().as_str().to_ascii_lowercase();
                write!(to, "{{\"time\":\"{now}\",\"level\":\"{level}\",\"target\":{}", quoted(&target))?;
                write!(to, ",\"message\":{}", quoted(&fields.message))?;
                if !fields.others.is_empty() {
                    write!(to, ",\"fields\":{{{}}}", members(&fields.others))?;
                }
                let spans: Vec<String> = spans
                    .map(|span| match span.extensions().get::<FormattedFields<N>>().filter(|f| !f.is_empty()) {
                        Some(fields) => format!("{{\"span\":{},\"fields\":{{{fields}}}}}", quoted(span.name())),
                        None => format!("{{\"span\":{}}}", quoted(span.name())),
                    })
                    .collect();
                if !spans.is_empty() {
                    write!(to, ",\"spans\":[{}]", spans.join(","))?;
                }
                write!(to, "}}")?;
            }
        }
        writeln!(to)
    }
}

impl<'w> FormatFields<'w> for Lines {
    fn format_fields<R: RecordFields>(&self, mut to: Writer<'w>, recorded: R) -> fmt::Result {
        let mut fields = Fields::default();
        recorded.record(&mut fields);
        match self {
            Self::Text { .. } => {
                for (at, (name, value)) in fields.others.iter().enumerate() {
                    write!(to, "{}{name}={}", if at == 0 { "" } else { " " }, value.text())?;
                }
                Ok(())
            }
            Self::Json => to.write_str(&members(&fields.others)),
        }
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, recorded: &tracing::span::Record<'_>) -> fmt::Result {
        if !current.fields.is_empty() {
            current.fields.push_str(if matches!(self, Self::Json) { "," } else { " " });
        }
        self.format_fields(current.as_writer(), recorded)
    }
}

/// The fields of one event or span.
#[derive(Default)]
struct Fields {
    message: String,
    /// The target of a record of the `log` crate, which tracing hides in a field.
    log_target: Option<String>,
    others: Vec<(&'static str, Value)>,
}

/// A value, ready to be written.
enum Value {
    /// A number or boolean, as JSON writes it.
    Bare(String),
    /// A text, escaped and cut.
    Text(String),
}

impl Value {
    /// Without quotes.
    fn plain(self) -> String {
        match self {
            Self::Bare(text) | Self::Text(text) => text,
        }
    }

    /// For a readable line: quoted where its end would not be seen.
    fn text(&self) -> String {
        match self {
            Self::Bare(text) => text.clone(),
            Self::Text(text) if text.is_empty() => "\"\"".to_owned(),
            Self::Text(text) if text.len() > 1 && text.starts_with('"') && text.ends_with('"') => text.clone(),
            Self::Text(text) if text.contains([' ', '"', '=']) => format!("\"{}\"", text.replace('"', "\\\"")),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text) | Value::Bare(text)) => self.message = text,
            ("log.target", Value::Text(text)) => self.log_target = Some(text),
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Tame::default();
        // The only error is the one `Tame` makes when it has enough.
        let _ = write!(text, "{value:?}");
        self.push(field, Value::Text(text.finish()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::Text(tame(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.push(field, Value::Text(tame(&text)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let bare = value.is_finite();
        self.push(field, if bare { Value::Bare(value.to_string()) } else { Value::Text(value.to_string()) });
    }
}

/// A text as it may stand in a log or on a terminal: what controls terminals or hides text is escaped, a long text is cut.
pub fn tame(text: &str) -> String {
    let mut tame = Tame::default();
    // The only error is the one `Tame` makes when it has enough.
    let _ = tame.write_str(text);
    tame.finish()
}

#[derive(Default)]
struct Tame {
    text: String,
    chars: usize,
    cut: bool,
}

impl Tame {
    fn finish(mut self) -> String {
        if self.cut {
            self.text.push('…');
        }
        self.text
    }
}

impl fmt::Write for Tame {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.chars == LONGEST {
                self.cut = true;
                return Err(fmt::Error);
            }
            self.chars += 1;
            if misleads(c) {
                self.text.extend(c.escape_default());
            } else {
                self.text.push(c);
            }
        }
        Ok(())
    }
}

/// Characters that move the cursor, turn the direction of writing, or cannot be seen.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `"name":value` with commas between.
fn members(fields: &[(&'static str, Value)]) -> String {
    let members = fields.iter().map(|(name, value)| match value {
        Value::Bare(text) => format!("{}:{text}", quoted(name)),
        Value::Text(text) => format!("{}:{}", quoted(name), quoted(text)),
    });
    members.collect::<Vec<_>>().join(",")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `act` runs.
    fn written(filter: &str, format: LogFormat, colours: bool, act: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let config = Log { filter: filter.to_owned(), format };
        let subscriber = subscriber(&config, move || writer.clone(), colours).unwrap();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn some_lines() {
        let span = tracing::info_span!("task", name = "x y", later = tracing::field::Empty);
        span.record("later", 7);
        let _in = span.enter();
        tracing::warn!(link = "crm", count = 3, ok = true, what = "a\r\nb\u{202e}\x1b[2J", "link \n down");
        tracing::debug!("hidden");
    }

    #[test]
    fn a_line_is_one_line_whatever_it_holds() {
        let text = written("info", LogFormat::Text, false, some_lines);
        let (time, rest) = text.split_at(25);
        assert!(time.ends_with("Z ") && time.as_bytes()[10] == b'T', "{time}");
        assert_eq!(
            rest,
            " WARN telemetry::logging::tests: link \\n down link=crm count=3 ok=true what=a\\r\\nb\\u{202e}\\u{1b}[2J \
             task{name=\"x y\" later=7}\n"
        );
    }

    #[test]
    fn json_lines_can_be_read_back() {
        let text = written("info", LogFormat::Json, false, some_lines);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "warn");
        assert_eq!(line["message"], "link \\n down");
        assert_eq!(line["fields"]["count"].as_i64(), Some(3));
        assert_eq!(line["fields"]["what"], "a\\r\\nb\\u{202e}\\u{1b}[2J");
        assert_eq!(line["spans"][0]["span"], "task");
        assert_eq!(line["spans"][0]["fields"]["later"].as_i64(), Some(7));
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = written("info", LogFormat::Text, false, || tracing::info!(what = "x".repeat(100_000), "y"));
        assert!(text.len() < 700 && text.ends_with("x…\n"), "{}", text.len());
    }

    #[test]
    fn the_filter_goes_by_module_and_colours_are_asked_for() {
        let act = || {
            tracing::debug!(target: "ctigate::transport", "shown");
            tracing::debug!(target: "hyper", "not shown");
        };
        let text = written("info,ctigate::transport=debug", LogFormat::Text, true, act);
        assert!(text.contains("shown") && !text.contains("not shown") && text.contains("\x1b[34m"), "{text}");
    }
}
