//! The machine against what a real Asterisk said. A transcript is a run of Asterisk 22 with SIP phones: each line has the
//! moment in microseconds, and then
//!
//! - `wall N`: the connection stands, and the wall clock says so;
//! - `lost`: the connection is gone;
//! - `< Key: value<TAB>...`: Asterisk says something (what an event says again about a channel is left out);
//! - `> Action: ...`: the machine sent this;
//! - `tick`: time has passed;
//! - `! 101 dial 102`: a person wants something.
//!
//! Played again, the machine must send the same, and tell what the test expects.

mod numbers;
mod orders;
mod play;
mod seen;

pub(super) use play::{Told, play, play_with};
