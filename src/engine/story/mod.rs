//! The memory of decisions: the newest steps of the Hub and of the shell, bounded by number and by size, oldest forgotten first. What
//! is to outlive the node waits apart until whoever keeps it takes it.
//!
//! Steps lie packed ([`pack`]) in pages of one size. A page that nobody reads any more is filled anew, so a node that has been busy for a
//! while takes no memory for its decisions, and gives none back.

mod pack;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctigate_proto::hub::Hub;
use ctigate_proto::hub::trace::{Step, Told, What};

use pack::Words;

/// Most steps that are remembered.
const MOST: usize = 50_000;
/// How many bytes they may take.
const BYTES: usize = 16 << 20;
/// How large a page is, unless one step is larger.
const PAGE: usize = 64 << 10;
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
    /// The oldest first. Whoever reads them shares them, and does not hold anybody up meanwhile.
    pages: VecDeque<Arc<Page>>,
    /// The one that is being filled. Whoever reads it copies it.
    last: Page,
    words: Words,
    /// How many steps of the first page are forgotten, and how many steps are remembered.
    forgotten: usize,
    remembered: usize,
    /// What they take, together.
    bytes: usize,
    spare: Option<Page>,
    /// What was told by [`Story::tell_once`] lately.
    lately: VecDeque<Step>,
    unkept: VecDeque<Step>,
}

/// Steps in a row.
#[derive(Clone, Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<u32>,
}

impl Story {
    pub(super) fn tell(&self, steps: impl IntoIterator<Item = Step>) {
        let mut memory = self.lock();
        steps.into_iter().for_each(|step| memory.tell(&step.told()));
    }

    /// What the Hub has decided since this was called last.
    pub(super) fn hear(&self, hub: &mut Hub) {
        let mut memory = self.lock();
        hub.each_step(|told| memory.tell(&told));
    }

    /// The same for what somebody outside can bring about as often as it likes: what was told so a moment ago is not told again.
    pub(super) fn tell_once(&self, step: Step) {
        let again = |old: &Step| old.what == step.what && old.user == step.user && step.at_ms - old.at_ms < AGAIN_MS;
        let mut memory = self.lock();
        if memory.lately.iter().rev().any(again) {
            return;
        }
        if memory.lately.len() >= LOOKED_AT {
            memory.lately.pop_front();
        }
        memory.lately.push_back(step.clone());
        drop(memory);
        self.tell([step]);
    }

    /// Those that are wanted, oldest first.
    pub(super) fn steps(&self, wanted: impl FnMut(&Step) -> bool) -> Vec<Step> {
        let (pages, words, forgotten) = {
            let memory = self.lock();
            let pages = memory.pages.iter().cloned().chain([Arc::new(memory.last.clone())]);
            (pages.collect::<Vec<_>>(), memory.words.clone(), memory.forgotten)
        };
        let all = pages.iter().flat_map(|page| page.starts.iter().map(|start| &page.bytes[*start as usize..]));
        all.skip(forgotten).filter_map(|bytes| pack::read(bytes, &words)).filter(wanted).collect()
    }

    /// What is to be kept and was not taken yet.
    pub(super) fn take_unkept(&self) -> Vec<Step> {
        self.lock().unkept.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn tell(&mut self, told: &Told<'_>) {
        self.remember(told);
        if outlives(told) {
            if self.unkept.len() >= WAITING {
                self.unkept.pop_front();
            }
            self.unkept.push_back(told.to_step());
        }
    }

    fn remember(&mut self, step: &Told<'_>) {
        // A step has some hundred bytes mostly; a large one makes its page larger.
        if self.last.bytes.len() >= PAGE - PAGE / 16 {
            let full = std::mem::replace(&mut self.last, self.spare.take().unwrap_or_default());
            self.pages.push_back(Arc::new(full));
        }
        let page = &mut self.last;
        if page.bytes.capacity() == 0 {
            page.bytes.reserve_exact(PAGE);
        }
        let before = page.bytes.len();
        page.starts.push(u32::try_from(page.bytes.len()).unwrap_or(u32::MAX));
        pack::write(step, &mut self.words, &mut page.bytes);
        self.bytes += page.bytes.len() - before;
        self.remembered += 1;
        while self.remembered > MOST || (self.bytes > BYTES && !self.pages.is_empty()) {
            self.forget();
        }
    }

    /// Forgets the oldest step.
    fn forget(&mut self) {
        self.forgotten += 1;
        self.remembered -= 1;
        if self.pages.front().is_some_and(|page| self.forgotten >= page.starts.len())
            && let Some(page) = self.pages.pop_front()
        {
            self.forgotten = 0;
            self.bytes -= page.bytes.len();
            // Unless somebody still reads it, or it has grown.
            if let Ok(Page { mut bytes, mut starts }) = Arc::try_unwrap(page)
                && bytes.capacity() <= 2 * PAGE
            {
                bytes.clear();
                starts.clear();
                self.spare = Some(Page { bytes, starts });
            }
        }
    }
}

/// Whether a step is worth keeping: what was decided about calls and forms is, with who heard of it and what was asked for it; the
/// everyday of tabs is not, nor are events and methods that belong to no call.
fn outlives(step: &Told<'_>) -> bool {
    match step.what {
        What::Told { .. } | What::Asked { .. } | What::Done { .. } | What::Ordered { .. } | What::Refused { .. } => {
            !step.call.is_empty() || !step.form.is_empty()
        }
        What::Subscribed { .. } | What::TabOpened { .. } | What::TabClosed { .. } => false,
        _ => true,
    }
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
        assert_eq!(all.last().unwrap().what, long());
    }

    #[test]
    fn a_page_is_filled_anew_and_takes_no_more_memory() {
        let story = Story::default();
        let tell = |from: usize| story.tell((from..from + MOST).map(|n| step(n, What::Over)));
        // Numbers of one length.
        tell(1_000_000);
        tell(1_000_000 + MOST);
        let sizes = || {
            let memory = story.lock();
            (memory.bytes, memory.pages.len() + usize::from(memory.spare.is_some()))
        };
        let (bytes, pages) = sizes();
        for round in 2..40 {
            tell(1_000_000 + round * MOST);
            let now = sizes();
            assert!(now.0 <= bytes + PAGE && now.1 <= pages + 1, "{now:?} after {:?}", (bytes, pages));
        }
    }

    #[test]
    fn whoever_reads_sees_what_was_there_and_nothing_is_written_over_it() {
        let story = Story::default();
        story.tell((0..100).map(|n| step(n, What::Over)));
        let mut seen = 0;
        let all = story.steps(|step| {
            // While one is looked at, as many come as are remembered.
            if seen == 0 {
                story.tell((1000..1000 + 2 * MOST).map(|n| tests::step(n, What::Over)));
            }
            seen += 1;
            step.at_ms < 1000
        });
        assert_eq!(all.iter().map(|step| step.at_ms).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(story.steps(|_| true).len(), MOST);
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
