//! The last lines of the log, kept in memory for people who look from afar. What is written stands here too, no more and no
//! less, tamed and masked as there.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::Notify;
use tracing::Level;

/// How many lines are kept.
pub const MOST: usize = 2000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number; rises by one with each line since the start.
    pub number: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// The module that says it.
    pub target: String,
    /// What it says.
    pub message: String,
    /// The values it names, in words.
    pub fields: Vec<(&'static str, String)>,
}

impl LogLine {
    /// Whether it is at least so important, and holds this text anywhere, whatever the case of its letters.
    pub fn fits(&self, level: Level, lower: &str) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(lower);
        let important = self.level.parse::<Level>().is_ok_and(|own| own <= level);
        important
            && (lower.is_empty()
                || holds(&self.message)
                || holds(&self.target)
                || self.fields.iter().any(|(name, value)| holds(name) || holds(value)))
    }
}

/// The last lines. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: Mutex<Kept>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<LogLine>>,
    last: u64,
}

/// Those of this process, which has one log.
pub fn memory() -> &'static Logs {
    static MEMORY: LazyLock<Logs> = LazyLock::new(Logs::default);
    &MEMORY
}

impl Logs {
    /// One more line; its number is given here.
    pub fn push(&self, mut line: LogLine) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        line.number = kept.last;
        if kept.lines.len() >= MOST {
            kept.lines.pop_front();
        }
        kept.lines.push_back(Arc::new(line));
        drop(kept);
        self.0.bell.notify_waiters();
    }

    /// The lines after that number that are still kept, the oldest first.
    pub fn after(&self, number: u64) -> Vec<Arc<LogLine>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.last - kept.lines.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        kept.lines.iter().skip(skip).cloned().collect()
    }

    /// The number of the newest line; 0: there is none.
    pub fn last(&self) -> u64 {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Ends when there is a line after that number. Cancel safe.
    pub async fn wait(&self, number: u64) {
        loop {
            let mut rung = std::pin::pin!(self.0.bell.notified());
            rung.as_mut().enable();
            if self.last() > number {
                return;
            }
            rung.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine {
            number: 0,
            at_ms: 5,
            level: "warn",
            target: "ctigate::app".to_owned(),
            message: message.to_owned(),
            fields: vec![("link", "CRM".to_owned())],
        }
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_and_numbered() {
        let logs = Logs::default();
        assert!(logs.after(0).is_empty() && logs.last() == 0);
        for n in 1..=MOST + 5 {
            logs.push(line(&n.to_string()));
        }
        let all = logs.after(0);
        assert_eq!((all.len(), &*all[0].message, all[0].number), (MOST, "6", 6));
        assert_eq!(logs.after(2004).iter().map(|l| l.number).collect::<Vec<_>>(), [2005]);
        assert!(logs.after(2005).is_empty() && logs.after(u64::MAX).is_empty());
        logs.wait(2004).await;
        let waits = tokio::spawn({
            let logs = logs.clone();
            async move { logs.wait(2005).await }
        });
        while !waits.is_finished() {
            logs.push(line("one more"));
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_line_is_found_by_its_level_and_by_any_text_in_it() {
        let line = line("the link is Down");
        assert!(line.fits(Level::WARN, "") && line.fits(Level::TRACE, "") && !line.fits(Level::ERROR, ""));
        for text in ["link is down", "app", "crm", "link"] {
            assert!(line.fits(Level::INFO, text), "{text}");
        }
        assert!(!line.fits(Level::INFO, "pbx"));
    }
}
