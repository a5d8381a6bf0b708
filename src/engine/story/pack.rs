//! A decision as a few bytes. Fifty thousand of them are remembered, and as values each would take a quarter of a kilobyte and five pieces
//! of the heap; as bytes in a row they take a third of it and no piece at all.
//!
//! The form is this memory's own and nobody else reads it: texts as a length and their bytes, numbers by seven bits, words of the
//! program's own by their place in a list of those met so far.

use std::sync::Arc;

use ctigate_proto::hub::settings::Trigger;
use ctigate_proto::hub::trace::{Deaf, Hears, Step, Told, What};
use ctigate_proto::message::{PeerId, Text};

/// The words of the program's own text that decisions name (outcomes, events, methods), in the order in which they were met. As many as the
/// program has.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Vec<&'static str>);

impl Words {
    fn number(&mut self, word: &'static str) -> usize {
        // The same word is mostly the same bytes; where it is not, it stands here twice.
        let same = |known: &&'static str| std::ptr::eq(*known, word);
        self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(word);
            self.0.len() - 1
        })
    }
}

const TRIGGERS: [Trigger; 5] = [Trigger::Ring, Trigger::Answer, Trigger::Hangup, Trigger::Queue, Trigger::Api];
const DEAF: [Deaf; 6] =
    [Deaf::Down, Deaf::NotItsUser, Deaf::NotBehind, Deaf::Undeclared, Deaf::Silent, Deaf::PostedOnly];

/// Appends a decision.
pub(super) fn write(step: &Told<'_>, words: &mut Words, out: &mut Vec<u8>) {
    let mut w = Writer { out, words };
    w.out.extend_from_slice(&step.at_ms.to_le_bytes());
    [step.call, step.form, step.user].into_iter().for_each(|text| w.text(text));
    w.what(step.what);
}

/// Reads what [`write`] has written with these words, from its beginning; what follows is left alone. `None`: it is nothing of the kind.
pub(super) fn read(bytes: &[u8], words: &Words) -> Option<Step> {
    let mut r = Reader { rest: bytes, words };
    let (at_ms, rest) = r.rest.split_first_chunk()?;
    r.rest = rest;
    Some(Step { at_ms: i64::from_le_bytes(*at_ms), call: r.text()?, form: r.text()?, user: r.text()?, what: r.what()? })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    words: &'a mut Words,
}

impl Writer<'_> {
    fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }

    fn count(&mut self, n: usize) {
        self.number(n as u64);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn word(&mut self, word: &'static str) {
        let number = self.words.number(word);
        self.count(number);
    }

    fn texts(&mut self, all: &[Text]) {
        self.count(all.len());
        all.iter().for_each(|text| self.text(text));
    }

    fn trigger(&mut self, trigger: Trigger) {
        self.count(TRIGGERS.iter().position(|known| *known == trigger).unwrap_or_default());
    }

    fn hears(&mut self, all: &[Hears]) {
        self.count(all.len());
        for (link, hears) in all {
            self.text(link);
            let deaf = hears.err().and_then(|deaf| DEAF.iter().position(|known| *known == deaf));
            self.count(deaf.map_or(0, |n| n + 1));
        }
    }

    fn what(&mut self, what: &What) {
        match what {
            What::Began { caller, called } => {
                self.count(0);
                self.text(caller);
                self.text(called);
            }
            What::NobodysNumber { number } => {
                self.count(1);
                self.text(number);
            }
            What::Over => self.count(2),
            What::Triggered { on, others } => {
                self.count(3);
                self.trigger(*on);
                self.count(others.len());
                for (rule, trigger) in others {
                    self.text(rule);
                    self.trigger(*trigger);
                }
            }
            What::NotForUser { rule, numberless } => {
                self.count(4);
                self.text(rule);
                self.texts(numberless);
            }
            What::Fires { rule, ask } => {
                self.count(5);
                self.text(rule);
                self.text(ask);
            }
            What::RuleAsked { rule, outcome, why } => {
                self.count(6);
                self.text(rule);
                self.word(outcome);
                self.text(why);
            }
            What::NotOpened { name, why } => {
                self.count(7);
                self.text(name);
                self.text(why);
            }
            What::Opened { name, by } => {
                self.count(8);
                self.text(name);
                self.word(by);
            }
            What::Shown { name, tabs, deaf, links } => {
                self.count(9);
                self.text(name);
                self.count(*tabs);
                self.count(*deaf);
                self.hears(links);
            }
            What::Ended { name, how } => {
                self.count(10);
                self.text(name);
                self.word(how);
            }
            What::Asked { method, link, by } => {
                self.count(11);
                self.text(method);
                self.text(link);
                self.word(by);
            }
            What::NotAsked { method, outcome, why, by } => {
                self.count(12);
                self.text(method);
                self.word(outcome);
                self.text(why);
                self.word(by);
            }
            What::Done { method, link, outcome, why, millis } => {
                self.count(13);
                self.text(method);
                self.text(link);
                self.word(outcome);
                self.text(why);
                self.number(*millis);
            }
            What::Told { event, tabs, deaf, links } => {
                self.count(14);
                self.word(event);
                self.count(*tabs);
                self.count(*deaf);
                self.hears(links);
            }
            What::TabOpened { tab, address } => {
                self.count(15);
                self.number(tab.0);
                self.text(address);
            }
            What::TabClosed { tab } => {
                self.count(16);
                self.number(tab.0);
            }
            What::Subscribed { tab, events } => {
                self.count(17);
                self.number(tab.0);
                self.texts(events);
            }
            What::LoginRefused { why } => {
                self.count(18);
                self.text(why);
            }
            What::Ordered { number, act } => {
                self.count(19);
                self.text(number);
                self.word(act);
            }
            What::RightMissing { method, right, link } => {
                self.count(20);
                self.word(method);
                self.word(right);
                self.text(link);
            }
            What::Refused { method, code, why } => {
                self.count(21);
                self.text(method);
                self.number(code.cast_unsigned());
                self.text(why);
            }
            What::LinkUp { link } => {
                self.count(22);
                self.text(link);
            }
            What::LinkDown { link, why } => {
                self.count(23);
                self.text(link);
                self.text(why);
            }
            What::Telephone { up } => {
                self.count(24);
                self.count(usize::from(*up));
            }
            What::OriginRefused { origin, host } => {
                self.count(25);
                self.text(origin);
                self.text(host);
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    words: &'a Words,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<Text> {
        let length = self.count()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(text).ok().map(Text::from)
    }

    fn word(&mut self) -> Option<&'static str> {
        let number = self.count()?;
        self.words.0.get(number).copied()
    }

    fn all<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| one(self)).collect()
    }

    fn trigger(&mut self) -> Option<Trigger> {
        TRIGGERS.get(self.count()?).copied()
    }

    fn hears(&mut self) -> Option<Vec<Hears>> {
        self.all(|r| {
            let link = r.text()?;
            Some((
                link,
                match r.count()? {
                    0 => Ok(()),
                    n => Err(*DEAF.get(n - 1)?),
                },
            ))
        })
    }

    fn what(&mut self) -> Option<What> {
        Some(match self.count()? {
            0 => What::Began { caller: self.text()?, called: self.text()? },
            1 => What::NobodysNumber { number: self.text()? },
            2 => What::Over,
            3 => What::Triggered { on: self.trigger()?, others: self.all(|r| Some((r.text()?, r.trigger()?)))? },
            4 => What::NotForUser { rule: self.text()?, numberless: self.all(Self::text)? },
            5 => What::Fires { rule: self.text()?, ask: self.text()? },
            6 => What::RuleAsked { rule: self.text()?, outcome: self.word()?, why: self.text()? },
            7 => What::NotOpened { name: self.text()?, why: self.text()? },
            8 => What::Opened { name: self.text()?, by: self.word()? },
            9 => What::Shown { name: self.text()?, tabs: self.count()?, deaf: self.count()?, links: self.hears()? },
            10 => What::Ended { name: self.text()?, how: self.word()? },
            11 => What::Asked { method: self.text()?, link: self.text()?, by: self.word()? },
            12 => What::NotAsked { method: self.text()?, outcome: self.word()?, why: self.text()?, by: self.word()? },
            13 => What::Done {
                method: self.text()?,
                link: self.text()?,
                outcome: self.word()?,
                why: self.text()?,
                millis: self.number()?,
            },
            14 => What::Told {
                event: self.word()?,
                tabs: self.count()?,
                deaf: self.count()?,
                links: Arc::from(self.hears()?),
            },
            15 => What::TabOpened { tab: PeerId(self.number()?), address: self.text()? },
            16 => What::TabClosed { tab: PeerId(self.number()?) },
            17 => What::Subscribed { tab: PeerId(self.number()?), events: self.all(Self::text)? },
            18 => What::LoginRefused { why: self.text()? },
            19 => What::Ordered { number: self.text()?, act: self.word()? },
            20 => What::RightMissing { method: self.word()?, right: self.word()?, link: self.text()? },
            21 => What::Refused { method: self.text()?, code: self.number()?.cast_signed(), why: self.text()? },
            22 => What::LinkUp { link: self.text()? },
            23 => What::LinkDown { link: self.text()?, why: self.text()? },
            24 => What::Telephone { up: self.count()? == 1 },
            25 => What::OriginRefused { origin: self.text()?, host: self.text()? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind.
    fn every_kind() -> Vec<What> {
        let text = |text: &str| Text::from(text);
        let links = || vec![(text("crm"), Ok(())), (text("shop"), Err(Deaf::PostedOnly)), (text(""), Err(Deaf::Down))];
        let tab = PeerId(u64::MAX);
        vec![
            What::Began { caller: text("84951234567"), called: text("101") },
            What::NobodysNumber { number: text("999") },
            What::Over,
            What::Triggered { on: Trigger::Api, others: vec![(text("card"), Trigger::Hangup)] },
            What::NotForUser { rule: text("card"), numberless: vec![text("ivanov"), text("Петров")] },
            What::Fires { rule: text("card"), ask: text("") },
            What::RuleAsked { rule: text("card"), outcome: "timeout", why: text("no answer") },
            What::NotOpened { name: text("card"), why: text("x".repeat(300).as_str()) },
            What::Opened { name: text("card"), by: "scenario" },
            What::Shown { name: text("card"), tabs: 2, deaf: 1, links: links() },
            What::Ended { name: text("card"), how: "answered" },
            What::Asked { method: text("Find"), link: text("crm"), by: "tab" },
            What::NotAsked { method: text("Find"), outcome: "no_link", why: text(""), by: "tab" },
            What::Done { method: text("Find"), link: text("crm"), outcome: "ok", why: text(""), millis: 1 << 40 },
            What::Told { event: "userstatechanged", tabs: 300, deaf: 0, links: links().into() },
            What::TabOpened { tab, address: text("127.0.0.1") },
            What::TabClosed { tab },
            What::Subscribed { tab, events: vec![text("all")] },
            What::LoginRefused { why: text("wrong password") },
            What::Ordered { number: text("101"), act: "answer" },
            What::RightMissing { method: "pbxabortcall", right: "phone", link: text("crm") },
            What::Refused { method: text("login"), code: -1, why: text("no") },
            What::LinkUp { link: text("crm") },
            What::LinkDown { link: text("crm"), why: text("gone") },
            What::Telephone { up: true },
            What::OriginRefused { origin: text("http://a.example"), host: text("b.example") },
        ]
    }

    fn step(what: What) -> Step {
        Step { at_ms: 1_795_000_000_000, call: "chain".into(), form: "".into(), user: "ivanov".into(), what }
    }

    #[test]
    fn every_kind_of_decision_comes_back_as_it_was() {
        let (mut words, mut out) = (Words::default(), Vec::new());
        let all: Vec<Step> = every_kind().into_iter().map(step).collect();
        let starts: Vec<usize> = all
            .iter()
            .map(|step| {
                let start = out.len();
                write(&step.told(), &mut words, &mut out);
                start
            })
            .collect();
        for (step, start) in all.iter().zip(starts) {
            assert_eq!(read(&out[start..], &words).as_ref(), Some(step));
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for what in every_kind() {
            let (mut words, mut out) = (Words::default(), Vec::new());
            write(&step(what).told(), &mut words, &mut out);
            for end in 0..out.len() {
                assert_eq!(read(&out[..end], &words), None, "{end} of {} bytes", out.len());
            }
        }
    }

    #[test]
    fn a_word_is_listed_once_however_often_it_is_said() {
        let (mut words, mut out) = (Words::default(), Vec::new());
        for _ in 0..1000 {
            every_kind().into_iter().for_each(|what| write(&step(what).told(), &mut words, &mut out));
        }
        assert!(words.0.len() <= 10, "{words:?}");
    }
}
