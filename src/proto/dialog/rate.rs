//! A limit on messages a second: the generic cell rate algorithm, one number of state, the clock handed in.

use std::time::Duration;

use crate::Time;

/// How many a second, with room for a burst.
#[derive(Clone, Debug)]
pub struct Rate {
    interval: Duration,
    slack: Duration,
    /// When the bucket would be empty again.
    next: Time,
}

impl Rate {
    /// `per_second` on the average, `burst` at once. `per_second` 0 allows everything.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1).checked_div(per_second).unwrap_or(Duration::ZERO);
        Self { interval, slack: interval * burst.saturating_sub(1), next: Time::ZERO }
    }

    /// Counts one at `now`; false when it is one too many (which is not counted).
    pub fn admit(&mut self, now: Time) -> bool {
        let next = self.next.max(now);
        if next.since(now) > self.slack {
            return false;
        }
        self.next = next + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_average_rules() {
        let mut rate = Rate::new(200, 400);
        let t = Time::from_millis(1000);
        assert_eq!((0..500).filter(|_| rate.admit(t)).count(), 400);
        assert_eq!((0..500).filter(|_| rate.admit(t + Duration::from_millis(50))).count(), 10);
    }

    #[test]
    fn zero_is_no_limit() {
        let mut rate = Rate::new(0, 0);
        assert!((0..10_000).all(|_| rate.admit(Time::ZERO)));
    }
}
