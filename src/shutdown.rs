//! Stopping in order. A [`Shutdown`] is held by everything that runs: it says when to stop, keeps count of the tasks that
//! still run, and says when their time is over.
//!
//! `SIGINT` and `SIGTERM` ask for a stop; a second one ends the process at once, with [`UNCLEAN`].

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The exit code of a stop that cut something off.
pub const UNCLEAN: u8 = 5;

/// When to stop, and what still runs. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    over: CancellationToken,
    tasks: TaskTracker,
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every task ended by itself.
    Clean,
    /// The grace period was over while so many tasks still ran.
    Cut(usize),
}

impl Shutdown {
    /// One that only the program itself asks for.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that the system's signals ask for too. Call it inside a runtime, once.
    ///
    /// # Errors
    /// When the system gives no signal handlers.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::new()?;
        let handle = shutdown.clone();
        // Not tracked: it waits for signals until the process ends.
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "stopping; once more ends at once");
            handle.request();
            let name = signals.next().await;
            tracing::warn!(signal = name, "ending at once");
            std::process::exit(i32::from(UNCLEAN));
        });
        Ok(shutdown)
    }

    /// Asks for a stop. Asking again changes nothing.
    pub fn request(&self) {
        self.requested.cancel();
    }

    /// Whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Ends when a stop is asked for. Cancel safe.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// The same as a token, for those who hand it on: cancelled means that nothing new is to be begun.
    pub fn token(&self) -> CancellationToken {
        self.requested.clone()
    }

    /// Cancelled when the grace period is over: whatever still runs ends now, without waiting for anybody.
    pub fn over(&self) -> CancellationToken {
        self.over.clone()
    }

    /// Starts a task that a stop waits for. Its log lines carry `name`.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task.instrument(tracing::info_span!("task", name)))
    }

    /// How many tasks run.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Waits for all tasks to end, at most `grace`; then tells those that still run that their time is over. Asks for the
    /// stop itself if nobody has.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.request();
        self.tasks.close();
        let drained = match timeout(grace, self.tasks.wait()).await {
            Ok(()) => Drained::Clean,
            Err(_) => Drained::Cut(self.tasks.len()),
        };
        self.over.cancel();
        drained
    }
}

/// The signals that ask for a stop.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_its_tasks() {
        let shutdown = Shutdown::new();
        let handle = shutdown.clone();
        let task = shutdown.spawn("test", async move { handle.requested().await });
        assert_eq!((shutdown.running(), shutdown.is_requested()), (1, false));
        assert_eq!(shutdown.drain(Duration::from_secs(10)).await, Drained::Clean);
        task.await.unwrap();
        assert!(shutdown.is_requested() && shutdown.over().is_cancelled());
    }

    #[tokio::test]
    async fn what_outlasts_the_grace_period_is_told_that_it_is_over() {
        let shutdown = Shutdown::new();
        let over = shutdown.over();
        let task = shutdown.spawn("test", async move { over.cancelled().await });
        assert_eq!(shutdown.drain(Duration::ZERO).await, Drained::Cut(1));
        task.await.unwrap();
    }
}
