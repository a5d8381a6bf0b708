//! The packets of the Asterisk Manager Interface: lines of `Key: value`, ended by an empty line. Pure: bytes in, messages out,
//! actions in, bytes out.
//!
//! What Asterisk sends is bounded here by [`LINE`] and [`PACKET`]; what it takes is bounded by Asterisk itself, which throws
//! longer lines away without an answer ([`ACTION_LINE`], [`ACTION_LINES`]), so such an action is never sent.

use std::fmt;

use ctigate_proto::telephony::OrderId;
use thiserror::Error;

/// The longest line that is read, its end included, bytes.
pub const LINE: usize = 64 * 1024;
/// The longest packet that is read, bytes.
pub const PACKET: usize = 1024 * 1024;
/// The longest line that Asterisk takes, its end included, bytes (`inbuf` of its manager).
pub const ACTION_LINE: usize = 1024;
/// How many lines of one action Asterisk takes (`AST_MAX_MANHEADERS`).
pub const ACTION_LINES: usize = 128;

/// One packet of Asterisk: an event or a response. Keys are in the order in which they came, and may repeat. Names of keys
/// are compared without regard to the case of ASCII letters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(Box<str>, Box<str>)>,
}

/// One packet for Asterisk.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: &'static str,
    id: String,
    order: Option<OrderId>,
    fields: Vec<(&'static str, String)>,
}

/// Why what came cannot be read. The connection is of no more use: where the next packet begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Wrong {
    /// A line without an end.
    #[error("a line of more than {LINE} bytes")]
    LongLine,
    /// A packet without an end.
    #[error("a packet of more than {PACKET} bytes")]
    LongPacket,
}

/// An action that Asterisk would throw away unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsendable {
    /// A line is too long for it.
    #[error("the value of {0} is too long: Asterisk takes lines of {ACTION_LINE} bytes")]
    LongLine(&'static str),
    /// There are too many lines for it.
    #[error("more than {ACTION_LINES} lines, which is the most that Asterisk takes")]
    ManyLines,
}

/// Cuts what Asterisk sends into messages.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// So far it was looked for its end.
    looked: usize,
    /// The packet so far, and its bytes.
    message: Message,
    bytes: usize,
}

impl Message {
    /// A message of these fields.
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self { fields: fields.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }

    /// The first value of the key; empty when there is none.
    pub fn get(&self, key: &str) -> &str {
        self.fields().find(|(k, _)| k.eq_ignore_ascii_case(key)).map_or("", |(_, value)| value)
    }

    /// Every value of the key, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Every key with its value, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The name of the event; empty for a response.
    pub fn event(&self) -> &str {
        self.get("Event")
    }

    /// How an action went (`Success`, `Error`, `Goodbye`); empty for an event.
    pub fn response(&self) -> &str {
        self.get("Response")
    }

    /// The action this answers or belongs to; empty for none.
    pub fn action_id(&self) -> &str {
        self.get("ActionID")
    }

    fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        // A key may hold a colon of its own (`ChanVariable(SIP/10.0.0.1:5060-01)`), but no colon with a blank.
        let (key, value) = line.split_once(": ").or_else(|| line.split_once(':')).unwrap_or((&*line, ""));
        self.fields.push((key.trim().into(), value.into()));
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}

impl Action {
    /// An action without anything but its name.
    pub fn new(name: &'static str) -> Self {
        Self { name, id: String::new(), order: None, fields: Vec::new() }
    }

    /// As a part of an order; this is for our log and never sent.
    #[must_use]
    pub fn part_of(mut self, order: Option<OrderId>) -> Self {
        self.order = order;
        self
    }

    /// The order that it is a part of.
    pub fn order(&self) -> Option<OrderId> {
        self.order
    }

    /// With one more line. What would end the line early becomes a blank, so that a value never says more than itself.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((key, one_line(value.into())));
        self
    }

    /// With the id by which its response is known.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = one_line(id.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its id; may be empty.
    pub fn action_id(&self) -> &str {
        &self.id
    }

    /// The first value of the key; empty when there is none.
    pub fn get(&self, key: &str) -> &str {
        self.fields.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map_or("", |(_, value)| value)
    }

    /// Every value of the key, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// Puts the packet at the end of `out`.
    ///
    /// # Errors
    /// [`Unsendable`], and `out` is as it was: Asterisk would not read the action whole.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Unsendable> {
        let id = (!self.id.is_empty()).then_some(("ActionID", self.id.as_str()));
        let fields = self.fields.iter().map(|(key, value)| (*key, value.as_str()));
        let lines = [("Action", self.name)].into_iter().chain(id).chain(fields);
        let begin = out.len();
        for (count, (key, value)) in lines.enumerate() {
            let wrong = if key.len() + value.len() + 4 >= ACTION_LINE {
                Some(Unsendable::LongLine(key))
            } else {
                (count >= ACTION_LINES).then_some(Unsendable::ManyLines)
            };
            if let Some(wrong) = wrong {
                out.truncate(begin);
                return Err(wrong);
            }
            for part in [key, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Without secrets: those of a login never reach a log.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |key: &str| ["Secret", "Key"].iter().any(|s| key.eq_ignore_ascii_case(s));
        let shown = |(key, value): &(&'static str, String)| (*key, if secret(key) { "***" } else { value }.to_owned());
        write!(f, "{} {} ", self.name, self.id)?;
        f.debug_map().entries(self.fields.iter().map(shown)).finish()
    }
}

fn one_line(value: String) -> String {
    if value.contains(['\r', '\n', '\0']) { value.replace(['\r', '\n', '\0'], " ") } else { value }
}

impl Reader {
    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.looked -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The line with which Asterisk greets, before any packet; `None` while it is not whole.
    ///
    /// # Errors
    /// [`Wrong::LongLine`].
    pub fn greeting(&mut self) -> Result<Option<String>, Wrong> {
        Ok(self.line()?.map(|line| String::from_utf8_lossy(line).into_owned()))
    }

    /// The next packet; `None` while it is not whole.
    ///
    /// # Errors
    /// [`Wrong`]: it grows beyond all bounds.
    pub fn next_message(&mut self) -> Result<Option<Message>, Wrong> {
        let mut message = std::mem::take(&mut self.message);
        let mut bytes = self.bytes;
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                bytes += line.len();
                if bytes > PACKET {
                    return Err(Wrong::LongPacket);
                }
                message.add(line);
            } else if bytes > 0 {
                self.bytes = 0;
                return Ok(Some(message));
            }
        }
        self.message = message;
        self.bytes = bytes;
        Ok(None)
    }

    /// The next whole line without its end.
    fn line(&mut self) -> Result<Option<&[u8]>, Wrong> {
        let Some(length) = self.buffer[self.looked..].iter().position(|b| *b == b'\n') else {
            self.looked = self.buffer.len();
            return if self.looked - self.start > LINE { Err(Wrong::LongLine) } else { Ok(None) };
        };
        let end = self.looked + length;
        let line = &self.buffer[self.start..end];
        if line.len() >= LINE {
            return Err(Wrong::LongLine);
        }
        self.start = end + 1;
        self.looked = self.start;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Message>, Wrong> {
        let mut reader = Reader::default();
        reader.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = reader.next_message()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn sent(action: &Action) -> String {
        let mut out = Vec::new();
        action.encode(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_greeting_and_packets_come_one_after_the_other() {
        let mut reader = Reader::default();
        reader.push(b"Asterisk Call Man");
        assert_eq!(reader.greeting(), Ok(None));
        reader.push(b"ager/9.0.0\r\nResponse: Success\r\nActionID: 7\r\n\r\nEvent: Hold\r\n");
        assert_eq!(reader.greeting(), Ok(Some("Asterisk Call Manager/9.0.0".to_owned())));
        let response = reader.next_message().unwrap().unwrap();
        assert_eq!((response.response(), response.action_id(), response.event()), ("Success", "7", ""));
        assert_eq!(reader.next_message(), Ok(None));
        reader.push(b"Channel: PJSIP/101-00000001\r\n\r\n");
        let event = reader.next_message().unwrap().unwrap();
        assert_eq!((event.event(), event.get("channel")), ("Hold", "PJSIP/101-00000001"));
        assert_eq!(reader.next_message(), Ok(None));
    }

    #[test]
    fn keys_repeat_and_values_hold_what_they_like() {
        let text = "Event: PresenceStatus\r\nMessage: one: two\r\nMessage: \r\nChanVariable(SIP/1.2.3.4:5-1): A=B\r\n\
            Bare\r\nNo:blank\r\n\r\n";
        let [message] = &read(text.as_bytes()).unwrap()[..] else { panic!("one message") };
        assert_eq!(message.all("Message").collect::<Vec<_>>(), ["one: two", ""]);
        assert_eq!(message.get("ChanVariable(SIP/1.2.3.4:5-1)"), "A=B");
        assert_eq!((message.get("Bare"), message.get("No"), message.get("Never")), ("", "blank", ""));
        assert_eq!(message.fields().count(), 6);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_reading() {
        let [message] = &read(b"Event: Newchannel\r\nCallerIDName: \xff\xfe\r\n\r\n").unwrap()[..] else {
            panic!("one message")
        };
        assert_eq!(message.get("CallerIDName"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_has_no_end_is_an_error_before_it_fills_the_memory() {
        assert_eq!(read(&vec![b'x'; LINE + 1]), Err(Wrong::LongLine));
        let mut ended = vec![b'x'; LINE + 1];
        ended.push(b'\n');
        assert_eq!(read(&ended), Err(Wrong::LongLine));
        assert_eq!(read(&b"Key: value\r\n".repeat(PACKET / 9)), Err(Wrong::LongPacket));
        assert_eq!(read(&b"Key: value\r\n".repeat(100)), Ok(Vec::new()));
    }

    #[test]
    fn an_action_is_written_with_its_id_and_repeated_keys() {
        let action = Action::new("Originate").with("Variable", "A=1").with("Variable", "B=2").id("m-4");
        assert_eq!(sent(&action), "Action: Originate\r\nActionID: m-4\r\nVariable: A=1\r\nVariable: B=2\r\n\r\n");
        assert_eq!((action.get("variable"), action.all("Variable").count()), ("A=1", 2));
    }

    #[test]
    fn a_value_cannot_smuggle_a_line() {
        let action = Action::new("Hangup").with("Channel", "x\r\nAction: Originate\r\n\r\n").id("1\n2");
        let text = sent(&action);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(text.matches("\r\n\r\n").count(), 1);
    }

    #[test]
    fn what_asterisk_would_throw_away_is_not_sent() {
        let mut out = b"before".to_vec();
        let long = Action::new("Setvar").with("Value", "x".repeat(ACTION_LINE));
        assert_eq!(long.encode(&mut out), Err(Unsendable::LongLine("Value")));
        let many = (0..ACTION_LINES).fold(Action::new("Setvar"), |action, _| action.with("Variable", "A=1"));
        assert_eq!(many.encode(&mut out), Err(Unsendable::ManyLines));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", Action::new("Login").with("Username", "u").with("Secret", "hush"));
        assert!(shown.contains("\"u\"") && !shown.contains("hush"), "{shown}");
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_are_cut(
            packets in prop::collection::vec(
                prop::collection::vec(("[A-Za-z]{1,8}", "[ -~]{0,20}"), 1..5), 0..5),
            cuts in prop::collection::vec(1_usize..40, 1..30),
        ) {
            let mut bytes = Vec::new();
            for packet in &packets {
                for (key, value) in packet {
                    bytes.extend_from_slice(format!("{key}: {value}\r\n").as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
            }
            let mut reader = Reader::default();
            let mut got = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                reader.push(now);
                while let Some(message) = reader.next_message().unwrap() {
                    got.push(message);
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let fields = |packet: &Vec<(String, String)>| {
                Message::from_fields(packet.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            };
            prop_assert_eq!(got, packets.iter().map(fields).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = read(&bytes);
        }

        #[test]
        fn an_action_is_read_as_it_was_written(fields in prop::collection::vec(any::<String>(), 0..10)) {
            let action = fields.iter().fold(Action::new("A"), |action, value| action.with("Variable", value));
            let mut out = Vec::new();
            if action.encode(&mut out).is_ok() {
                let messages = read(&out).unwrap();
                prop_assert_eq!(messages.len(), 1);
                prop_assert_eq!(messages[0].all("Variable").count(), fields.len());
                prop_assert_eq!(messages[0].fields().count(), fields.len() + 1);
            }
        }
    }
}
