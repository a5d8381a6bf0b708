//! Asterisk as a telephone system: by its Manager Interface it is seen and told what to do, by FastAGI its dialplan asks.
//!
//! - [`ami`]: the Manager Interface.

pub mod ami;
