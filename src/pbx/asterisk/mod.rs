//! Asterisk as a telephone system: by its Manager Interface it is seen and told what to do, by FastAGI its dialplan asks.
//!
//! - [`ami`]: the Manager Interface.
//! - [`machine`]: what is known of the PBX, the facts that follow, and the orders to it; pure.

pub mod ami;
pub mod machine;
