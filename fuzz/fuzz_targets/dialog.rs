//! One connection under any order of frames, verdicts and jumps of the clock.
#![no_main]

use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::auth::{Identity, LoginBy, LoginError, Proof};
use ctigate_proto::codec::{Limits, decode};
use ctigate_proto::dialog::{Dialog, Output, Role, Settings};
use ctigate_proto::message::{Format, Text};
use libfuzzer_sys::fuzz_target;

// The first byte chooses the connection; then each byte is a step, and 0xFF-separated runs are texts.
fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let format = [Some(Format::Json), Some(Format::Xml), None][usize::from(kind % 3)];
    let link = kind & 4 != 0;
    let identity = Identity::link("crm", Proof::open_listener());
    let role = if link { Role::Link(identity) } else { Role::Tab };
    let base = if link { Settings::link() } else { Settings::tab() };
    let settings = Settings {
        max_message: 4096,
        max_message_guest: 1024,
        max_multipart: 8192,
        redirect: kind & 8 != 0,
        socket: kind & 16 == 0,
        ..base
    };
    let mut now = Time::ZERO;
    let mut dialog = Dialog::new(now, role, format, settings);
    let mut closed = false;
    settle(&mut dialog, format, &mut closed);
    while let Some((step, after)) = rest.split_first() {
        rest = after;
        match step % 8 {
            0..=3 => {
                let end = rest.iter().position(|b| *b == 0xff).unwrap_or(rest.len());
                if let Ok(text) = Text::try_from(&rest[..end]) {
                    dialog.handle_text(now, &text);
                }
                rest = &rest[(end + 1).min(rest.len())..];
            }
            4 => {
                now = now + Duration::from_millis(u64::from(*step) * 100);
                dialog.handle_timeout(now);
            }
            5 => {
                // To the next deadline: it must be met, or the machine would be asked for ever.
                if let Some(due) = dialog.poll_timeout() {
                    now = now.max(due);
                    dialog.handle_timeout(now);
                    settle(&mut dialog, format, &mut closed);
                    assert!(dialog.poll_timeout().is_none_or(|next| next > now), "a deadline that does not pass");
                }
            }
            6 => {
                let verdict = if step & 8 == 0 {
                    Ok(Identity::user("ivanov", LoginBy::Password, Proof::slow_hash()))
                } else {
                    Err(LoginError::WrongPassword)
                };
                dialog.handle_verdict(now, verdict);
            }
            _ => dialog.handle_alive(now),
        }
        settle(&mut dialog, format, &mut closed);
    }
});

/// Takes everything out. After a close nothing more comes; what is sent can be read.
fn settle(dialog: &mut Dialog, format: Option<Format>, closed: &mut bool) {
    while let Some(output) = dialog.poll_output() {
        assert!(!*closed, "after the close: {output:?}");
        match output {
            Output::Transmit(text) => {
                let limits = Limits { qid: usize::MAX, depth: 128 };
                decode(format.expect("nothing is sent without a format"), &text, &limits).expect("our own text");
            }
            Output::Deliver(_) => assert!(dialog.is_open()),
            Output::Close(reason) => {
                assert!(!reason.text.is_empty() || reason.code == 1000);
                *closed = true;
            }
            Output::Opened(_) | Output::Authenticate(_) | Output::Ping | Output::Odd(_) => {}
        }
    }
    if *closed {
        assert!(dialog.poll_timeout().is_none());
    }
}
