//! A FastAGI session as the dialplan opens it, and values on their way into variables of the dialplan.
#![no_main]
#![allow(dead_code, unreachable_pub, reason = "the desk uses more of these modules")]
#![allow(unfulfilled_lint_expectations, reason = "what is missing there is asked for by the house alone")]

#[path = "../../src/pbx/asterisk/agi/request.rs"]
mod request;
#[path = "../../src/pbx/asterisk/agi/wire.rs"]
mod wire;

#[path = "../../src/config/units.rs"]
mod units;
mod config {
    pub(crate) use super::units;
}

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wire::{Header, Lines, Variables};

fuzz_target!(|data: &[u8]| {
    let (mut lines, mut header) = (Lines::default(), Header::default());
    lines.push(data);
    let mut bytes = 0;
    while let Ok(Some(line)) = lines.next_line() {
        bytes += line.len();
        let _ = wire::reply(&line);
        if line.is_empty() || bytes > wire::HEADER {
            break;
        }
        header.line(&line);
    }
    let defaults = request::Defaults { timeout: Duration::from_secs(3), route_method: "route" };
    match request::read(&header, defaults) {
        Ok(_) => {}
        Err(why) => assert!(!why.is_empty()),
    }
    // Whatever a CRM answers, it becomes the value of a variable and nothing else: one line, one pair of quotes.
    let mut variables = Variables::default();
    let value = String::from_utf8_lossy(data);
    variables.set(&value, value.as_ref());
    let (commands, _) = variables.commands();
    for command in commands {
        assert!(command.len() < 2048 && command.ends_with("\"\n"), "{command:?}");
        let inside = &command[..command.len() - 2];
        assert!(!inside.contains(char::is_control), "{command:?}");
        let (name, value) =
            inside.strip_prefix("SET VARIABLE ").and_then(|rest| rest.split_once(" \"")).expect("a name and a value");
        assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{command:?}");
        let mut escaped = false;
        for c in value.chars() {
            assert!(escaped || c != '"', "the value ends early: {command:?}");
            escaped = !escaped && c == '\\';
        }
        assert!(!escaped, "the closing quote is no quote: {command:?}");
    }
});
