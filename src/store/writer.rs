//! The one task that writes. It takes all that waits, writes it in one transaction, and begins again; when writing fails it
//! tries again, ever less often, until it succeeds or the store is closed.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::db::Db;
use super::pending::{Batch, Pending};
use super::prune::{Keep, prune};
use super::state;
use crate::telemetry::{Event, Telemetry};

/// Pauses after a failure: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How often what has expired is deleted.
const CLEANING: Duration = Duration::from_secs(60);

/// How soon the next of what is old is deleted while there is more.
const PRUNING: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    pub(super) db: Db,
    pub(super) keep: Keep,
    pub(super) pending: Arc<Pending>,
    /// Up to which fact everything is written.
    pub(super) progress: watch::Sender<u64>,
    pub(super) closing: CancellationToken,
    pub(super) telemetry: Telemetry,
}

impl Writer {
    /// Runs until the store is closed and everything is written.
    pub(super) async fn run(self) {
        let mut cleaning = interval(CLEANING);
        cleaning.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.pending.filled() => {}
                _ = cleaning.tick() => {
                    if self.clean().await {
                        cleaning.reset_after(PRUNING);
                    }
                }
                () = self.closing.cancelled() => {
                    self.write_all().await;
                    return;
                }
            }
            self.write_all().await;
        }
    }

    /// Writes until nothing waits.
    async fn write_all(&self) {
        let mut pause = PAUSE.0;
        let mut failing: Option<Instant> = None;
        loop {
            let batch = self.pending.take();
            let began = Instant::now();
            if batch.len() > 0
                && let Err(error) = self.write(&batch).await
            {
                let (left, error) =
                    if error.is_refused() { self.write_apart(batch).await } else { (vec![batch], Some(error)) };
                left.into_iter().rev().for_each(|batch| self.pending.put_back(batch));
                let Some(error) = error else { continue };
                self.failed(&error, failing.is_some());
                failing.get_or_insert(began);
                let closing = self.closing.is_cancelled();
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.closing.cancelled(), if !closing => {}
                }
                pause = if closing { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
                continue;
            }
            if batch.len() > 0 {
                self.pending.written(&batch);
                self.telemetry.event(Event::Stored { facts: batch.len(), took: began.elapsed() });
                if let Some(since) = failing.take() {
                    self.telemetry.event(Event::StoreRecovered { after: since.elapsed() });
                    pause = PAUSE.0;
                }
            }
            let waiting = self.pending.len();
            self.telemetry.metrics().store_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            self.progress.send_replace(batch.up_to);
            if waiting == 0 {
                return;
            }
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        state::write(&self.db, batch).await
    }

    /// Writes each fact by itself and leaves out those that the database refuses: one that can never be written must not hold up all
    /// the others. Gives what is left when the database fails otherwise.
    async fn write_apart(&self, batch: Batch) -> (Vec<Batch>, Option<StoreError>) {
        let mut apart = batch.apart().into_iter();
        while let Some(one) = apart.next() {
            match self.write(&one).await {
                Ok(()) => self.pending.written(&one),
                Err(error) if error.is_refused() => {
                    tracing::error!(
                        why = error.with_causes(),
                        fact = one.name(),
                        "the database refuses a fact: it is lost"
                    );
                }
                Err(error) => return (std::iter::once(one).chain(apart).collect(), Some(error)),
            }
        }
        (Vec::new(), None)
    }

    fn failed(&self, error: &StoreError, still: bool) {
        let waiting = self.pending.len();
        self.telemetry.metrics().store_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        let why = error.with_causes();
        let what = error.what();
        self.telemetry.event(Event::StoreFailed { what: &what, why: &why, advice: error.advice(), waiting, still });
    }

    /// Deletes what has expired and some of what is old. Says whether there may be more.
    async fn clean(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        // The next batch will say it if it lasts.
        let failed =
            |error: StoreError| tracing::debug!(why = error.with_causes(), "what is over could not be deleted");
        match state::delete_expired(&self.db, now_ms).await {
            Ok(gone) => self.pending.expired(&gone),
            Err(error) => failed(error),
        }
        prune(&self.db, self.keep, now_ms).await.unwrap_or_else(|error| {
            failed(error);
            false
        })
    }
}
