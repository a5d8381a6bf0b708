//! The CRM: links that answer every call at once, a batch by one write.

use tokio::net::TcpStream;

use super::frame::{Client, member};
use super::part::argument;

/// One link for each address.
pub(crate) async fn run() {
    let addresses = argument("LINKS");
    let links: Vec<_> =
        addresses.split(' ').enumerate().map(|(n, address)| tokio::spawn(link(n, address.to_owned()))).collect();
    for link in links {
        link.await.unwrap();
    }
}

async fn link(n: usize, address: String) {
    let tcp = TcpStream::connect(&address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut ws = Client::open(tcp, &address, "json").await;
    ws.put(r#"["iam",{"type":"bench","name":"bench","version":"1"}]"#);
    ws.send().await.unwrap();
    let mut reply = String::new();
    loop {
        let Some(text) = ws.next().await else { return };
        answer(n, text, &mut reply);
        loop {
            if !reply.is_empty() {
                ws.put(&reply);
            }
            let Some(text) = ws.next_if_here() else { break };
            answer(n, text, &mut reply);
        }
        if ws.send().await.is_err() {
            return;
        }
    }
}

/// What a CRM that offers `Find{n}` says to a message; empty: nothing.
pub(crate) fn answer(n: usize, text: &str, reply: &mut String) {
    use std::fmt::Write as _;
    reply.clear();
    let qid = member(text, "qid").unwrap_or_default();
    if text.starts_with("[\"executemethod\"") {
        let id = member(text, "executionid").unwrap_or_default();
        let _ = write!(
            reply,
            r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":1,"outputparameters":{{"clientid":"42","vip":true}}}}]"#
        );
    } else if text.starts_with("[\"whoareyou\"") {
        let _ = write!(reply, r#"["iam",{{"qid":"{qid}","type":"bench","name":"bench","version":"1"}}]"#);
    } else if text.starts_with("[\"getavailablemethods\"") {
        let _ = write!(reply, r#"["availablemethods",{{"qid":"{qid}","methods":[{{"name":"Find{n}"}}]}}]"#);
    } else if text.starts_with("[\"getactiveusers\"") {
        println!("linked");
        let _ = write!(reply, r#"["activeusers",{{"qid":"{qid}","users":[]}}]"#);
    }
}
