//! The rows: for each method how it is answered when all is right, and what it is told when something is not.

mod people;
mod phones;
mod services;

use ctigate_proto::telephony::Refusal;

use super::Row;
use super::scene::Scene::{self, *};
use super::scene::{CONFERENCE, LINES};

/// A session that nobody has, a chain, a competitor, a rule, a form that never was.
const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// Answered with result 1, under its name, with the fields of the catalogue.
fn ok(scene: Scene, fields: impl Into<String>) -> Row {
    Row { scene, fields: fields.into(), code: 0, says: String::new(), exchange: Ok(()) }
}

/// Refused with this code; the text says this.
fn no(scene: Scene, fields: impl Into<String>, code: i64, says: &str) -> Row {
    Row { scene, fields: fields.into(), code, says: says.to_owned(), exchange: Ok(()) }
}

/// The telephone system says no.
fn exchange(scene: Scene, fields: &str, refusal: Refusal, code: i64) -> Row {
    Row { exchange: Err(refusal), ..no(scene, fields, code, "") }
}

/// Refused without a code, with a text that known clients compare.
fn bare(scene: Scene, fields: &str, text: &str) -> Row {
    no(scene, fields, -1, text)
}

/// In each state of the line: done in these, refused in the others with this code. Nobody dials without a phone.
fn lines(fields: &str, good: &[Scene], code: i64) -> Vec<Row> {
    let each = |scene: &Scene| match good.contains(scene) {
        true => ok(*scene, fields),
        false => no(*scene, fields, code, ""),
    };
    let mut rows: Vec<Row> = LINES.iter().map(each).collect();
    rows.extend(phone(good[0], fields));
    rows
}

/// What everybody needs who does something with a phone: one, and a telephone system that answers.
fn phone(scene: Scene, fields: &str) -> Vec<Row> {
    let mut rows = vec![
        no(NoNumber, fields, 59005, "ivanov has no number"),
        no(Unreachable, fields, 59005, "101"),
        exchange(scene, fields, Refusal::WrongState, 59006),
        exchange(scene, fields, Refusal::NoPhone, 59005),
        exchange(scene, fields, Refusal::Down, 59005),
    ];
    if scene == Idle {
        rows.push(no(DumbExchange, fields, 59011, "the telephone system"));
    }
    rows
}

/// Numbers that are none, in a field.
fn numbers(scene: Scene, before: &str, after: &str, field: &str) -> Vec<Row> {
    let digits = "1".repeat(200);
    let none = ["", " ", "abc", "10x", "１０２", "٣٤٥", "10\u{200b}2", "+", "++7", "1+2", "102;103", "-()", &digits];
    none.iter().map(|n| no(scene, format!("{before}\"{n}\"{after}"), 59002, field)).collect()
}

/// Fields with values that are refused, each with its code.
fn all(scene: Scene, rows: &[(&str, i64, &str)]) -> Vec<Row> {
    rows.iter().map(|(fields, code, says)| no(scene, *fields, *code, says)).collect()
}

fn conference(id: &str, more: &str, competitors: &str) -> String {
    format!(r#""conference":{{"id":{id}{more}}},"competitors":[{competitors}]"#)
}

fn in_conference(more: &str) -> String {
    format!(r#""conferenceid":"{CONFERENCE}"{more}"#)
}

/// A conference that is none, or not for ivanov.
fn no_conference(more: &str) -> Vec<Row> {
    let mut rows = vec![
        no(Confer, format!(r#""conferenceid":false{more}"#), 59008, "false"),
        no(Confer, format!(r#""conferenceid":"false"{more}"#), 59008, "false"),
        no(Confer, format!(r#""conferenceid":""{more}"#), 59008, "conferenceid"),
        no(Confer, format!(r#""conferenceid":"{NOBODY}"{more}"#), 59008, NOBODY),
        no(Confer, format!(r#""conferenceid":"{}"{more}"#, "ж".repeat(200)), 59008, "жжж"),
    ];
    rows.extend([OthersConfer, PastConference].map(|scene| no(scene, in_conference(more), 59008, CONFERENCE)));
    rows
}

/// A chat that is none, or not ivanov's.
fn no_chat(more: &str) -> Vec<Row> {
    vec![
        no(Chat, format!(r#""chatid":"{NOBODY}"{more}"#), 59014, "chatid"),
        no(Chat, format!(r#""chatid":""{more}"#), 59014, "chatid"),
        no(OthersChat, format!(r#""chatid":"$chat"{more}"#), 59014, "chatid"),
    ]
}

/// A form that is none, not ivanov's, or answered.
fn no_form(field: &str, more: &str) -> Vec<Row> {
    vec![
        no(Card, format!(r#""{field}":"{NOBODY}"{more}"#), 59014, "no such form"),
        no(Card, format!(r#""{field}":""{more}"#), 59002, field),
        no(PetrovsCard, format!(r#""{field}":"$card"{more}"#), 59014, "no such form"),
        no(AnsweredCard, format!(r#""{field}":"$card"{more}"#), 59013, "by ivanov"),
    ]
}

/// Methods with their rows.
pub(super) type Table = Vec<(&'static str, Vec<Row>)>;

/// Every method with its rows.
pub(super) fn table() -> Table {
    [
        people::session(),
        people::user(),
        people::words(),
        phones::call(),
        phones::own_line(),
        phones::conferences(),
        phones::ghosts(),
        services::files_and_procedures(),
        services::dynamic_and_forms(),
    ]
    .concat()
}
