//! The lines of AGI: the header Asterisk sends, the commands it is given, and how a text becomes the value of a variable
//! without being anything else.

use std::collections::BTreeMap;

use ctigate_proto::codec;
use ctigate_proto::message::{Object, Value};
use thiserror::Error;

/// The longest line of the header, bytes. Asterisk's own limit is 2048.
pub(super) const LINE: usize = 8 * 1024;
/// The longest header, bytes.
pub(super) const HEADER: usize = 64 * 1024;
/// The longest command Asterisk reads as one, its end included, bytes (`AGI_BUF_LEN`). The rest of a longer one would be read
/// as a command of its own.
const COMMAND: usize = 2048;
/// The longest name of a variable, bytes.
const NAME: usize = 64;
/// Most variables that one answer sets.
const VARIABLES: usize = 64;

/// What Asterisk says about the call: `agi_channel`, `agi_callerid` …, by name without `agi_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    values: BTreeMap<String, String>,
}

/// The header grows beyond all bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the header is longer than {HEADER} bytes, or a line of it than {LINE}")]
pub(super) struct TooLong;

impl Header {
    /// Takes one line.
    pub(super) fn line(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once(':')
            && let Some(name) = name.strip_prefix("agi_")
        {
            self.values.insert(name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned());
        }
    }

    /// A value; empty when there is none, or when Asterisk does not know it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |value| if value == "unknown" { "" } else { value })
    }

    /// The arguments behind the address, in order.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        (1..).map_while(|n| self.values.get(&format!("arg_{n}")).map(String::as_str))
    }
}

/// Cuts what comes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    ///
    /// # Errors
    /// [`TooLong`].
    pub(super) fn next_line(&mut self) -> Result<Option<String>, TooLong> {
        match self.buffer.iter().position(|b| *b == b'\n') {
            Some(end) if end <= LINE => {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = &line[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                Ok(Some(String::from_utf8_lossy(line).into_owned()))
            }
            None if self.buffer.len() <= LINE => Ok(None),
            _ => Err(TooLong),
        }
    }
}

/// What a line of Asterisk's means to somebody who has given a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The command was done, or refused: in both cases it is over.
    Over,
    /// The caller has hung up.
    Hangup,
    /// More of the answer follows.
    More,
}

/// Reads one line behind a command.
pub(super) fn reply(line: &str) -> Reply {
    let bytes = line.as_bytes();
    if line == "HANGUP" {
        Reply::Hangup
    } else if bytes.len() >= 4 && bytes[..3].iter().all(u8::is_ascii_digit) && bytes[3] == b' ' {
        Reply::Over
    } else {
        Reply::More
    }
}

/// Variables to be set, in order; each name once, the first wins.
#[derive(Debug, Default)]
pub(super) struct Variables {
    set: Vec<(String, String)>,
    /// How many did not fit.
    pub(super) left_out: usize,
}

impl Variables {
    /// Sets `CTI_` and the name in capitals.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = variable(name);
        if self.set.iter().any(|(known, _)| *known == name) {
            return;
        }
        if self.set.len() < VARIABLES {
            self.set.push((name, value.into()));
        } else {
            self.left_out += 1;
        }
    }

    /// Sets one for each member of an output.
    pub(super) fn set_all(&mut self, output: &Object) {
        for (name, value) in output.iter() {
            self.set(name, text(value));
        }
    }

    /// The value that a name was given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let name = variable(name);
        self.set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The commands, and the names of those whose value was cut.
    pub(super) fn commands(&self) -> (Vec<String>, Vec<&str>) {
        let mut cut = Vec::new();
        let commands = self.set.iter().map(|(name, value)| {
            let (command, whole) = set_variable(name, value);
            if !whole {
                cut.push(name.as_str());
            }
            command
        });
        (commands.collect(), cut)
    }
}

/// `CTI_` and the name, in what the dialplan can read: capitals, digits and `_`.
pub(super) fn variable(name: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("CTI_{}", name.chars().map(clean).take(NAME - 4).collect::<String>())
}

/// A value as one line of text: `1` and `0` for yes and no, JSON for lists and objects.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => u8::from(*yes).to_string(),
        Value::Number(number) => number.as_str().to_owned(),
        Value::String(text) => text.to_string(),
        Value::Array(_) | Value::Object(_) => codec::encode_value(value).to_string(),
    }
}

/// The command that sets a variable to exactly this text, and whether it is the whole text. Control characters become blanks,
/// and what Asterisk could not read as one command is cut off.
fn set_variable(name: &str, value: &str) -> (String, bool) {
    let mut command = format!("SET VARIABLE {name} \"");
    let mut whole = true;
    for c in value.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if command.len() + c.len_utf8() + 1 > COMMAND - 4 {
            whole = false;
            break;
        }
        // Inside quotes a backslash takes the meaning away from what follows it.
        if matches!(c, '"' | '\\') {
            command.push('\\');
        }
        command.push(c);
    }
    command.push_str("\"\n");
    (command, whole)
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Text;
    use proptest::prelude::*;

    use super::*;

    /// Reads a command as Asterisk does (`parse_args` of res_agi).
    fn read(command: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
        for c in command.trim_end_matches('\n').chars() {
            match c {
                '"' if !escaped => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' | '\t' if !quoted && !escaped => words.extend(word.take()),
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                c => word.get_or_insert_default().push(c),
            }
            escaped = false;
        }
        words.extend(word);
        words
    }

    #[test]
    fn a_header_is_read_line_by_line() {
        let mut header = Header::default();
        let mut lines = Lines::default();
        lines.push(b"agi_network: yes\nagi_callerid: 79001112233\r\nagi_dnid: unknown\nagi_arg_1: a=1\nagi_ar");
        while let Some(line) = lines.next_line().unwrap() {
            header.line(&line);
        }
        lines.push(b"g_2: \nagi_arg_4: x\nnonsense\n\n");
        let mut last = None;
        while let Some(line) = lines.next_line().unwrap() {
            header.line(&line);
            last = Some(line);
        }
        assert_eq!(last.as_deref(), Some(""));
        assert_eq!((header.get("callerid"), header.get("dnid"), header.get("never")), ("79001112233", "", ""));
        assert_eq!(header.arguments().collect::<Vec<_>>(), ["a=1", ""]);
    }

    #[test]
    fn a_line_without_an_end_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LINE]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"xx\n");
        assert_eq!(lines.next_line(), Err(TooLong));
    }

    #[test]
    fn replies_are_told_from_the_hang_up() {
        assert_eq!(reply("200 result=1 (x)"), Reply::Over);
        assert_eq!(reply("511 Command Not Permitted on a dead channel"), Reply::Over);
        assert_eq!(reply("520-Invalid command syntax.  Proper usage follows:"), Reply::More);
        assert_eq!(reply("HANGUP"), Reply::Hangup);
        assert_eq!(reply(""), Reply::More);
    }

    #[test]
    fn names_become_variables() {
        assert_eq!(variable("clientId"), "CTI_CLIENTID");
        assert_eq!(variable("a-b c\n\"имя"), "CTI_A_B_C_____");
        assert_eq!(variable(&"x".repeat(500)).len(), NAME);
    }

    #[test]
    fn values_become_texts() {
        let object = Object::new().with("a", Value::Array(vec![Value::Bool(true), Value::Null]));
        assert_eq!(text(&Value::Bool(true)), "1");
        assert_eq!(text(&Value::Null), "");
        assert_eq!(text(&Value::String(Text::from_static("Ян \"x\""))), "Ян \"x\"");
        assert_eq!(text(&Value::Object(object)), "{\"a\":[true,null]}");
    }

    #[test]
    fn a_value_cannot_become_a_command() {
        let (command, whole) = set_variable("CTI_X", "a\"\nEXEC System \"rm\\");
        assert!(whole);
        assert_eq!(command.matches('\n').count(), 1);
        assert_eq!(read(&command), ["SET", "VARIABLE", "CTI_X", "a\" EXEC System \"rm\\"]);
        let (command, whole) = set_variable("CTI_X", &"\"я".repeat(3000));
        assert!(!whole && command.len() < COMMAND, "{}", command.len());
        assert_eq!(read(&command).len(), 4);
    }

    #[test]
    fn the_first_of_two_values_is_kept_and_their_number_is_bounded() {
        let mut variables = Variables::default();
        variables.set("status", "OK");
        variables.set("STATUS", "forged");
        for n in 0..100 {
            variables.set(&format!("v{n}"), "");
        }
        assert_eq!(variables.get("status"), Some("OK"));
        assert_eq!((variables.commands().0.len(), variables.left_out), (VARIABLES, 101 - VARIABLES));
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_is_but_for_control_characters(value in any::<String>()) {
            let (command, whole) = set_variable("CTI_X", &value);
            prop_assert!(command.len() < COMMAND);
            prop_assert_eq!(command.matches('\n').count(), 1);
            if whole {
                let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                let words = read(&command);
                prop_assert_eq!(words.len(), 4);
                prop_assert_eq!(&words[3], &clean);
            }
        }

        #[test]
        fn any_bytes_are_lines_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut lines = Lines::default();
            lines.push(&bytes);
            while let Ok(Some(line)) = lines.next_line() {
                let _ = reply(&line);
                Header::default().line(&line);
            }
        }
    }
}
