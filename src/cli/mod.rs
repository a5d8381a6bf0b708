//! What people type. Each command is a file here; those that talk to a running gateway are clients of its admin port and
//! know nothing of its insides.

mod admin_client;
mod args;
mod audit;
mod call;
mod check;
mod check_crm;
mod convert;
mod db;
mod doctor;
mod drain;
mod explain;
mod key;
mod manual;
mod password;
mod reload;
mod replay;
mod serve;
mod sim;
mod status;
mod tail;
mod terminal;
mod user;

use std::process::ExitCode;

use clap::Parser;

use crate::app;
use crate::config::{Loaded, Refused, Sources};
use args::{Args, AsteriskOrder, Choice, Command};
use terminal::Terminal;

/// How a command ended, for whoever called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It could not, or the answer is no.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// The configuration cannot be used.
    Config = 3,
    /// The gateway could not start.
    Start = 4,
    /// The gateway stopped, but something was cut off or lost.
    Unclean = crate::shutdown::UNCLEAN,
}

/// Why a command failed: what people read on standard error, and the code for programs.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
    help: String,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), help: String::new() }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Nothing to say: it was said already.
    fn quiet(exit: Exit) -> Self {
        Self::new("").exit(exit)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // Whoever reads our output has had enough: no reason to complain.
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::quiet(Exit::Done);
        }
        Self::new(format!("the output cannot be written: {error}"))
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let mut terminal = Terminal::new();
    let done = match run(args, &mut terminal) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            let mut errors = Terminal::errors();
            // Nobody is left to be told when this fails too.
            let _ = errors.failure(&failure.message, &failure.help);
            failure.exit
        }
    };
    ExitCode::from(done as u8)
}

fn run(args: Args, terminal: &mut Terminal) -> Result<(), Failure> {
    let Some(command) = args.command else { return Ok(terminal.line(args::TEACHING.trim_end())?) };
    match command {
        Command::Serve { choice, log, record } => serve::serve(&choice, log, record),
        Command::Demo { set, log, alone, record } => serve::demo(&set, log, alone, record, terminal),
        Command::DemoCrm(crm) => serve::demo_crm(crm),
        Command::CheckConfig { choice } => check::check(&choice, terminal),
        Command::PrintConfig { choice } => check::print(&choice, terminal),
        Command::Doctor { choice, json } => doctor::doctor(&choice, json, terminal),
        Command::Db { order } => db::db(order, terminal),
        Command::Asterisk { order: AsteriskOrder::Config { choice, piece } } => {
            doctor::asterisk_config(&choice, piece, terminal)
        }
        Command::CheckCrm(asked) => check_crm::check_crm(asked, terminal),
        Command::User { order } => user::user(order, terminal),
        Command::Key { order } => key::key(order, terminal),
        Command::Audit(asked) => audit::audit(&asked, terminal),
        Command::HashPassword => password::hash(terminal),
        Command::Convert { to, file } => convert::convert(to, file.as_deref(), terminal),
        Command::Completions { shell } => manual::completions(shell, terminal),
        Command::Man { folder } => manual::man(folder.as_deref(), terminal),
        Command::Call(call) => call::call(&call, terminal),
        Command::Sim { target, order } => sim::sim(&target, &order, terminal),
        Command::Drain { target, over, back_in, cancel, wait } => {
            let wanted = drain::Wanted { over: over.0, back: back_in.0, cancel, wait };
            drain::drain(&target, &wanted, terminal)
        }
        Command::Reload { target } => reload::reload(&target, terminal),
        Command::Status { target } => status::status(&target, terminal),
        Command::Explain { target, kind, id, last, lang } => {
            explain::explain(&target, kind, id.as_deref(), last, lang, terminal)
        }
        Command::Tail { target, of } => tail::tail(&target, &of, terminal),
        Command::Replay(replay) => replay::replay(&replay, terminal),
    }
}

/// Where the configuration of a command comes from.
fn sources(choice: &Choice) -> Sources {
    let base = choice.config.as_ref().map_or_else(Sources::search, Sources::file);
    with_settings(base, &choice.set)
}

/// Adds the environment, and the flags that win over it.
fn with_settings(base: Sources, set: &[args::Setting]) -> Sources {
    let flag = |sources: Sources, setting: &args::Setting| sources.with_flag(&setting.key, &setting.value);
    set.iter().fold(base.with_process_environment(), flag)
}

/// The configuration that a gateway would be started with: file, store, environment and flags. What is wrong with it becomes the failure,
/// with the layer it stands in. Not to be called by what waits for the network already.
fn load(sources: &Sources) -> Result<Loaded, Failure> {
    let (loaded, away) =
        block_on(async { Ok(app::effective(sources).await) })?.map_err(|refused| unusable(&refused))?;
    if let Some(why) = away {
        let note = format!("the store cannot be read, so that what it says is left out here: {}", told(&why));
        // Nobody is left to be told when this fails too.
        let _ = Terminal::errors().line(&note);
    }
    Ok(loaded)
}

/// An error with what lies behind it.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Tells what is wrong with a configuration, and sums it up as the failure.
fn unusable(refused: &Refused) -> Failure {
    let count = refused.errors.len();
    let sum = format!("the configuration has {count} {}", if count == 1 { "error" } else { "errors" });
    let mut errors = Terminal::errors();
    // Nobody is left to be told when this fails too.
    let _ = errors.findings(&refused.errors, &refused.warnings);
    Failure::new(sum).exit(Exit::Config)
}

/// Runs a command that waits for the network, on this thread.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the system gives no event loop: {error}")))?
        .block_on(work)
}
