//! ctigate: a gateway between telephone systems and web CRMs. Modules, bottom to top:
//!
//! - [`proto`]: the pure protocol, a crate of its own.
//! - [`engine`]: what owns the Hub, and the outboxes.

pub use ctigate_proto as proto;

pub mod engine;
