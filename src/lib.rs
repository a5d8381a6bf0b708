//! ctigate: a gateway between telephone systems and web CRMs. Modules, bottom to top:
//!
//! - [`proto`]: the pure protocol, a crate of its own.
//! - [`config`]: what an operator may choose.
//! - [`shutdown`]: the stop signal and the grace period.
//! - [`service`]: the service manager that started us.
//! - [`telemetry`]: how the house speaks to operators.
//! - [`capture`]: what went into a Hub and came out, written down and played again.
//! - [`engine`]: what owns the Hub, and the outboxes.
//! - [`pbx`]: telephone systems behind one trait, and the simulator.
//! - [`store`]: what outlives a restart, and who may log in.
//! - [`assets`]: the files of pages, embedded.
//! - [`people`]: accounts, second factors, integration keys, and who changed what.
//! - [`files`]: what people upload, photos, recordings.
//! - [`transport`]: how peers reach us and we them.
//! - [`admin`]: health, figures and the HTTP interface of the admin port.
//! - [`web`]: what the web port answers: pages, the browser library, messages that CRMs post.
//! - [`trial`]: tries a CRM out, playing the gateway against it.
//! - [`demo`]: the demonstration's CRM, a process of its own.
//! - [`app`]: builds all parts and wires them.
//! - [`cli`]: what people type.

pub use ctigate_proto as proto;

pub mod admin;
pub mod app;
pub mod assets;
pub mod capture;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod files;
pub mod pbx;
pub mod people;
pub mod runtime;
pub mod service;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod trial;
pub mod web;
