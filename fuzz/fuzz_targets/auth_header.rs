//! `Authorization` from a client, `WWW-Authenticate` from a server, a ticket in a query.
#![no_main]

use ctigate_proto::Time;
use ctigate_proto::auth::basic::Basic;
use ctigate_proto::auth::digest::{Client, Gate, Refusal, Request, Secret};
use ctigate_proto::auth::{scheme, ticket};
use libfuzzer_sys::fuzz_target;

const REQUEST: Request<'_> = Request { method: "GET", target: "/" };

fuzz_target!(|data: &[u8]| {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let _ = scheme(header);
    if let Ok(basic) = Basic::parse(header) {
        assert_eq!(Basic::parse(&basic.header().expect("it came in one")), Ok(basic));
    }
    if let Some(given) = ticket::of_query(header).as_deref().or(ticket::of_bearer(header)) {
        assert!(ticket::verify(given, "1fb0c9e3d2a84f6b").is_none());
    }
    // Nobody guesses this password, so no header may be accepted.
    let mut gate = Gate::new([0x5a; 32]);
    let secret = Secret::new("crm", "b7e1a0c95d3f4286");
    let refusal = gate.verify(Time::ZERO, REQUEST, header, |_| Some(&secret)).expect_err("a forged answer");
    assert!(!refusal.is_stale() && (refusal.status() == 400 || refusal.status() == 401));
    // Whatever challenge a client answers, its answer can be read, and is made for the realm of that challenge.
    let mut client = Client::new("crm", "b7e1a0c95d3f4286");
    if client.challenged([header]).is_ok()
        && let Some(answer) = client.answer("GET", "/", [7; 16])
    {
        match gate.verify(Time::ZERO, REQUEST, &answer, |_| Some(&secret)) {
            Err(Refusal::Mismatch("realm") | Refusal::Stale) => {}
            other => panic!("{other:?}: {answer:?}"),
        }
    }
});
