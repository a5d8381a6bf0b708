//! When a link that we open is tried again, and what is told of it meanwhile.

use std::fmt;
use std::time::Duration;

use ctigate_proto::hub::input::LinkState;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::telemetry::logging::tame;

/// The pauses between attempts; the last one repeats.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];

/// The pause after refused credentials, and how long a link must live for the pauses to begin anew.
const MINUTE: Duration = Duration::from_secs(60);

/// Why a link could not be opened or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or one that broke off.
    Unreachable(String),
    /// There is a server, but not for us: another version, another status, something else altogether.
    Declined(String),
    /// It chose a sub-protocol that we did not offer.
    SubProtocol(String),
    /// It answered what is no message.
    BadAnswer(String),
    /// Our credentials are wrong.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(why)
        | Self::Declined(why)
        | Self::SubProtocol(why)
        | Self::BadAnswer(why)
        | Self::Refused(why)) = self;
        f.write_str(why)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self::Unreachable(e.to_string())
    }
}

/// Counts the failures in a row.
#[derive(Debug)]
pub(super) struct Retry {
    tries: usize,
    dice: SmallRng,
}

impl Retry {
    /// `seed` decides how much more or less than its length each pause takes.
    pub(super) fn new(seed: u64) -> Self {
        Self { tries: 0, dice: SmallRng::seed_from_u64(seed) }
    }

    /// What to tell after a failure, and how long to wait. `open_for`: how long the link lived before it failed.
    pub(super) fn after(&mut self, failure: Failure, open_for: Option<Duration>) -> (LinkState, Duration) {
        if open_for.is_some_and(|lived| lived >= MINUTE) {
            self.tries = 0;
        }
        let wait = match failure {
            Failure::Refused(_) => MINUTE,
            _ => Duration::from_secs(PAUSES[self.tries.min(PAUSES.len() - 1)]),
        };
        self.tries += 1;
        // A fifth more or less, so that those who fell together do not rise together.
        let after = wait.mul_f64(self.dice.random_range(0.8..1.2));
        let state = match failure {
            Failure::Refused(why) => LinkState::Refused(tame(&why)),
            other => LinkState::Retrying { why: tame(&other.to_string()), after },
        };
        (state, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(retry: &mut Retry, open_for: Option<u64>) -> f64 {
        let failure = Failure::Unreachable("gone".to_owned());
        retry.after(failure, open_for.map(Duration::from_secs)).1.as_secs_f64()
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_begin_anew_after_health() {
        let mut retry = Retry::new(1);
        for expected in [1.0, 2.0, 5.0, 10.0, 30.0, 30.0] {
            let pause = seconds(&mut retry, Some(59));
            assert!((expected * 0.8..expected * 1.2).contains(&pause), "{expected}: {pause}");
        }
        assert!(seconds(&mut retry, Some(60)) < 1.2);
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|_| seconds(&mut retry, None).to_bits()).collect();
        assert!(pauses.len() > 15, "no two links wait alike");
    }

    #[test]
    fn refused_credentials_wait_a_minute() {
        let (state, after) = Retry::new(1).after(Failure::Refused("no".to_owned()), None);
        assert_eq!(state, LinkState::Refused("no".to_owned()));
        assert!((48.0..72.0).contains(&after.as_secs_f64()));
    }
}
