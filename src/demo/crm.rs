//! A small CRM: says who a client is, takes down how a call ended.

use std::time::{Duration, Instant};

use ctigate_proto::Time;
use ctigate_proto::codec::multipart::{self, Assembler, SetLimits};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::message::{Body, Envelope, Format, Object, Text, Value};
use tokio_util::sync::CancellationToken;

use crate::config::Link;
use crate::transport::client::{Client, Ended};

const CONTRACT: &str = include_str!("../../examples/contract.json");
const CLIENTS: &str = include_str!("../../examples/clients.json");

/// How long it waits before it connects again.
const AGAIN: Duration = Duration::from_secs(1);

/// Connects and serves until `stop`; connects again when the link is lost. `say` is told what happens, a line each.
pub async fn run(link: &Link, stop: CancellationToken, say: impl Fn(String)) {
    let mut told = String::new();
    loop {
        let mut crm = Crm { linked: false };
        let ended = tokio::select! {
            ended = crm.serve(link, &say) => ended,
            () = stop.cancelled() => return,
        };
        if crm.linked || ended.0 != told {
            say(format!("{ended}; connecting again"));
        }
        told = ended.0;
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Crm {
    linked: bool,
}

impl Crm {
    /// One connection, from its beginning to its end.
    async fn serve(&mut self, link: &Link, say: &impl Fn(String)) -> Ended {
        let mut gateway = match Client::connect(link).await {
            Ok(client) => client,
            Err(ended) => return ended,
        };
        let hello = Envelope::new("whoareyou", ourselves("demo-1".into()));
        if let Err(ended) = gateway.send(&text(&hello)).await {
            return ended;
        }
        let began = Instant::now();
        let mut packets = Assembler::new(SetLimits::default());
        loop {
            let message = match gateway.next().await {
                Ok(message) => message,
                Err(ended) => return ended,
            };
            let now = Time::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
            let envelope = match read(&message, now, &mut packets) {
                Ok(Some(envelope)) => envelope,
                Ok(None) => continue,
                Err(error) => {
                    say(format!("unreadable: {error}"));
                    continue;
                }
            };
            for reply in self.answer(&envelope, say) {
                if let Err(ended) = gateway.send(&text(&reply)).await {
                    return ended;
                }
            }
        }
    }

    /// What this CRM answers to a message.
    fn answer(&mut self, envelope: &Envelope, say: &impl Fn(String)) -> Vec<Envelope> {
        let body = &envelope.body;
        let qid = || body.value("qid").unwrap_or(Value::Null);
        let reply = Body::new().with("qid", qid());
        match &*envelope.name {
            "whoareyou" => vec![Envelope::new("iam", ourselves(qid()))],
            "iam" => {
                self.linked = true;
                say(format!("linked with {}", body.text("name").unwrap_or_default()));
                Vec::new()
            }
            "ping" => vec![Envelope::new("pong", body.clone())],
            "getavailablemethods" => {
                vec![Envelope::new("availablemethods", reply.with("result", 1).with("methods", contract("methods")))]
            }
            "getavailableforms" => {
                vec![Envelope::new("availableforms", reply.with("result", 1).with("forms", contract("forms")))]
            }
            "getactiveusers" => vec![Envelope::new("activeusers", reply.with("users", Vec::new()))],
            "executemethod" => {
                let input = body.object("inputparameters").unwrap_or_default();
                let name = body.text("name").unwrap_or_default();
                let id = body.value("executionid").unwrap_or(Value::Null);
                let result = execute(&name, &input);
                say(format!("{name} {} -> {}", json(&input), result.as_ref().map_or_else(Clone::clone, json)));
                let reply = reply.with("executionid", id);
                vec![Envelope::new(
                    "methodresult",
                    match result {
                        Ok(output) => reply.with("result", 1).with("outputparameters", output),
                        Err(why) => reply
                            .with("result", 0)
                            .with("error", 59002)
                            .with("errormsg", why)
                            .with("outputparameters", Object::new()),
                    },
                )]
            }
            "showform" => vec![Envelope::new("showformresult", reply.with("result", 1))],
            "cancelmethod" | "executemethodwaitaborted" => {
                say("a method is not waited for any more".to_owned());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

/// A message; `None` when it is a packet of a long one that is not whole yet.
fn read(text: &Text, now: Time, packets: &mut Assembler) -> Result<Option<Envelope>, String> {
    let decoded =
        |text: &Text| codec::decode(Format::Json, text, &Limits::default()).map_err(|error| error.to_string());
    let envelope = decoded(text)?;
    if envelope.name != multipart::NAME {
        return Ok(Some(envelope));
    }
    match packets.accept(now, &envelope.body) {
        Ok(whole) => whole.as_ref().map(decoded).transpose(),
        Err(error) => Err(error.to_string()),
    }
}

/// The methods of the contract that are directed to the server.
fn execute(name: &str, input: &Object) -> Result<Object, String> {
    let given = |field: &str| input.get(field).and_then(Value::to_text).unwrap_or_default();
    match name {
        "FindClient" => {
            let phone = given("phone");
            let found = clients().into_iter().find(|c| c.get("phone").and_then(Value::as_str) == Some(&*phone));
            let of = |field: &'static str| found.as_ref().and_then(|c| c.get(field).cloned());
            Ok(["clientid", "name", "manager"]
                .into_iter()
                .fold(Object::new(), |o, field| o.with(field, of(field).unwrap_or_else(|| "".into())))
                .with("vip", of("vip").unwrap_or(Value::Bool(false))))
        }
        "SaveCall" => Ok(Object::new().with("saved", true)),
        other => Err(format!("name: there is no method {other}")),
    }
}

fn ourselves(qid: Value) -> Body {
    Body::new()
        .with("qid", qid)
        .with("type", "demo-crm")
        .with("name", "Demo CRM")
        .with("version", env!("CARGO_PKG_VERSION"))
}

fn contract(part: &str) -> Value {
    match codec::decode_value(&Text::from_static(CONTRACT), 64) {
        Ok(Value::Object(contract)) => contract.get(part).cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn clients() -> Vec<Object> {
    match codec::decode_value(&Text::from_static(CLIENTS), 64) {
        Ok(Value::Array(items)) => items.iter().filter_map(|i| i.as_object().cloned()).collect(),
        _ => Vec::new(),
    }
}

fn text(envelope: &Envelope) -> Text {
    codec::encode(envelope, Format::Json)
}

fn json(object: &Object) -> String {
    codec::encode_value(&Value::Object(object.clone())).to_string()
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Number;

    use super::*;

    #[test]
    fn the_files_of_the_examples_are_its_contract_and_its_clients() {
        assert!(contract("methods").as_array().is_some_and(|m| m.len() == 3));
        let found = execute("FindClient", &Object::new().with("phone", "79001112233")).unwrap();
        assert_eq!(found.get("manager"), Some(&"ivanov".into()));
        let nobody = execute("FindClient", &Object::new().with("phone", Value::Number(Number::from(1)))).unwrap();
        assert_eq!(nobody.get("manager"), Some(&"".into()));
        assert!(execute("Nothing", &Object::new()).is_err());
    }
}
