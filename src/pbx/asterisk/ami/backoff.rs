//! How long to wait before the next attempt.

use std::time::Duration;

/// The pauses between attempts; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// The pause after a refusal: a person has to do something first, and Asterisk writes each refused login down.
const REFUSED: Duration = Duration::from_secs(30);
/// A connection that lived so long was a good one: the pauses begin anew.
const HEALTHY: Duration = Duration::from_secs(60);

/// Counts the failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// The pause after a connection, or an attempt at one, that took `lived`.
    pub(super) fn after(&mut self, refused: bool, lived: Duration) -> Duration {
        if lived >= HEALTHY {
            self.failures = 0;
        }
        let pause = if refused { REFUSED } else { PAUSES[self.failures.min(PAUSES.len() - 1)] };
        self.failures += 1;
        // A fifth more or less, so that gateways that fell together do not rise together.
        pause.mul_f64(rand::random_range(0.8..1.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_begin_anew_after_health() {
        let mut backoff = Backoff::default();
        let near = |pause: Duration, seconds: f64| (seconds * 0.8..seconds * 1.2).contains(&pause.as_secs_f64());
        for expected in [0.5, 1.0, 2.0, 5.0, 10.0, 10.0] {
            assert!(near(backoff.after(false, Duration::from_secs(59)), expected));
        }
        assert!(near(backoff.after(true, Duration::ZERO), 30.0));
        assert!(near(backoff.after(false, HEALTHY), 0.5));
    }
}
