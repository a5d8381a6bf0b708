//! How the house speaks to operators: lines on standard error and a page of figures.
//!
//! - [`logging`] writes the lines. What peers sent is escaped and cut before it gets there.
//! - [`metrics`] holds the figures and writes the page. Labels have few values: never a login or an
//!   address, and a method only when the catalogue or a CRM that we know names it.
//! - [`events`] is for what deserves both: it logs and counts in one place.

pub mod events;
pub mod logging;
pub mod metrics;

pub use events::{Event, Telemetry};
pub use metrics::{Metrics, Now};
