//! Slowing down who guesses passwords: by account and address together, and by address alone, so that the right user
//! elsewhere still gets in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::login_key;
use crate::Time;
use crate::message::Text;

/// How much failing is borne.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleLimits {
    /// Failures of one account from one address within `window`.
    pub account: u32,
    /// Failures from one address within `window`, whatever the account.
    pub address: u32,
    /// Over which time failures are counted.
    pub window: Duration,
    /// How long who failed too often is refused.
    pub refusal: Duration,
    /// Accounts and addresses that are remembered at most.
    pub rows: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { account: 5, address: 20, window: minute, refusal: minute, rows: 20_000 }
    }
}

/// The longest beginning of a login that tells accounts apart here, in bytes.
const LONGEST_LOGIN: usize = 64;

/// Who failed, and who is refused for it. Spellings of one login count together ([`login_key`]).
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    /// The row of an address alone has no login.
    rows: BTreeMap<(IpAddr, Option<Text>), Row>,
}

#[derive(Debug)]
struct Row {
    /// When recent failures happened, oldest first. Never more than the limit.
    failures: Vec<Time>,
    /// Refused until then.
    until: Time,
}

/// Too many failures: refused without a look at the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// After how long another try is looked at: `Retry-After`.
    pub retry_after: Duration,
}

impl Throttle {
    /// Remembers nobody yet.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, rows: BTreeMap::new() }
    }

    /// Whether a try may be looked at. Ask before the password is checked. A try that is refused here is no failure: the
    /// refusal does not grow by knocking.
    ///
    /// # Errors
    /// [`Throttled`] while the account is refused from this address, or the address altogether.
    pub fn check(&self, now: Time, address: IpAddr, login: &str) -> Result<(), Throttled> {
        let until = |key| self.rows.get(&key).map_or(Time::ZERO, |row| row.until);
        let address = network(address);
        let until = until((address, None)).max(until((address, Some(cut(login)))));
        if until <= now { Ok(()) } else { Err(Throttled { retry_after: until.since(now) }) }
    }

    /// A password was wrong. True when this failure is the one too many, and is worth a line in the log.
    pub fn failed(&mut self, now: Time, address: IpAddr, login: &str) -> bool {
        let address = network(address);
        let account = self.count(now, (address, Some(cut(login))), self.limits.account);
        self.count(now, (address, None), self.limits.address) || account
    }

    /// A login succeeded: the account's failures from this address are forgotten, the address's own are not, or one good
    /// account would let its owner guess at all others.
    pub fn succeeded(&mut self, address: IpAddr, login: &str) {
        self.rows.remove(&(network(address), Some(cut(login))));
    }

    fn count(&mut self, now: Time, key: (IpAddr, Option<Text>), most: u32) -> bool {
        if !self.rows.contains_key(&key) {
            self.make_room(now);
        }
        let ThrottleLimits { window, refusal, .. } = self.limits;
        let row = self.rows.entry(key).or_insert_with(|| Row { failures: Vec::new(), until: Time::ZERO });
        row.failures.retain(|&at| at + window > now);
        row.failures.push(now);
        if row.failures.len() < most as usize {
            return false;
        }
        row.failures.clear();
        row.until = now + refusal;
        true
    }

    /// At the bound, rows that say nothing any more are dropped; when all still count, the one that will soonest not.
    fn make_room(&mut self, now: Time) {
        if self.rows.len() < self.limits.rows {
            return;
        }
        let window = self.limits.window;
        let ends = |row: &Row| row.failures.last().map_or(Time::ZERO, |&last| last + window).max(row.until);
        self.rows.retain(|_, row| ends(row) > now);
        while self.rows.len() >= self.limits.rows {
            // Refusals last: a guesser with many addresses must not be able to wash them out.
            let soonest = self.rows.iter().min_by_key(|(_, row)| (row.until > now, ends(row)));
            let Some((key, _)) = soonest else { return };
            let key = key.clone();
            self.rows.remove(&key);
        }
    }
}

/// Who holds an IPv6 address holds the /64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

fn cut(login: &str) -> Text {
    let login = login_key(login);
    Text::from(&login[..login.floor_char_boundary(LONGEST_LOGIN)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * SECOND)
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn throttle() -> Throttle {
        Throttle::new(ThrottleLimits::default())
    }

    #[test]
    fn spellings_of_a_login_are_counted_together() {
        let mut throttle = throttle();
        for spelling in ["ivanov", "Ivanov", "IVANOV", "iVanov", "ivAnov"] {
            assert_eq!(throttle.check(at(0), address(1), spelling), Ok(()));
            throttle.failed(at(0), address(1), spelling);
        }
        assert!(throttle.check(at(1), address(1), "ivaNov").is_err());
    }

    #[test]
    fn five_failures_of_an_account_refuse_it_from_that_address_for_a_minute() {
        let mut throttle = throttle();
        for n in 0..5 {
            assert_eq!(throttle.check(at(n), address(1), "ivanov"), Ok(()));
            assert_eq!(throttle.failed(at(n), address(1), "ivanov"), n == 4);
        }
        let refused = |seconds| Err(Throttled { retry_after: Duration::from_secs(seconds) });
        assert_eq!(throttle.check(at(4), address(1), "ivanov"), refused(60));
        assert_eq!(throttle.check(at(63), address(1), "ivanov"), refused(1));
        assert_eq!(throttle.check(at(5), address(2), "ivanov"), Ok(()), "the user elsewhere");
        assert_eq!(throttle.check(at(5), address(1), "petrov"), Ok(()), "another user here");
        assert_eq!(throttle.check(at(64), address(1), "ivanov"), Ok(()));
        assert!(!throttle.failed(at(64), address(1), "ivanov"), "and counted anew");
    }

    #[test]
    fn twenty_failures_refuse_an_address() {
        let mut throttle = throttle();
        for n in 0..20 {
            let login = format!("user{n}");
            assert_eq!(throttle.check(at(0), address(1), &login), Ok(()));
            assert_eq!(throttle.failed(at(0), address(1), &login), n == 19);
        }
        assert!(throttle.check(at(1), address(1), "anybody").is_err());
        assert_eq!(throttle.check(at(1), address(2), "anybody"), Ok(()));
        assert_eq!(throttle.check(at(60), address(1), "anybody"), Ok(()));
    }

    #[test]
    fn failures_far_apart_refuse_nobody() {
        let mut throttle = throttle();
        for n in 0..50 {
            assert!(!throttle.failed(at(n * 15), address(1), "ivanov"));
        }
    }

    #[test]
    fn a_success_forgets_the_account_and_not_the_address() {
        let mut throttle = throttle();
        for n in 0..20 {
            let failed = throttle.failed(at(0), address(1), "ivanov");
            assert_eq!(failed, n == 19);
            throttle.succeeded(address(1), "ivanov");
        }
        assert!(throttle.check(at(0), address(1), "ivanov").is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let mut throttle = throttle();
        for n in 0..5 {
            let neighbour: IpAddr = format!("2001:db8::{n}").parse().unwrap();
            throttle.failed(at(0), neighbour, "ivanov");
        }
        assert!(throttle.check(at(0), "2001:db8::ffff".parse().unwrap(), "ivanov").is_err());
        assert!(throttle.check(at(0), "2001:db8:0:1::1".parse().unwrap(), "ivanov").is_ok());
        for _ in 0..5 {
            throttle.failed(at(0), "::ffff:192.0.2.1".parse().unwrap(), "ivanov");
        }
        assert!(throttle.check(at(0), address(1), "ivanov").is_err());
    }

    #[test]
    fn the_table_is_bounded_and_refusals_leave_it_last() {
        let mut throttle = Throttle::new(ThrottleLimits { rows: 10, ..ThrottleLimits::default() });
        for _ in 0..5 {
            throttle.failed(at(0), address(1), "ivanov");
        }
        for n in 0..1000 {
            throttle.failed(at(1), address(2), &format!("{}{n}", "x".repeat(60)));
            assert!(throttle.rows.len() <= 10);
        }
        assert!(throttle.check(at(2), address(1), "ivanov").is_err());
        throttle.failed(at(200), address(3), "ivanov");
        assert_eq!(throttle.rows.len(), 2, "what says nothing any more is dropped");
        let long = "Ж".repeat(100_000);
        throttle.failed(at(200), address(3), &long);
        assert!(throttle.rows.keys().all(|(_, login)| login.as_ref().is_none_or(|login| login.len() <= LONGEST_LOGIN)));
    }
}
