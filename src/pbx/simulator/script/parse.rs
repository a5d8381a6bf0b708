//! Tokens to a script: the lines outside of scenarios, and the means all parts of the parser share.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::message::Text;

use super::error::Mistake;
use super::token::{Kind, Token, cut, tokens};
use super::{Behaviour, Block, PhoneLine, Piece, Scenario, Script, ScriptError, Spot};

/// How much a script may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of text.
    pub text: usize,
    /// Blocks, brackets and `not`s inside one another.
    pub nesting: usize,
    /// Steps in all scenarios together.
    pub steps: usize,
    /// Lines of the timeline.
    pub cues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text: 256 * 1024, nesting: 16, steps: 4096, cues: 10_000 }
    }
}

/// The longest time a script can name.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first mistake: where, what was found, what was expected.
    pub fn parse(source: &str, limits: &Limits) -> Result<Self, ScriptError> {
        read(source, limits).map_err(|mistake| mistake.within(source))
    }
}

fn read(source: &str, limits: &Limits) -> Result<Script, Mistake> {
    if source.len() > limits.text {
        return Err(Mistake::new(
            Spot { line: 1, column: 1 },
            format!("a script of {} bytes", source.len()),
            format!("at most {} bytes", limits.text),
        ));
    }
    let mut parser =
        Parser { tokens: tokens(source)?, at: 0, depth: 0, steps: 0, limits: *limits, names: BTreeMap::new() };
    let mut script = Script::default();
    while !parser.end_of_text() {
        parser.line(&mut script)?;
    }
    Ok(script)
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    steps: usize,
    limits: Limits,
    /// Names the current scenario has given so far.
    pub(super) names: BTreeMap<Text, Named>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A value given by `set`.
    Value,
    /// The result of an `ask` or a `form`.
    Result,
}

/// What can stand in a block: the steps that make no sense there are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The caller is there and talks to nobody.
    Call,
    /// The caller talks with somebody.
    Talk,
    /// The call has ended.
    After,
}

impl Parser {
    /// A line outside of scenarios.
    fn line(&mut self, script: &mut Script) -> Result<(), Mistake> {
        const EXPECTED: &str = "`on`, `script`, `phone`, `lines`, `speed` or `at`";
        let spot = self.spot();
        match &*self.word(EXPECTED)? {
            "on" => {
                let scenario = self.scenario(spot, script)?;
                script.scenarios.push(Arc::new(scenario));
            }
            "script" => {
                let scenario = self.script(spot, script)?;
                script.scenarios.push(Arc::new(scenario));
            }
            "phone" if self.keyword("outside") => script.outside = Some(self.behaviour()?),
            "phone" => {
                let spot = self.spot();
                let number = self.number()?;
                let behaviour = self.behaviour()?;
                script.phones.push(PhoneLine { number, behaviour, spot });
            }
            "lines" => script.lines = Some(self.count("how many outside lines, 0 to 10000", 0..=10_000)?),
            "speed" => {
                let speed = self.count("how many times faster, 1 to 1000", 1..=1000)?;
                script.speed = u32::try_from(speed).ok();
            }
            "at" => {
                if script.cues.len() >= self.limits.cues {
                    let expected = format!("at most {} lines of timeline", self.limits.cues);
                    return Err(Mistake::new(spot, "one more `at`", expected));
                }
                let at = self.duration()?;
                let cue = self.cue(at)?;
                script.cues.push(cue);
            }
            other => return Err(Mistake::new(spot, format!("`{}`", cut(other)), EXPECTED)),
        }
        self.end_of_line()
    }

    /// `on NUMBER, … ["title"] { … after { … } }`
    fn scenario(&mut self, spot: Spot, script: &Script) -> Result<Scenario, Mistake> {
        let numbers = self.dialled(script)?;
        let title = match self.peek() {
            Kind::Text(_) => self.plain_text()?,
            _ => Text::new(),
        };
        let any = numbers.is_empty();
        self.body(Scenario { numbers, any, title, spot, ..Scenario::default() })
    }

    /// `script "title" { … after { … } }`
    fn script(&mut self, spot: Spot, script: &Script) -> Result<Scenario, Mistake> {
        let place = self.spot();
        let title = self.plain_text()?;
        if title.is_empty() {
            return Err(Mistake::new(place, "an empty text", "the title by which the scenario is started"));
        }
        if let Some(first) = script.scenarios.iter().find(|s| s.title == title) {
            let found = format!("a second scenario `{}`", cut(&title));
            return Err(Mistake::new(place, found, format!("one; the first begins on line {}", first.spot.line)));
        }
        self.body(Scenario { title, spot, ..Scenario::default() })
    }

    /// `{ … after { … } }`
    fn body(&mut self, head: Scenario) -> Result<Scenario, Mistake> {
        self.names.clear();
        self.open()?;
        let mut steps = Vec::new();
        let mut after = Block::default();
        loop {
            self.skip_lines();
            if self.keyword("after") {
                after = self.block(Place::After)?;
                self.skip_lines();
                if *self.peek() != Kind::Close {
                    return Err(self.mistake("`}`: `after` is the last part of a scenario"));
                }
            }
            if self.take(&Kind::Close) {
                self.depth -= 1;
                break;
            }
            self.step_and_line(Place::Call, &mut steps)?;
        }
        Ok(Scenario { steps: steps.into(), after, ..head })
    }

    /// The numbers a scenario answers for; none for `any`.
    fn dialled(&mut self, script: &Script) -> Result<Vec<(Text, Spot)>, Mistake> {
        let once = |spot: Spot, number: Option<&Text>| match script.scenarios.iter().find(|s| match number {
            Some(number) => s.numbers.iter().any(|(n, _)| n == number),
            None => s.any,
        }) {
            Some(first) => Err(Mistake::new(
                spot,
                format!("a second scenario for {}", number.map_or("any number", |n| &**n)),
                format!("one; the first begins on line {}", first.spot.line),
            )),
            None => Ok(()),
        };
        let spot = self.spot();
        if self.keyword("any") {
            once(spot, None)?;
            return Ok(Vec::new());
        }
        let mut numbers: Vec<(Text, Spot)> = Vec::new();
        loop {
            let spot = self.spot();
            let number = self.number()?;
            once(spot, Some(&number))?;
            if numbers.iter().any(|(n, _)| *n == number) {
                return Err(Mistake::new(spot, format!("{} a second time", cut(&number)), "each number once"));
            }
            numbers.push((number, spot));
            if !self.take(&Kind::Comma) {
                return Ok(numbers);
            }
        }
    }

    /// What follows `phone NUMBER`.
    pub(super) fn behaviour(&mut self) -> Result<Behaviour, Mistake> {
        const EXPECTED: &str = "what the phone does: rings, answers, busy, refuses, never, unreachable";
        let spot = self.spot();
        Ok(match &*self.word(EXPECTED)? {
            "rings" => Behaviour::Rings,
            "busy" => Behaviour::Busy,
            "unreachable" => Behaviour::Unreachable,
            "never" => {
                if !self.keyword("answers") {
                    return Err(self.mistake("`answers`"));
                }
                Behaviour::Deaf
            }
            "refuses" => Behaviour::Refuses { after: self.after_time()? },
            "answers" => {
                let after = self.after_time()?;
                let talks = if self.keyword("talks") { Some(self.duration()?) } else { None };
                Behaviour::Answers { after, talks }
            }
            other => return Err(Mistake::new(spot, format!("`{}`", cut(other)), EXPECTED)),
        })
    }

    /// `[after D]`
    fn after_time(&mut self) -> Result<Duration, Mistake> {
        if self.keyword("after") { self.duration() } else { Ok(Duration::ZERO) }
    }

    // What all parts of the parser use.

    pub(super) fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    /// The token behind the next one.
    pub(super) fn peek_second(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn spot(&self) -> Spot {
        self.tokens[self.at].spot
    }

    /// Whether the next token touches the one before it.
    pub(super) fn glued(&self) -> bool {
        self.tokens[self.at].glued
    }

    /// Steps over a token; the last one stays.
    pub(super) fn skip(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    pub(super) fn take(&mut self, kind: &Kind) -> bool {
        let there = self.peek() == kind;
        if there {
            self.skip();
        }
        there
    }

    /// Takes the word if it is the next token.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Kind::Word(w) if *w == word);
        if there {
            self.skip();
        }
        there
    }

    /// A mistake at the next token.
    pub(super) fn mistake(&self, expected: impl Into<String>) -> Mistake {
        Mistake::new(self.spot(), self.peek().to_string(), expected)
    }

    pub(super) fn word(&mut self, expected: &str) -> Result<Text, Mistake> {
        match self.peek() {
            Kind::Word(word) => {
                let word = word.clone();
                self.skip();
                Ok(word)
            }
            _ => Err(self.mistake(expected)),
        }
    }

    /// A number that is dialled, as a word or a text in quotes.
    pub(super) fn number(&mut self) -> Result<Text, Mistake> {
        const EXPECTED: &str = "a number such as 101 or 79001112233";
        let spot = self.spot();
        let number = match self.peek() {
            Kind::Text(_) => self.plain_text()?,
            _ => self.word(EXPECTED)?,
        };
        if number.is_empty() {
            return Err(Mistake::new(spot, "an empty text", EXPECTED));
        }
        Ok(number)
    }

    /// A text in quotes without values in it.
    pub(super) fn plain_text(&mut self) -> Result<Text, Mistake> {
        let text = match self.peek() {
            Kind::Text(pieces) => match &pieces[..] {
                [] => Text::new(),
                [Piece::Text(text)] => text.clone(),
                _ => {
                    return Err(Mistake::new(
                        self.spot(),
                        "a text with values in it",
                        "a text without `{`: no call is known here",
                    ));
                }
            },
            _ => return Err(self.mistake("a text in quotes")),
        };
        self.skip();
        Ok(text)
    }

    /// A time such as `500ms`, `5s`, `10m`, `1h`.
    pub(super) fn duration(&mut self) -> Result<Duration, Mistake> {
        const EXPECTED: &str = "a time such as 500ms, 5s, 10m or 1h, at most 24h";
        let spot = self.spot();
        let word = self.word(EXPECTED)?;
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let amount = word[..digits].parse::<u64>().ok();
        let unit = match &word[digits..] {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        amount
            .zip(unit)
            .and_then(|(amount, unit)| amount.checked_mul(unit))
            .map(Duration::from_millis)
            .filter(|time| *time <= LONGEST)
            .ok_or_else(|| Mistake::new(spot, format!("`{}`", cut(&word)), EXPECTED))
    }

    /// A whole number.
    pub(super) fn count(&mut self, expected: &str, within: RangeInclusive<usize>) -> Result<usize, Mistake> {
        let spot = self.spot();
        let word = self.word(expected)?;
        let count = word.parse().ok().filter(|count| within.contains(count));
        count.ok_or_else(|| Mistake::new(spot, format!("`{}`", cut(&word)), expected))
    }

    /// The `{` of a block, which goes one deeper. Whoever takes the `}` comes back.
    pub(super) fn open(&mut self) -> Result<(), Mistake> {
        if *self.peek() != Kind::Open {
            let hint = match self.peek() {
                Kind::Reference(_) => "a block; a blank follows the `{` that opens one",
                _ => "`{` and a block",
            };
            return Err(self.mistake(hint));
        }
        self.deeper()?;
        self.skip();
        Ok(())
    }

    /// One more level of nesting.
    pub(super) fn deeper(&mut self) -> Result<(), Mistake> {
        if self.depth >= self.limits.nesting {
            return Err(self.mistake(format!("at most {} levels of nesting", self.limits.nesting)));
        }
        self.depth += 1;
        Ok(())
    }

    /// One level less.
    pub(super) fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// A whole block.
    pub(super) fn block(&mut self, place: Place) -> Result<Block, Mistake> {
        self.open()?;
        let mut steps = Vec::new();
        loop {
            self.skip_lines();
            if self.take(&Kind::Close) {
                self.shallower();
                return Ok(steps.into());
            }
            self.step_and_line(place, &mut steps)?;
        }
    }

    /// One step and the end of its line.
    fn step_and_line(&mut self, place: Place, steps: &mut Vec<super::Step>) -> Result<(), Mistake> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return Err(self.mistake(format!("at most {} steps in all", self.limits.steps)));
        }
        steps.push(self.step(place)?);
        if *self.peek() == Kind::Close {
            return Ok(());
        }
        self.end_of_line()
    }

    pub(super) fn skip_lines(&mut self) {
        while *self.peek() == Kind::Line {
            self.skip();
        }
    }

    fn end_of_line(&mut self) -> Result<(), Mistake> {
        match self.peek() {
            Kind::Line | Kind::End => {
                self.skip();
                Ok(())
            }
            _ => Err(self.mistake("the end of the line")),
        }
    }

    /// Whether nothing follows but empty lines.
    fn end_of_text(&mut self) -> bool {
        self.skip_lines();
        *self.peek() == Kind::End
    }
}
