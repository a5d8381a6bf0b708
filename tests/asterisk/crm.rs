//! A CRM behind an accepting link: it knows whose client calls, and may be slow, wrong or away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::SOON;

/// What it says when it is asked whose client somebody is.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// This inside number's.
    Manager(String),
    /// It fails.
    Failure,
    /// Nothing, for as long as anybody cares to wait.
    Nothing,
}

/// Every message that came, by name.
type Heard = (Mutex<Vec<(String, Value)>>, Notify);

/// A CRM that is connected until it is dropped.
pub(crate) struct Crm {
    says: Arc<Mutex<BTreeMap<String, Says>>>,
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Crm {
    /// Connects to a link and introduces itself.
    pub(crate) async fn connect(link: SocketAddr) -> Self {
        let mut request = format!("ws://{link}/").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "json".parse().unwrap());
        let stream = TcpStream::connect(link).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let says: Arc<Mutex<BTreeMap<String, Says>>> = Arc::default();
        let heard: Arc<Heard> = Arc::default();
        let task = tokio::spawn({
            let (says, heard) = (Arc::clone(&says), Arc::clone(&heard));
            async move {
                while let Some(Ok(frame)) = socket.next().await {
                    let Message::Text(text) = frame else { continue };
                    let (name, body): (String, Value) = serde_json::from_str(&text).expect(&text);
                    let reply = reply(&name, &body, &says);
                    let introduced = name == "getactiveusers";
                    heard.0.lock().unwrap().push((name, body));
                    heard.1.notify_waiters();
                    if let Some(reply) = reply
                        && socket.send(Message::text(reply.to_string())).await.is_err()
                    {
                        return;
                    }
                    if introduced && socket.send(Message::text(r#"["ping",{"qid":"p"}]"#)).await.is_err() {
                        return;
                    }
                }
            }
        });
        let crm = Self { says, heard, task };
        // What was said before it has been heard then.
        crm.hears("pong", |_| true).await;
        crm
    }

    /// What it will say about a caller.
    pub(crate) fn says(&self, phone: &str, says: Says) {
        self.says.lock().unwrap().insert(phone.to_owned(), says);
    }

    /// Waits for a message of this name that is as wanted.
    pub(crate) async fn hears(&self, name: &str, yes: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let more = self.heard.1.notified();
                let found = self.heard.0.lock().unwrap().iter().find(|(n, body)| n == name && yes(body)).cloned();
                match found {
                    Some((_, body)) => return body,
                    None => more.await,
                }
            }
        };
        let found = tokio::time::timeout(SOON, asked).await;
        found.unwrap_or_else(|_| panic!("the CRM did not hear {name}; it heard {:?}", self.heard.0.lock().unwrap()))
    }
}

fn reply(name: &str, body: &Value, says: &Mutex<BTreeMap<String, Says>>) -> Option<Value> {
    let qid = &body["qid"];
    let text = |n: &str| json!({ "name": n, "type": "string" });
    Some(match name {
        "whoareyou" => json!(["iam", { "qid": qid, "type": "test", "name": "test", "version": "1" }]),
        "getavailablemethods" => {
            let method = |n: &str, input: &[&str], out: &str| {
                let input: Vec<Value> = input.iter().map(|n| text(n)).collect();
                json!({ "name": n, "inputparameters": input, "outputparameters": [text(out)] })
            };
            let route = method("GetRoute", &["phone", "called"], "route");
            let methods = json!([method("GetManager", &["phone"], "manager"), route]);
            json!(["availablemethods", { "qid": qid, "result": 1, "methods": methods }])
        }
        "getavailableforms" => {
            let card = json!({ "name": "clientcard", "inputparameters": [text("phone")], "outputparameters": [text("resultcode")] });
            json!(["availableforms", { "qid": qid, "result": 1, "forms": [card] }])
        }
        "getactiveusers" => json!(["activeusers", { "qid": qid, "result": 1, "users": [] }]),
        "executemethod" => {
            let id = &body["executionid"];
            let phone = body["inputparameters"]["phone"].as_str().unwrap_or_default();
            let said = says.lock().unwrap().get(phone).cloned();
            match said {
                Some(Says::Manager(number)) => {
                    let output = if body["name"] == "GetRoute" { "route" } else { "manager" };
                    json!(["methodresult", { "executionid": id, "result": 1, "outputparameters": { output: number } }])
                }
                Some(Says::Failure) => {
                    json!(["methodresult", { "executionid": id, "result": 0, "error": 1, "errormsg": "no database" }])
                }
                Some(Says::Nothing) | None => return None,
            }
        }
        _ => return None,
    })
}
