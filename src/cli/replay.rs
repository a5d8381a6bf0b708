//! `replay`: plays a capture again, or shows it.

use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::args::Replay;
use super::tail::{Message, line};
use super::terminal::{Style, Terminal, escaped};
use super::{Exit, Failure};
use crate::capture::line::Line;
use crate::capture::{Lines, PlayError, Played, play};

pub(super) fn replay(asked: &Replay, terminal: &mut Terminal) -> Result<(), Failure> {
    let open = || {
        File::open(&asked.file)
            .map(|file| BufReader::with_capacity(1 << 20, file))
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", asked.file.display())))
    };
    let whole = Lines::new(open()?).head().map_err(unplayable)?.plays;
    if asked.show || !whole {
        return show(asked, Lines::new(open()?), terminal);
    }
    let began = Instant::now();
    let played = play(open()?, asked.until).map_err(unplayable)?;
    let seconds = began.elapsed().as_secs_f64();
    if asked.json {
        let mut all = serde_json::to_value(&played).map_err(|error| Failure::new(error.to_string()))?;
        all["span_s"] = json!(played.span.as_secs_f64());
        all["seconds"] = json!(seconds);
        if let Some(fields) = all.as_object_mut() {
            fields.remove("span");
        }
        terminal.line(&all.to_string())?;
    } else {
        tell(&played, seconds, terminal)?;
    }
    if played.difference.is_none() { Ok(()) } else { Err(Failure::quiet(Exit::Failed)) }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unplayable(error: PlayError) -> Failure {
    Failure::new(error.to_string()).help("docs/replay.md describes the format")
}

fn tell(played: &Played, seconds: f64, terminal: &mut Terminal) -> std::io::Result<()> {
    let span = played.span.as_secs_f64();
    let inputs = played.inputs - played.timeouts;
    terminal.line(&format!(
        "{inputs} inputs and {} timers went in, {} outputs came out, over {span:.1} s of its clock",
        played.timeouts, played.outputs
    ))?;
    terminal.line(&format!("played in {seconds:.2} s; sha256 of what came out: {}", played.digest))?;
    let Some(difference) = &played.difference else {
        let same = terminal.paint("the same, byte for byte", Style::Good);
        let end = if played.end.is_empty() { " (the capture broke off; up to there)" } else { "" };
        return terminal.line(&format!("{same}{end}"));
    };
    let head = terminal.paint(&format!("line {}: another output", difference.line), Style::Bad);
    terminal.line(&head)?;
    for before in &difference.before {
        let before = terminal.paint(&escaped(before), Style::Dim);
        terminal.line(&format!("    {before}"))?;
    }
    let or_nothing = |text: &str| if text.is_empty() { "(nothing)".to_owned() } else { escaped(text) };
    terminal.line(&format!("  recorded: {}", or_nothing(&difference.recorded)))?;
    terminal.line(&format!("  played:   {}", or_nothing(&difference.played)))
}

/// What was played of a capture that began in the middle.
#[derive(Default)]
struct Part {
    inputs: u64,
    outputs: u64,
    span: Duration,
    digest: Sha256,
    end: String,
}

impl Part {
    fn tell(self, seconds: f64, json: bool, terminal: &mut Terminal) -> std::io::Result<()> {
        let Self { inputs, outputs, span, digest, end } = self;
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let span = span.as_secs_f64();
        if json {
            let told = json!({"whole": false, "inputs": inputs, "outputs": outputs, "span_s": span, "seconds": seconds,
                "digest": digest, "end": end});
            return terminal.line(&told.to_string());
        }
        terminal.line(&format!("{inputs} inputs and {outputs} outputs, over {span:.1} s of its clock"))?;
        terminal.line(&format!("played in {seconds:.2} s; sha256 of what passed: {digest}"))?;
        terminal.line(
            "it began when the gateway had been running already, so that what passed is played as it was, and nothing is compared",
        )
    }
}

/// Plays messages as they passed: shows them as `tail` does, and what the telephone system said. Of a capture that cannot be compared it
/// says at the end how much there was.
fn show(asked: &Replay, mut lines: Lines<BufReader<File>>, terminal: &mut Terminal) -> Result<(), Failure> {
    let head = lines.head().map_err(unplayable)?;
    let began = Instant::now();
    let mut first = None;
    let mut part = Part::default();
    loop {
        let number = lines.number + 1;
        let Some(text) = lines.line().map_err(unplayable)? else { break };
        let bad = |error: serde_json::Error| Failure::new(format!("line {number} cannot be read: {error}"));
        let found: Line<'_> = serde_json::from_str(text).map_err(bad)?;
        let at = Duration::from_micros(found.at);
        let since = at.saturating_sub(*first.get_or_insert(at));
        if asked.until.is_some_and(|until| since > until) {
            break;
        }
        if let Some(end) = found.end {
            part.end = end.into_owned();
            continue;
        }
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        if !fits(&asked.link, &found.link) || !fits(&asked.user, &found.user) || !fits(&asked.tab, &found.tab) {
            continue;
        }
        let (direction, raw) = match (found.input, found.output) {
            (Some(raw), _) => ("in", raw),
            (None, Some(raw)) => ("out", raw),
            (None, None) => continue,
        };
        *(if direction == "in" { &mut part.inputs } else { &mut part.outputs }) += 1;
        part.span = since;
        part.digest.update(raw.get().as_bytes());
        part.digest.update(b"\n");
        let value: Value = serde_json::from_str(raw.get()).map_err(bad)?;
        let Some(mut message) = message(&value) else { continue };
        message.ms = head.wall_ms + i64::try_from(at.as_millis()).unwrap_or(0);
        direction.clone_into(&mut message.direction);
        (message.link, message.user, message.tab) =
            (found.link.into_owned(), found.user.into_owned(), found.tab.into_owned());
        if let Some(speed) = asked.speed.filter(|speed| *speed > 0.0) {
            let due = since.div_f64(speed);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        if asked.json {
            terminal.line(text)?;
        } else {
            let line = line(&message, terminal);
            terminal.line(&line)?;
        }
    }
    match asked.show {
        true => Ok(()),
        false => Ok(part.tell(began.elapsed().as_secs_f64(), asked.json, terminal)?),
    }
}

/// What a line says, if it is worth a look: a message, or a word with the telephone system.
fn message(value: &Value) -> Option<Message> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    let text = inner.get("text").and_then(Value::as_str);
    let (method, text) = match (kind.as_str(), text) {
        (_, Some(text)) => (name_of(text), text.to_owned()),
        ("pbx", None) => ("(telephone system)".to_owned(), inner.to_string()),
        ("opened" | "closed" | "close" | "link_state", None) => (format!("({kind})"), inner.to_string()),
        _ => return None,
    };
    Some(Message { method, bytes: text.len() as u64, text, ..Message::default() })
}

/// The name of a message, of its text in JSON or XML.
fn name_of(text: &str) -> String {
    let quoted = match text.starts_with('[') {
        true => text.split('"').nth(1),
        false => text.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()),
    };
    quoted.unwrap_or_default().to_owned()
}
