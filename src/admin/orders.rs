//! `POST /api/v1/sim`: what people may do to the simulated telephone system.

use axum::extract::Request;
use axum::response::Response;
use ctigate_proto::message::Object;

use crate::pbx::{Control, Done};

use super::{Door, Failure, body, json};

/// Follows `{"op":"incoming","caller":…,"called":…,"name":…}`, `{"op":"answer","number":…}`, `{"op":"hangup","number":…}`,
/// `{"op":"hold","number":…,"held":…}`, `{"op":"keys","number":…,"keys":…}`, `{"op":"fax","number":…,"pages":…}`, `{"op":"phone","number":…,"connected":…}`,
/// `{"op":"play","timeline":…}` or `{"op":"picture"}`.
///
/// # Errors
/// The body is none of these, or the telephone system refused: why.
pub async fn give(door: &dyn Door, request: Request) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let op = fields.needed("op")?;
    let control = match &*op {
        "incoming" => Control::Incoming {
            caller: fields.needed("caller")?,
            called: fields.needed("called")?,
            name: fields.text("name")?,
        },
        "answer" => Control::Answer { number: fields.needed("number")? },
        "hangup" => Control::Hangup { number: fields.needed("number")? },
        "hold" => Control::Hold { number: fields.needed("number")?, held: fields.flag("held")? },
        "keys" => Control::Keys { number: fields.needed("number")?, keys: fields.needed("keys")? },
        "fax" => Control::Fax { number: fields.needed("number")?, pages: fields.count("pages")? },
        "picture" => Control::Picture,
        "phone" => Control::Phone { number: fields.needed("number")?, connected: fields.flag("connected")? },
        "play" => Control::Play { timeline: fields.needed("timeline")?.to_string() },
        _ => return Err(Failure::bad("op is none of incoming, answer, hangup, hold, keys, fax, phone, play, picture")),
    };
    fields.finish()?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (done, message) = match door.control(control).await? {
        Done::Nothing => (Object::new(), "done".to_owned()),
        Done::Call(call) => {
            let message = format!("the call has begun: {}", call.0);
            (Object::new().with("chainid", call.0), message)
        }
        Done::Playing { scenarios, cues } => {
            let done = Object::new().with("scenarios", count(scenarios)).with("cues", count(cues));
            (done, format!("scenarios taken over: {scenarios}; things that will happen: {cues}"))
        }
        Done::Picture(picture) => return Ok(json(&(*picture).into())),
    };
    Ok(json(&done.with("message", message).into()))
}
