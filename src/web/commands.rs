//! The HTTP commands of programs: scripts, states, calls, by Basic as a user with the right `webapi`. `docs/http-api.md`.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctigate_proto::codec;
use ctigate_proto::hub::input::{Ask, Run};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{Body, CallError, Object, Text, Value};

use super::people::{Given, People, Refusal, status};
use super::xml::{Document, query_result};

const XML: &str = "text/xml; charset=utf-8";

/// A program and what it gave.
struct Command<'a> {
    people: &'a People,
    login: Text,
    given: Given,
}

impl<'a> Command<'a> {
    async fn of(people: &'a People, request: Request) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let login = people.who(&head).await?;
        Ok(Self { people, login, given: Given::of(&head, body).await? })
    }

    /// Runs a method in the name of whom a parameter names.
    async fn run(&self, who: &str, method: &'static str, body: Body) -> Result<Body, Failed> {
        let run = Run {
            login: self.login.clone(),
            user: self.given.get(who).into(),
            handed_on: false,
            method: method.into(),
            body,
        };
        match self.people.door.ask(Ask::Run(run)).await {
            Answer::Ran(body) => Ok(body),
            Answer::Refused(error) => Err(Failed::Call(error)),
            _ => Err(Failed::Other),
        }
    }

    fn needed(&self, name: &str) -> Result<&str, Failed> {
        match self.given.get(name) {
            "" => Err(Failed::Call(CallError::new(
                ctigate_proto::message::Code::BadRequest,
                format!("the parameter {name} is missing"),
            ))),
            value => Ok(value),
        }
    }
}

/// A command that was not carried out.
enum Failed {
    Call(CallError),
    Other,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Call(error) => {
                let code = error.code.map_or(0, |code| code.number());
                xml(status(&error), query_result(code, &error.errormsg()))
            }
            Self::Other => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

fn xml(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, XML)], text).into_response()
}

fn done() -> Response {
    xml(StatusCode::OK, query_result(1, "OK"))
}

/// Carries a command out and answers it.
macro_rules! command {
    ($(#[doc = $doc:literal])* $name:ident, $command:ident => $body:expr) => {
        $(#[doc = $doc])*
        pub(super) async fn $name(State(people): State<People>, request: Request) -> Result<Response, Refusal> {
            let $command = Command::of(&people, request).await?;
            let answer: Result<Response, Failed> = async { $body }.await;
            Ok(answer.unwrap_or_else(IntoResponse::into_response))
        }
    };
}

command! {
    /// Starts a scenario and, unless `async` is set, waits for its end.
    script, command => {
        let reply = start_script(&command).await?;
        let value = reply.text("returnvalue").unwrap_or_default();
        let mut document = Document::new("execsvcscript", 1);
        document.set("result", None, |d| {
            d.simple("started", "1", None);
            d.simple("startresult", "0", Some("OK"));
            d.long("returnvalue", &value);
        });
        Ok(xml(StatusCode::OK, document.finish()))
    }
}

command! {
    /// The same; the body is what the scenario returned and nothing else.
    script_plain, command => {
        let value = start_script(&command).await?.text("returnvalue").unwrap_or_default();
        Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], value.to_string()).into_response())
    }
}

async fn start_script(command: &Command<'_>) -> Result<Body, Failed> {
    let mut parameters = Vec::new();
    for n in 1..=64 {
        let name = format!("startparam{n}");
        if !command.given.has(&name) {
            break;
        }
        parameters.push(Value::from(command.given.get(&name).to_owned()));
    }
    let mut body = Body::new().with("scriptname", command.needed("name")?.to_owned()).with("startparams", parameters);
    body.set("waitresponse", !command.given.flag("async"));
    let timeout = command.given.get("timeout");
    if !timeout.is_empty() {
        body.set("waittimeoutsec", timeout.to_owned());
    }
    command.run("", "execsvcscript", body).await
}

command! {
    /// A user's state.
    user_state, command => {
        command.needed("iduser")?;
        let state = command.run("iduser", "getuserstate", Body::new()).await?;
        let text = |name: &str| state.text(name).unwrap_or_default();
        let mut document = Document::new("userstate", 1);
        document.set("user", Some(&text("userid")), |d| {
            d.simple("id", &text("userid"), None);
            d.simple("login", &text("userlogin"), None);
            d.simple("state", &text("userstateid"), Some(&text("userstatestr")));
            for flag in ["oncallcenter", "onccmanual", "onlunch", "onredirect", "ontask"] {
                d.simple(flag, if state.flag(flag) == Some(true) { "1" } else { "0" }, None);
            }
        });
        Ok(xml(StatusCode::OK, document.finish()))
    }
}

command! {
    /// All queues with who waits in them, as JSON.
    queues, command => {
        let reply = command.run("", "gettotalqueue", Body::new()).await?;
        let queues = codec::encode_value(&reply.value("result").unwrap_or(Value::Array(Vec::new())));
        Ok(([(header::CONTENT_TYPE, "application/json")], queues.to_string()).into_response())
    }
}

command! {
    /// Dials a number for a user, or calls a second party in a talk.
    switch_call, command => {
        command.needed("user")?;
        let number = command.needed("number")?.to_owned();
        command.run("user", "pbxautocallstart", Body::new().with("number", number)).await?;
        Ok(done())
    }
}

command! {
    /// Stops dialling for a user.
    stop_dialling, command => {
        command.needed("user")?;
        command.run("user", "pbxautocallabort", Body::new()).await?;
        Ok(done())
    }
}

command! {
    /// Holds, swaps, or returns.
    flash, command => {
        command.needed("user")?;
        let mode = command.given.get("mode");
        let body = if mode.is_empty() { Body::new() } else { Body::new().with("mode", mode.to_owned()) };
        command.run("user", "pbxmakeflash", body).await?;
        Ok(done())
    }
}

command! {
    /// Takes a user into the call centre or out of it, and what else there is of a state.
    set_user_state, command => {
        command.needed("user")?;
        let mut body = Body::new();
        for name in ["userstateid", "oncallcenter", "onccmanual", "onredirect", "lunchreasonid", "lunchreasonmsg"] {
            let value = command.given.get(name);
            if !value.is_empty() {
                body.set(name, value.to_owned());
            }
        }
        command.run("user", "setuserstate", body).await?;
        Ok(done())
    }
}

command! {
    /// With whom a user talks.
    party, command => {
        command.needed("user")?;
        let line = command.run("user", "getextendedlineinfo", Body::new()).await?;
        let mut document = Document::new("abonentinfo", 1);
        document.set("line", None, |d| d.object(&line.open()));
        Ok(xml(StatusCode::OK, document.finish()))
    }
}

command! {
    /// What happened to a user's call, or to the one that `chainid` names.
    chain, command => {
        command.needed("user")?;
        let named = command.given.get("chainid");
        let body = if named.is_empty() { Body::new() } else { Body::new().with("chainid", named.to_owned()) };
        let content = command.run("user", "getchaincontent", body).await?.object("content").unwrap_or_default();
        let steps = content.get("trace").and_then(Value::as_array).unwrap_or_default();
        let chain = content.get("chainid").and_then(Value::to_text).unwrap_or_default();
        let mut document = Document::new("chaincontent", steps.len());
        for step in steps.iter().map(|step| step.as_object().cloned().unwrap_or_else(Object::new)) {
            document.set("step", Some(&chain), |d| d.object(&step));
        }
        Ok(xml(StatusCode::OK, document.finish()))
    }
}
