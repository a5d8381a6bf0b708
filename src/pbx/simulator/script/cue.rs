//! The lines of a timeline: what happens when.

use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Act, GhostMode, Sequence};

use super::error::Mistake;
use super::parse::Parser;
use super::token::{Kind, cut};
use super::{Cue, Happening, Story};

/// Most numbers in one line.
const NUMBERS: usize = 64;

impl Parser {
    /// What follows `at D`.
    pub(super) fn cue(&mut self, at: Duration) -> Result<Cue, Mistake> {
        const EXPECTED: &str = "what happens: incoming, answer, hangup, decline, dial, stop, hold, resume, swap, return, drop, \
                                join, transfer, conference, widen, invite, takein, kick, leave, spy, mode, keys, fax, redirect, away, \
                                available, outside, phone, caller";
        let start = self.spot();
        let word = self.word(EXPECTED)?;
        let spot = self.spot();
        let what = match &*word {
            "incoming" => self.incoming()?,
            "answer" => Happening::Answer(self.number()?),
            "hangup" => Happening::Hangup(self.number()?),
            "hold" => Happening::Hold(self.number()?, true),
            "resume" => Happening::Hold(self.number()?, false),
            "keys" => Happening::Keys(self.number()?, self.keys_pressed()?),
            "fax" => Happening::Fax(self.number()?, self.pages()?),
            "phone" if self.keyword("outside") => Happening::AllOutside(self.behaviour()?),
            "phone" => Happening::Phone(self.number()?, self.behaviour()?),
            "outside" => self.outsider()?,
            "away" => Happening::Agent(self.number()?, false),
            "available" => Happening::Agent(self.number()?, true),
            "redirect" => {
                let number = self.number()?;
                let to = if self.keyword("off") { None } else { Some(self.number()?) };
                let cascade = to.is_some() && self.keyword("cascade");
                Happening::Redirect { number, to, cascade }
            }
            "caller" => {
                self.words(&["hangs", "up"], "`caller hangs up`; one of several by its number: `hangup NUMBER`")?;
                Happening::CallerLeaves
            }
            other => {
                let number = matches!(
                    other,
                    "decline"
                        | "dial"
                        | "stop"
                        | "swap"
                        | "return"
                        | "drop"
                        | "join"
                        | "transfer"
                        | "conference"
                        | "widen"
                        | "invite"
                        | "takein"
                        | "kick"
                        | "leave"
                        | "spy"
                        | "mode"
                );
                if !number {
                    return Err(Mistake::new(start, format!("`{}`", cut(other)), EXPECTED));
                }
                Happening::Act(self.number()?, self.story(other)?)
            }
        };
        Ok(Cue { at, what, spot })
    }

    /// `CALLER CALLED ["name"] [for D]`
    fn incoming(&mut self) -> Result<Happening, Mistake> {
        let caller = self.number()?;
        let place = self.spot();
        let called = (self.number()?, place);
        let name = match self.peek() {
            Kind::Text(_) => self.plain_text()?,
            _ => Text::new(),
        };
        let patience = if self.keyword("for") { Some(self.duration()?) } else { None };
        Ok(Happening::Incoming { caller, name, called, patience })
    }

    /// `NUMBER answers | holds | resumes | presses KEYS | hangs up`
    fn outsider(&mut self) -> Result<Happening, Mistake> {
        const EXPECTED: &str = "what the person does: answers, holds, resumes, presses, faxes, hangs up";
        let number = self.number()?;
        let spot = self.spot();
        Ok(match &*self.word(EXPECTED)? {
            "answers" => Happening::Answer(number),
            "holds" => Happening::Hold(number, true),
            "resumes" => Happening::Hold(number, false),
            "faxes" => Happening::Fax(number, self.pages()?),
            "presses" => Happening::Keys(number, self.keys_pressed()?),
            "hangs" => {
                self.words(&["up"], "`hangs up`")?;
                Happening::Hangup(number)
            }
            other => return Err(Mistake::new(spot, format!("`{}`", cut(other)), EXPECTED)),
        })
    }

    /// What the person of an inside number does, behind the number.
    fn story(&mut self, word: &str) -> Result<Story, Mistake> {
        Ok(match word {
            "dial" => {
                let to = self.number()?;
                let (mut sequence, mut intercom) = (Sequence::User, false);
                loop {
                    if self.keyword("abonent") {
                        sequence = Sequence::Abonent;
                    } else if self.keyword("intercom") {
                        intercom = true;
                    } else {
                        break Story::Plain(Act::Dial { to, sequence, intercom });
                    }
                }
            }
            "decline" => Story::Plain(Act::Decline),
            "stop" => Story::Plain(Act::StopDialling),
            "swap" => Story::Plain(Act::Switch),
            "return" => Story::Plain(Act::Return),
            "drop" => Story::Plain(Act::DropHeld),
            "join" => Story::Plain(Act::Join),
            "takein" => Story::Plain(Act::TakeIn),
            "transfer" => Story::Plain(Act::Transfer { to: self.number()? }),
            "conference" => Story::Confer(self.numbers()?),
            "invite" => Story::Invite(self.numbers()?),
            "widen" => Story::Widen,
            "leave" => Story::Leave,
            "kick" => Story::Kick(self.number()?),
            "spy" => Story::Spy(self.number()?),
            _ => {
                const EXPECTED: &str = "how to listen in: monitor, help, conference";
                let spot = self.spot();
                Story::SpyMode(match &*self.word(EXPECTED)? {
                    "monitor" => GhostMode::Monitor,
                    "help" => GhostMode::Help,
                    "conference" => GhostMode::Conference,
                    other => return Err(Mistake::new(spot, format!("`{}`", cut(other)), EXPECTED)),
                })
            }
        })
    }

    /// Numbers up to the end of the line, at least one.
    fn numbers(&mut self) -> Result<Vec<Text>, Mistake> {
        let mut numbers = vec![self.number()?];
        while !matches!(self.peek(), Kind::Line | Kind::End) {
            if numbers.len() >= NUMBERS {
                return Err(self.mistake(format!("at most {NUMBERS} numbers")));
            }
            numbers.push(self.number()?);
        }
        Ok(numbers)
    }

    /// `N pages` or `N page`.
    fn pages(&mut self) -> Result<u32, Mistake> {
        const EXPECTED: &str = "how many pages: `1 page` to `50 pages`";
        let spot = self.spot();
        let number = self.number()?;
        let pages = number.parse().ok().filter(|pages| (1..=50).contains(pages));
        let pages = pages.ok_or_else(|| Mistake::new(spot, format!("`{}`", cut(&number)), EXPECTED))?;
        if !self.keyword("pages") && !self.keyword("page") {
            return Err(self.mistake(EXPECTED));
        }
        Ok(pages)
    }

    /// Keys of a telephone: a word, or a text in quotes where there is a `#`.
    fn keys_pressed(&mut self) -> Result<Text, Mistake> {
        const EXPECTED: &str = "keys: 0 to 9, * and # (in quotes), at most 64";
        let spot = self.spot();
        let keys = match self.peek() {
            Kind::Text(_) => self.plain_text()?,
            _ => self.word(EXPECTED)?,
        };
        let fits = !keys.is_empty() && keys.len() <= 64;
        if fits && keys.bytes().all(|key| key.is_ascii_digit() || b"*#".contains(&key)) {
            return Ok(keys);
        }
        Err(Mistake::new(spot, format!("`{}`", cut(&keys)), EXPECTED))
    }

    fn words(&mut self, words: &[&str], expected: &str) -> Result<(), Mistake> {
        for word in words {
            if !self.keyword(word) {
                return Err(self.mistake(expected));
            }
        }
        Ok(())
    }
}
