//! A real Asterisk with phones for stories that are told elsewhere, in a browser say: orders come in as lines of JSON, each
//! is answered with a line. It ends with its input.
//!
//! The orders are those of the simulator's interface: `incoming`, `answer`, `hangup`, `hold`, `keys`, `phone`; and `dial`
//! (`number`, `to`), `refer` (`number`, `to`), `busy` (`number`, `busy`), `quiet`, and `end`.

#![allow(clippy::unwrap_used, reason = "a stage that cannot be set is none")]
#![allow(dead_code, reason = "the stories beside this need more")]

mod dialplan;
mod phones;
mod ports;
mod server;
mod sip;
mod voice;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use dialplan::{HOUSE, TRUNK_IP};
use phones::{Manner, Phones};
use server::{Asterisk, Ports, SECRET, USER};

/// How long a phone may take to get where an order wants it.
const SOON: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let ports = Ports::free((TRUNK_IP, 0).into());
    let sip = (Ipv4Addr::LOCALHOST, ports.sip).into();
    let world = Phones::at(TRUNK_IP, sip).await;
    let house = Phones::at(Ipv4Addr::LOCALHOST, sip).await;
    let asterisk = Asterisk::start(Ports { trunk: world.address(), ..ports }).await;
    say(&json!({
        "ami": asterisk.ports.ami,
        "agi": asterisk.ports.agi,
        "user": USER,
        "secret": SECRET,
        "recordings": asterisk.recordings(),
    }));
    let (orders, mut lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| orders.send(line)));
    while let Some(line) = lines.recv().await {
        let order: Value = serde_json::from_str(&line).unwrap();
        if order["op"] == "end" {
            break;
        }
        // Each order in a task of its own: one that fails must not take the stage with it.
        let (house, world) = (house.clone(), world.clone());
        let done = tokio::spawn(async move { follow(&house, &world, &order).await }).await;
        say(&match done {
            Ok(()) => json!({ "result": 1 }),
            Err(why) => json!({ "result": 0, "error": why.to_string() }),
        });
    }
    asterisk.stop();
}

#[expect(clippy::print_stdout, reason = "this is how it answers")]
fn say(what: &Value) {
    println!("{what}");
}

async fn follow(house: &Phones, world: &Phones, order: &Value) {
    let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let flag = |name: &str| order[name].as_bool().unwrap_or_default();
    let number = text("number");
    let bank = if number.len() > 4 { world } else { house };
    match order["op"].as_str().unwrap_or_default() {
        "incoming" => world.dial(&text("caller"), &text("name"), &text("called")).await,
        "dial" => bank.dial(&number, "", &text("to")).await,
        "answer" => bank.answer(&number).await,
        "hangup" => bank.hang_up(&number).await,
        "hold" => bank.hold(&number, flag("held")).await,
        "refer" => bank.refer(&number, &text("to")).await,
        "keys" => {
            for key in text("keys").chars() {
                bank.press(&number, key).await;
            }
        }
        "phone" if flag("connected") => house.register(&number).await,
        "phone" => house.unregister(&number).await,
        "busy" => bank.manner(&number, if flag("busy") { Manner::Busy } else { Manner::Rings }),
        "quiet" => {
            house.quiet().await;
            world.quiet().await;
            for number in HOUSE {
                house.manner(&number.to_string(), Manner::Rings);
                house.register(&number.to_string()).await;
            }
        }
        other => panic!("there is no order {other}"),
    }
}
