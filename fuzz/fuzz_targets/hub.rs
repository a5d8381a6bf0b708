//! A node under random stories: links, tabs, calls, executions, forms and jumps of the clock in any order. What must hold is
//! checked after every step by the ledger that the property test `interleaving` uses too.
#![no_main]
#![allow(dead_code, reason = "the node in a box serves other stories as well")]

#[path = "../../tests/proto/world/mod.rs"]
mod world;

/// Whether a message fits its schema is shown by the tests; here it would cost most of the time.
mod schema {
    use ctigate_proto::message::Envelope;
    use ctigate_proto::method::Flow;

    pub(crate) fn assert_may_say(_: &Envelope, _: Flow) {}
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| world::story::Story::run(data));
