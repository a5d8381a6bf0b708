//! `tail`: the messages of a running gateway, as they pass.

use http_body_util::BodyExt;
use serde::Deserialize;

use super::admin_client::{AdminClient, escape};
use super::args::{TailOf, Target};
use super::terminal::{Style, Terminal, escaped};
use super::{Failure, block_on};

/// The longest event that is kept while it arrives.
const LONGEST: usize = 32 << 20;

/// How much of a message is shown, in characters.
const SHOWN: usize = 160;

/// One message, as `/api/v1/tail` tells it. What it does not say is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) ms: i64,
    /// `in` or `out`
    pub(super) direction: String,
    pub(super) peer: serde_json::Value,
    pub(super) link: String,
    pub(super) user: String,
    pub(super) tab: String,
    pub(super) method: String,
    pub(super) qid: serde_json::Value,
    pub(super) bytes: u64,
    pub(super) text: String,
}

pub(super) fn tail(target: &Target, of: &TailOf, terminal: &mut Terminal) -> Result<(), Failure> {
    let wire = of.wire.then_some("wire");
    let filters =
        [("user", of.user.as_deref()), ("link", of.link.as_deref()), ("tab", of.tab.as_deref()), ("format", wire)];
    let filters: Vec<String> =
        filters.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", escape(value)))).collect();
    let query = if filters.is_empty() { String::new() } else { format!("?{}", filters.join("&")) };
    let client = AdminClient::of(target)?;
    block_on(async {
        let mut body = client.stream(&format!("/api/v1/tail{query}")).await?;
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::new(format!("the gateway is gone: {error}")))?;
            let Some(bytes) = frame.data_ref() else { continue };
            events.feed(bytes).map_err(|()| Failure::new("the gateway sent an event larger than 32 MiB"))?;
            while let Some(event) = events.next() {
                if target.json {
                    terminal.line(&event)?;
                } else {
                    let message: Message = serde_json::from_str(&event)
                        .map_err(|error| Failure::new(format!("an event cannot be read: {error}")))?;
                    let line = line(&message, terminal);
                    terminal.line(&line)?;
                }
            }
        }
        Err(Failure::new("the gateway ended the stream").help("did it stop? \"ctigate status\" tells"))
    })
}

/// `21:41:00.123 <- crm/ivanov  executemethod  8D7E  182B  …`
pub(super) fn line(message: &Message, terminal: &Terminal) -> String {
    let clock = |unit: i64, of: i64| message.ms.div_euclid(unit).rem_euclid(of);
    let time =
        format!("{:02}:{:02}:{:02}.{:03}", clock(3_600_000, 24), clock(60_000, 60), clock(1000, 60), clock(1, 1000));
    let (arrow, style) = if message.direction == "out" { ("->", Style::Good) } else { ("<-", Style::Warn) };
    let who: Vec<&str> = [message.link.as_str(), message.user.as_str(), message.tab.as_str()]
        .into_iter()
        .filter(|w| !w.is_empty())
        .collect();
    let who = if who.is_empty() { bare(&message.peer) } else { escaped(&who.join("/")) };
    let mut text: String = escaped(&message.text).chars().take(SHOWN).collect();
    if message.text.chars().count() > SHOWN {
        text.push('…');
    }
    let method = terminal.paint(&format!("{:<26}", escaped(&message.method)), Style::Bold);
    format!(
        "{} {} {who:<20} {method} {:<10} {:>6}B  {}",
        terminal.paint(&time, Style::Dim),
        terminal.paint(arrow, style),
        short(bare(&message.qid)),
        message.bytes,
        terminal.paint(&text, Style::Dim)
    )
    .trim_end()
    .to_owned()
}

/// The beginning of an id: enough to see which answer belongs to which call.
fn short(id: String) -> String {
    match id.char_indices().nth(9) {
        Some((at, _)) if id.chars().count() > 10 => format!("{}…", &id[..at]),
        _ => id,
    }
}

/// A JSON value without the quotes of a text.
fn bare(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

/// Server-Sent Events, taken apart as they arrive.
#[derive(Debug, Default)]
struct Events {
    buffer: Vec<u8>,
    /// How much of the buffer has been searched for the end of a line.
    searched: usize,
    data: Vec<String>,
}

impl Events {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), ()> {
        if self.buffer.len() + bytes.len() > LONGEST {
            return Err(());
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The data of the next whole event.
    fn next(&mut self) -> Option<String> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
            let Some(end) = end else {
                self.searched = self.buffer.len();
                return None;
            };
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.searched = 0;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if let Some(data) = line.strip_prefix("data:") {
                self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            } else if line.is_empty() && !self.data.is_empty() {
                return Some(std::mem::take(&mut self.data).join("\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_they_come_in() {
        let stream = ": hello\n\ndata: {\"a\":1}\n\nevent: x\r\ndata: one\r\ndata:two\r\n\r\ndata: rest";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut out = Vec::new();
            for bytes in stream.as_bytes().chunks(size) {
                events.feed(bytes).unwrap();
                out.extend(std::iter::from_fn(|| events.next()));
            }
            assert_eq!(out, ["{\"a\":1}", "one\ntwo"], "in pieces of {size}");
        }
    }
}
