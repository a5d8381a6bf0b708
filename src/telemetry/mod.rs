//! How the house speaks to operators: lines on standard error and a page of figures.
//!
//! - [`logging`] writes the lines. What peers sent is escaped and cut before it gets there.
//! - [`metrics`] holds the figures and writes the page. Labels have few values: never a login or an
//!   address, and a method only when the catalogue or a CRM that we know names it.
//! - [`series`] keeps the last hour of them, [`logs`] the last lines.
//! - [`events`] is for what deserves both: it logs and counts in one place.

pub mod events;
pub mod logging;
pub mod logs;
pub mod metrics;
pub mod series;
#[cfg(feature = "otel")]
pub mod spans;

pub use events::{Event, Telemetry, Told};
pub use metrics::{Metrics, Now};
