//! Timers are data: why each exists, and when the next one is due. No task sleeps for a deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Time;
use crate::message::Text;

use super::ids::ExecutionId;
use super::input::Ticket;
use crate::telephony::OrderId;

/// Why something happens later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The caller of a dynamic method waits no longer.
    ExecutionDeadline(ExecutionId),
    /// A late result is welcome no longer.
    ExecutionLate(ExecutionId),
    /// A form was not answered in time.
    FormExpires(Text),
    /// The last tab of a user left some seconds ago. (index of the user)
    UserLeaves(usize),
    /// A lost link's tunnelled users leave. (index of the link)
    TunnelGrace(usize),
    /// A question to a CRM was not answered. (index of the link, qid)
    Question(usize, Text),
    /// A link that lost events is told of more users. (index of the link, the next user)
    TellAnew(usize, usize),
    /// A link is open to newcomers again. (index of the link)
    ContestOver(usize),
    /// The telephone system did not say whether it followed an order.
    Order(OrderId),
    /// What was asked of something outside did not come.
    Fetch(Ticket),
    /// A login through a link was not checked.
    Login(Ticket),
    /// Ended things are forgotten.
    Sweep,
}

/// The handle by which a timer is taken back. In the order in which timers come: by time, then as they were set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    at: Time,
    /// Counts all timers from 1: no other has it.
    number: u64,
    place: usize,
}

/// All timers, in the order of their time.
///
/// Nearly every timer is taken back before its time, so that is made cheap: its place becomes free at once, and what stands in the heap goes when
/// it comes to the top, or when most of the heap is such.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Its top is never one that was taken back.
    due: BinaryHeap<Reverse<Key>>,
    places: Vec<Place>,
    free: Vec<usize>,
    last: u64,
}

#[derive(Debug)]
struct Place {
    number: u64,
    timer: Option<Timer>,
}

/// So many that were taken back may always stand in the heap.
const STALE: usize = 64;

impl Timers {
    pub(super) fn set(&mut self, at: Time, timer: Timer) -> Key {
        self.last += 1;
        let number = self.last;
        let taken = Place { number, timer: Some(timer) };
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place] = taken;
                place
            }
            None => {
                self.places.push(taken);
                self.places.len() - 1
            }
        };
        let key = Key { at, number, place };
        self.due.push(Reverse(key));
        key
    }

    pub(super) fn cancel(&mut self, key: Key) {
        if self.take(key).is_some() {
            self.tidy();
        }
    }

    pub(super) fn first(&self) -> Option<Time> {
        self.due.peek().map(|Reverse(key)| key.at)
    }

    /// The next timer that is due at `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer> {
        let Reverse(key) = *self.due.peek()?;
        if key.at > now {
            return None;
        }
        self.due.pop();
        let timer = self.take(key);
        self.tidy();
        timer
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn take(&mut self, key: Key) -> Option<Timer> {
        let place = self.places.get_mut(key.place).filter(|place| place.number == key.number)?;
        let timer = place.timer.take()?;
        self.free.push(key.place);
        Some(timer)
    }

    /// Takes from the heap what was taken back: from its top, and everywhere when that is most of it.
    fn tidy(&mut self) {
        let places = &self.places;
        let stands = |key: &Key| places[key.place].number == key.number && places[key.place].timer.is_some();
        while self.due.peek().is_some_and(|Reverse(key)| !stands(key)) {
            self.due.pop();
        }
        if self.due.len() > STALE + 2 * (self.places.len() - self.free.len()) {
            self.due.retain(|Reverse(key)| stands(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn timer(n: u64) -> Timer {
        Timer::Fetch(Ticket(n))
    }

    #[test]
    fn they_come_by_their_time_and_those_of_one_moment_as_they_were_set() {
        let mut timers = Timers::default();
        for (n, seconds) in [(0, 5), (1, 3), (2, 5), (3, 1), (4, 3)] {
            timers.set(at(seconds), timer(n));
        }
        assert_eq!(timers.first(), Some(at(1)));
        assert_eq!(timers.pop(at(0)), None);
        let come: Vec<_> = std::iter::from_fn(|| timers.pop(at(4))).collect();
        assert_eq!(come, [timer(3), timer(1), timer(4)]);
        assert_eq!((timers.first(), timers.len()), (Some(at(5)), 2));
        let come: Vec<_> = std::iter::from_fn(|| timers.pop(at(5))).collect();
        assert_eq!(come, [timer(0), timer(2)]);
        assert_eq!((timers.first(), timers.len()), (None, 0));
    }

    #[test]
    fn what_was_taken_back_never_comes_and_a_key_takes_back_its_own_timer_only() {
        let mut timers = Timers::default();
        let early = timers.set(at(1), timer(0));
        timers.set(at(2), timer(1));
        timers.cancel(early);
        assert_eq!(timers.first(), Some(at(2)), "nobody is woken for what was taken back");
        let third = timers.set(at(3), timer(2));
        timers.cancel(early);
        timers.cancel(Key::default());
        assert_eq!(timers.len(), 2, "its place belongs to another now");
        assert_eq!(timers.pop(at(9)), Some(timer(1)));
        timers.cancel(third);
        assert_eq!((timers.pop(at(9)), timers.first(), timers.len()), (None, None, 0));
    }

    #[test]
    fn many_that_are_set_and_taken_back_leave_nothing_behind() {
        let mut timers = Timers::default();
        let stays = timers.set(at(1), timer(0));
        for n in 0..10_000 {
            let key = timers.set(at(30 + n), timer(n));
            timers.cancel(key);
        }
        assert!(timers.due.len() <= STALE + 3 && timers.places.len() == 2, "{}", timers.due.len());
        timers.cancel(stays);
        assert_eq!((timers.len(), timers.due.len()), (0, 0));
    }
}
