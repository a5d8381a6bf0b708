//! Telephony as people have it: the real gateway, tabs by WebSocket, and telephones. One list of stories is told twice: with
//! the built-in simulator and with a real Asterisk and real SIP phones; others need the real thing. Every wait has a bound,
//! and nothing waits for time to pass.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]
#![allow(dead_code, reason = "the stories of one telephone system do not need what those of the other do")]

// A real Asterisk, and what it is told.
mod dialplan;
mod ports;
mod server;
// Telephones by SIP.
mod phones;
mod sip;
mod voice;
// A node with people, and either telephone system behind it.
#[path = "../telephony/client.rs"]
mod client;
mod crm;
mod desk;
mod office;
mod proxy;
mod real;
mod simulated;
// The bed itself: phones call each other, with no gateway.
mod bed;
// Stories for every telephone system.
mod suite;
// Stories for Asterisk alone.
mod only;

use std::time::Duration;

/// How long anything may take that is to happen.
const SOON: Duration = Duration::from_secs(15);

/// Asks again and again until the answer is yes.
async fn until(what: &str, mut yes: impl FnMut() -> bool) {
    let asked = async {
        while !yes() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, asked).await.is_ok(), "{what}: not within {} s", SOON.as_secs());
}

/// Waits for what is to happen soon.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(SOON, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not within {} s", SOON.as_secs()))
}
