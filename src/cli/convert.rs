//! `convert`: one message between JSON and XML, by the codecs of the gateway.

use std::io::Read;
use std::path::Path;

use ctigate_proto::codec::{self, Limits};
use ctigate_proto::message::{Format, Text};

use super::Failure;
use super::args::Written;
use super::terminal::Terminal;

/// The longest message that is read.
const LONGEST: u64 = 64 << 20;

pub(super) fn convert(to: Written, file: Option<&Path>, terminal: &mut Terminal) -> Result<(), Failure> {
    let text = read(file)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim();
    let from = match text.bytes().next() {
        None => return Err(Failure::new("there is no message to convert")),
        Some(b'<') => Format::Xml,
        Some(_) => Format::Json,
    };
    let to = match to {
        Written::Json => Format::Json,
        Written::Xml => Format::Xml,
    };
    let envelope = codec::decode(from, &Text::from(text), &Limits::default()).map_err(|error| {
        let (line, column) = place(text, error.at);
        Failure::new(format!(
            "this is no message in {}: {} at line {line}, column {column}; expected {}",
            from.word(),
            error.what,
            error.expected
        ))
    })?;
    Ok(terminal.line(&codec::encode(&envelope, to))?)
}

fn read(file: Option<&Path>) -> Result<String, Failure> {
    let mut text = String::new();
    let (name, read) = match file {
        None => ("standard input".to_owned(), std::io::stdin().take(LONGEST).read_to_string(&mut text)),
        Some(path) => {
            let opened = std::fs::File::open(path);
            (path.display().to_string(), opened.and_then(|file| file.take(LONGEST).read_to_string(&mut text)))
        }
    };
    read.map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    Ok(text)
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
