//! `serve`, `demo`, `demo-crm`: what runs until it is stopped.

use std::error::Error;

use super::args::{Choice, DemoCrm, Setting};
use super::{Exit, Failure, load, sources, with_settings};
use crate::app::{self, Options, StartError};
use crate::config::{Finding, Loaded, Sources};
use crate::telemetry::logging;

pub(super) fn serve(choice: &Choice, log: Option<String>) -> Result<(), Failure> {
    run(load(&with_log(sources(choice), log))?, Options { demo: false })
}

pub(super) fn demo(set: &[Setting], log: Option<String>) -> Result<(), Failure> {
    let sources = with_log(with_settings(Sources::demo(), set), log);
    run(load(&sources)?, Options { demo: true })
}

/// `--log` is short for a key.
fn with_log(sources: Sources, log: Option<String>) -> Sources {
    match log {
        None => sources,
        Some(filter) => sources.with_flag("log.filter", filter),
    }
}

pub(super) fn demo_crm(crm: DemoCrm) -> Result<(), Failure> {
    let DemoCrm { url, login, password, ca_file, format } = crm;
    let format = match format {
        super::args::Written::Json => crate::proto::message::Format::Json,
        super::args::Written::Xml => crate::proto::message::Format::Xml,
    };
    logging::init(&crate::config::Log::default()).map_err(|error| Failure::new(error.to_string()).exit(Exit::Start))?;
    let crm = app::DemoCrm { url, login, password: password.as_str().into(), ca_file, format };
    runtime()?.block_on(app::demo_crm(crm)).map_err(failed)
}

fn run(loaded: Loaded, options: Options) -> Result<(), Failure> {
    let Loaded { config, warnings, file, .. } = loaded;
    logging::init(&config.log).map_err(|error| Failure::new(error.to_string()).exit(Exit::Start))?;
    let file = file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = file, "starting");
    for Finding { keys, message, help, .. } in warnings {
        tracing::warn!(keys = keys.join(", "), help, "{message}");
    }
    runtime()?.block_on(app::serve(config, options)).map_err(failed)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the system gives no threads: {error}")).exit(Exit::Start))
}

#[expect(clippy::needless_pass_by_value, reason = "as it comes")]
fn failed(error: StartError) -> Failure {
    let exit = if error.is_unclean() { Exit::Unclean } else { Exit::Start };
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure::new(message).help(error.advice()).exit(exit)
}
