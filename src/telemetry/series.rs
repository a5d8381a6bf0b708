//! The last hour in figures: samples of the counters, taken every ten seconds and kept in memory, and what follows from the
//! difference of two.

use std::collections::VecDeque;

use super::metrics::{Counts, Metrics, quantile};

/// Between two samples, milliseconds.
pub const STEP_MS: i64 = 10_000;
/// How many points are kept: an hour.
const MOST: usize = 360;
/// Over how much the rates go, milliseconds.
const MINUTE_MS: i64 = 60_000;

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Calls that go on.
    pub calls: usize,
    /// Tabs that are open.
    pub tabs: usize,
    /// Calls that have begun since the start.
    pub begun: u64,
    /// Messages received and sent since the start.
    pub messages: u64,
    /// Replies that said no, messages that could not be read, methods without a result, since the start.
    pub errors: u64,
    /// How long callers of dynamic methods waited, since the start.
    pub methods: Counts,
}

impl Sample {
    /// The counters now, with what only a picture of the node says.
    pub fn take(metrics: &Metrics, at_ms: i64, calls: usize, tabs: usize, begun: u64) -> Self {
        let traffic = [&metrics.tabs, &metrics.links];
        let messages = traffic.iter().map(|t| t.received.get() + t.sent.get()).sum();
        let refused: u64 = traffic.iter().map(|t| t.refused.get()).sum();
        let without = metrics.methods.fold(|outcome, count| match outcome {
            "ok" | "fallback" => 0,
            _ => count.get(),
        });
        let errors = refused + without + metrics.reply_errors.fold(|_, count| count.get());
        let mut methods = Counts::default();
        metrics.method_wait.each(|histogram| methods.add(&histogram.counts()));
        Self { at_ms, calls, tabs, begun, messages, errors, methods }
    }
}

/// One point: what happened since the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it was taken, milliseconds since 1970.
    pub at_ms: i64,
    /// Calls that went on.
    pub calls: usize,
    /// Calls that began.
    pub calls_begun: u64,
    /// Messages received and sent.
    pub messages: u64,
    /// What went wrong.
    pub errors: u64,
    /// How long a dynamic method took: half were quicker. `None`: there was none.
    pub method_p50_ms: Option<f64>,
    /// Nineteen of twenty were quicker.
    pub method_p95_ms: Option<f64>,
    /// Tabs that were open.
    pub tabs: usize,
}

/// What happens by the minute and second, over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Calls that began, a minute.
    pub calls_minute: f64,
    /// Messages received and sent, a second.
    pub messages_second: f64,
    /// What went wrong, a minute.
    pub errors_minute: f64,
}

/// The samples of the last hour.
#[derive(Debug, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
}

impl Series {
    /// One more sample. The oldest goes when there are too many.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() > MOST {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The points, the oldest first.
    pub fn points(&self) -> Vec<Point> {
        self.samples.iter().zip(self.samples.iter().skip(1)).map(|(before, now)| point(before, now)).collect()
    }

    /// The rates at this moment.
    pub fn rates(&self, now: &Sample) -> Rates {
        let young = |sample: &&Sample| now.at_ms - sample.at_ms <= MINUTE_MS + STEP_MS / 2;
        let Some(before) = self.samples.iter().find(young) else { return Rates::default() };
        let seconds = (now.at_ms - before.at_ms) as f64 / 1000.0;
        if seconds < 1.0 {
            return Rates::default();
        }
        let since = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Rates {
            calls_minute: since(now.begun, before.begun) * 60.0,
            messages_second: since(now.messages, before.messages),
            errors_minute: since(now.errors, before.errors) * 60.0,
        }
    }
}

fn point(before: &Sample, now: &Sample) -> Point {
    let methods = now.methods.since(&before.methods);
    Point {
        at_ms: now.at_ms,
        calls: now.calls,
        calls_begun: now.begun.saturating_sub(before.begun),
        messages: now.messages.saturating_sub(before.messages),
        errors: now.errors.saturating_sub(before.errors),
        method_p50_ms: quantile(&methods, 0.5),
        method_p95_ms: quantile(&methods, 0.95),
        tabs: now.tabs,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_point_is_the_difference_of_two_samples() {
        let metrics = Metrics::default();
        let mut series = Series::default();
        metrics.links.received.add(5);
        metrics.method_wait.with("crm").observe(Duration::from_secs(5));
        series.push(Sample::take(&metrics, 0, 0, 0, 7));
        assert!(series.points().is_empty());
        metrics.links.received.add(3);
        metrics.tabs.sent.add(4);
        metrics.tabs.refused.inc();
        metrics.methods.with("ok").inc();
        metrics.methods.with("timeout").inc();
        metrics.reply_errors.with("59014").add(2);
        for _ in 0..10 {
            metrics.method_wait.with("crm").observe(Duration::from_millis(7));
        }
        let now = Sample::take(&metrics, 10_000, 2, 3, 9);
        series.push(now.clone());
        let [point] = series.points()[..] else { panic!("one point") };
        assert_eq!((point.at_ms, point.calls, point.calls_begun, point.tabs), (10_000, 2, 2, 3));
        assert_eq!((point.messages, point.errors), (7, 4));
        assert_eq!(
            point.method_p50_ms,
            Some(7.5),
            "between 5 and 10, where all ten fell: the one before does not count"
        );
        assert_eq!(point.method_p95_ms, Some(9.75));
        let rates = series.rates(&now);
        assert_eq!((rates.calls_minute, rates.messages_second, rates.errors_minute), (12.0, 0.7, 24.0));
        assert_eq!(series.rates(&Sample { at_ms: 500_000, ..now }), Rates::default(), "all is too old");
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut series = Series::default();
        for n in 0..1000 {
            series.push(Sample { at_ms: n * STEP_MS, ..Sample::default() });
        }
        let points = series.points();
        assert_eq!((points.len(), points[0].at_ms), (360, (1000 - 360) * STEP_MS));
        assert_eq!(points[0].method_p95_ms, None);
    }
}
