//! The memory of decisions: the newest steps of the Hub and of the shell, bounded by number and by size, oldest forgotten first. What
//! is to outlive the node waits apart until whoever keeps it takes it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctigate_proto::hub::trace::{Step, What};

/// Most steps that are remembered.
const MOST: usize = 50_000;
/// How many bytes they may take.
const BYTES: usize = 16 << 20;
/// Most steps that wait to be kept; the oldest are given up when nobody keeps them.
const WAITING: usize = 10_000;
/// For how long the same is not told again, milliseconds, and how many steps are looked through for it.
const AGAIN_MS: i64 = 10_000;
const LOOKED_AT: usize = 256;

/// The memory. Shared by whoever tells and whoever asks; held for a moment only.
#[derive(Debug, Default)]
pub(super) struct Story(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    steps: VecDeque<Step>,
    bytes: usize,
    unkept: VecDeque<Step>,
}

impl Story {
    pub(super) fn tell(&self, steps: impl IntoIterator<Item = Step>) {
        let mut memory = self.lock();
        for step in steps {
            if outlives(&step) {
                if memory.unkept.len() >= WAITING {
                    memory.unkept.pop_front();
                }
                memory.unkept.push_back(step.clone());
            }
            memory.bytes += weight(&step);
            memory.steps.push_back(step);
            while memory.steps.len() > MOST || memory.bytes > BYTES {
                let Some(oldest) = memory.steps.pop_front() else { break };
                memory.bytes -= weight(&oldest);
            }
        }
    }

    /// The same for what somebody outside can bring about as often as it likes: what was told a moment ago is not told again.
    pub(super) fn tell_once(&self, step: Step) {
        let again = |old: &Step| old.what == step.what && old.user == step.user && step.at_ms - old.at_ms < AGAIN_MS;
        if !self.lock().steps.iter().rev().take(LOOKED_AT).any(again) {
            self.tell([step]);
        }
    }

    /// Those that are wanted, oldest first.
    pub(super) fn steps(&self, wanted: impl FnMut(&&Step) -> bool) -> Vec<Step> {
        self.lock().steps.iter().filter(wanted).cloned().collect()
    }

    /// What is to be kept and was not taken yet.
    pub(super) fn take_unkept(&self) -> Vec<Step> {
        self.lock().unkept.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a step is worth keeping: what was decided about calls and forms is, with who heard of it and what was asked for it; the
/// everyday of tabs is not, nor are events and methods that belong to no call.
fn outlives(step: &Step) -> bool {
    match step.what {
        What::Told { .. } | What::Asked { .. } | What::Done { .. } | What::Ordered { .. } | What::Refused { .. } => {
            !step.call.is_empty() || !step.form.is_empty()
        }
        What::Subscribed { .. } | What::TabOpened { .. } | What::TabClosed { .. } => false,
        _ => true,
    }
}

/// About how many bytes a step takes. Texts may share their bytes with others; they are counted all the same.
fn weight(step: &Step) -> usize {
    let links =
        |links: &[(ctigate_proto::message::Text, _)]| links.iter().map(|(name, _)| 40 + name.len()).sum::<usize>();
    let more = match &step.what {
        What::Triggered { others, .. } => others.iter().map(|(name, _)| 40 + name.len()).sum(),
        What::Shown { links: all, .. } => links(all),
        What::Told { links: all, .. } => links(all),
        What::NotForUser { numberless: all, .. } | What::Subscribed { events: all, .. } => {
            all.iter().map(|name| 32 + name.len()).sum()
        }
        What::NotOpened { why, .. }
        | What::RuleAsked { why, .. }
        | What::NotAsked { why, .. }
        | What::Done { why, .. }
        | What::Refused { why, .. }
        | What::LoginRefused { why }
        | What::LinkDown { why, .. } => why.len(),
        _ => 0,
    };
    size_of::<Step>() + step.call.len() + step.form.len() + step.user.len() + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(n: usize, what: What) -> Step {
        let empty = || ctigate_proto::message::Text::new();
        Step { at_ms: n as i64, call: format!("chain-{n}").into(), form: empty(), user: empty(), what }
    }

    #[test]
    fn the_oldest_are_forgotten_by_number_and_by_size() {
        let story = Story::default();
        story.tell((0..MOST + 10).map(|n| step(n, What::Over)));
        let all = story.steps(|_| true);
        assert_eq!((all.len(), all[0].at_ms), (MOST, 10));
        let long = || What::LinkDown { link: "crm".into(), why: "x".repeat(1 << 20).into() };
        story.tell((0..40).map(|n| step(n, long())));
        let all = story.steps(|_| true);
        assert!(all.len() < 17, "{} steps of a megabyte each", all.len());
        assert!(story.lock().bytes <= BYTES);
    }

    #[test]
    fn who_knocks_again_and_again_pushes_nothing_out() {
        let story = Story::default();
        let knock = || What::OriginRefused { origin: "http://evil.example".into(), host: "us".into() };
        (0..1000).for_each(|n| story.tell_once(step(n * 100, knock())));
        assert_eq!(story.steps(|_| true).len(), 10, "100 s, one each 10 s");
    }

    #[test]
    fn what_outlives_waits_until_it_is_taken_and_not_for_ever() {
        let story = Story::default();
        let told = || What::Told { event: "userstatechanged", tabs: 1, deaf: 0, links: [].into() };
        let everyday = Step { call: Default::default(), ..step(2, told()) };
        let of_a_call = Step { call: "c".into(), ..step(3, told()) };
        story.tell(vec![step(1, What::Over), everyday, of_a_call]);
        let kept: Vec<i64> = story.take_unkept().iter().map(|step| step.at_ms).collect();
        assert_eq!(kept, [1, 3], "who heard of a call is kept, the everyday is not");
        assert_eq!(story.take_unkept().len(), 0);
        story.tell((0..WAITING + 5).map(|n| step(n, What::Over)));
        let waiting = story.take_unkept();
        assert_eq!((waiting.len(), waiting[0].at_ms), (WAITING, 5));
    }
}
