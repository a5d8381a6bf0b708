//! The steps of a scenario, one function each.

use std::time::Duration;

use ctigate_proto::message::Text;

use super::error::Mistake;
use super::parse::{Named, Parser, Place};
use super::token::{Kind, cut};
use super::values::is_name;
use super::{AskStep, Block, Branch, Expr, FormStep, KeysStep, QueueStep, RingStep, RingWhom, Step, What};

/// How long a `ring` rings when it does not say.
const RING: Duration = Duration::from_secs(30);
/// How long a caller stays in a queue when the scenario does not say.
const QUEUE: Duration = Duration::from_secs(600);
/// How long keys are waited for when the scenario does not say.
const KEYS: Duration = Duration::from_secs(10);

impl Place {
    /// The steps that can stand here, for errors.
    fn steps(self) -> &'static str {
        match self {
            Self::Call => {
                "a step (answer, ask, form, await, close, ring, queue, keys, say, wait, set, if, return, hangup), `after` or `}`"
            }
            Self::Talk => {
                "a step that can be taken while two people talk (ask, form, await, close, say, wait, set, if, hangup) or `}`"
            }
            Self::After => {
                "a step that can be taken when the call has ended (ask, form, await, close, say, wait, set, if) or `}`"
            }
        }
    }

    fn allows(self, step: &str) -> bool {
        match step {
            "ask" | "form" | "await" | "close" | "say" | "wait" | "set" | "if" => true,
            "hangup" => self != Self::After,
            "answer" | "ring" | "queue" | "keys" | "return" => self == Self::Call,
            _ => false,
        }
    }
}

impl Parser {
    pub(super) fn step(&mut self, place: Place) -> Result<Step, Mistake> {
        let spot = self.spot();
        let word = self.word(place.steps())?;
        if !place.allows(&word) {
            let expected = match &*word {
                "else" => "a step; `else` stands on the line of the `}` before it",
                "after" => "a step; `after` stands at the end of the scenario, outside of other blocks",
                _ => place.steps(),
            };
            return Err(Mistake::new(spot, format!("`{}`", cut(&word)), expected));
        }
        let what = match &*word {
            "answer" => What::Answer,
            "hangup" => What::Hangup,
            "ask" => What::Ask(self.ask()?),
            "form" => What::Form(self.form()?),
            "await" => What::Await { name: self.result_name()?, within: self.duration()? },
            "close" => What::Close(self.result_name()?),
            "keys" => What::Keys(self.keys()?),
            "return" => What::Return(self.value()?),
            "ring" => What::Ring(self.ring()?),
            "queue" => {
                let queue = (self.target()?, spot);
                What::Queue(QueueStep { queue, within: self.within(QUEUE)?, talking: self.talking()? })
            }
            "say" => What::Say(self.value()?),
            "wait" => What::Wait(self.duration()?),
            "set" => {
                let name = self.new_name(Named::Value)?;
                if !self.take(&Kind::Assign) {
                    return Err(self.mistake("`=` and a value"));
                }
                What::Set { name, value: self.value()? }
            }
            _ => self.choice(place)?,
        };
        Ok(Step { spot, what })
    }

    fn ask(&mut self) -> Result<AskStep, Mistake> {
        let spot = self.spot();
        let method = self.name_of("the name of a dynamic method")?;
        let input = self.pairs()?;
        let (mut user, mut deadline, mut late, mut fallback, mut name) = (None, None, None, None, None);
        loop {
            let spot = self.spot();
            let again = match self.option(&["for", "deadline", "late", "fallback", "as"])? {
                None => break,
                Some("for") => user.replace(self.value()?).is_some(),
                Some("deadline") => deadline.replace(self.duration()?).is_some(),
                Some("late") => late.replace(self.duration()?).is_some(),
                Some("fallback") => fallback.replace(self.pairs()?).is_some(),
                Some(_) => name.replace(self.new_name(Named::Result)?).is_some(),
            };
            once(spot, again)?;
        }
        if name.is_none() && is_name(&method) {
            self.give_name(spot, &method, Named::Result)?;
            name = Some(method.clone());
        }
        Ok(AskStep { method, input, user, deadline, late: late.unwrap_or_default(), fallback, name })
    }

    fn form(&mut self) -> Result<FormStep, Mistake> {
        let form = self.name_of("the name of a form")?;
        if !self.keyword("for") {
            return Err(self.mistake("`for` and the user who is to see the form"));
        }
        let user = self.target()?;
        let parameters = self.pairs()?;
        let (mut expire, mut wait, mut name) = (None, None, None);
        loop {
            let spot = self.spot();
            let again = match self.option(&["expire", "wait", "as"])? {
                None => break,
                Some("expire") => expire.replace(self.duration()?).is_some(),
                Some("wait") => wait.replace(self.duration()?).is_some(),
                Some(_) => name.replace(self.new_name(Named::Result)?).is_some(),
            };
            once(spot, again)?;
        }
        if name.is_none() && wait.is_some() && is_name(&form) {
            self.give_name(self.spot(), &form, Named::Result)?;
            name = Some(form.clone());
        }
        Ok(FormStep { form, user, parameters, expire, wait, name })
    }

    fn ring(&mut self) -> Result<RingStep, Mistake> {
        let whom = if self.keyword("everyone") {
            RingWhom::Everyone
        } else {
            let mut these = Vec::new();
            loop {
                let spot = self.spot();
                these.push((self.target()?, spot));
                if !self.take(&Kind::Comma) {
                    break RingWhom::These(these);
                }
            }
        };
        Ok(RingStep { whom, within: self.within(RING)?, talking: self.talking()? })
    }

    fn keys(&mut self) -> Result<KeysStep, Mistake> {
        let name = self.new_name(Named::Value)?;
        let (mut digits, mut within) = (None, None);
        loop {
            let spot = self.spot();
            let again = match self.option(&["digits", "for"])? {
                None => break,
                Some("digits") => digits.replace(self.count("how many keys, 1 to 32", 1..=32)?).is_some(),
                Some(_) => within.replace(self.duration()?).is_some(),
            };
            once(spot, again)?;
        }
        Ok(KeysStep { name, digits: digits.unwrap_or(1), within: within.unwrap_or(KEYS) })
    }

    /// `[for D]`
    fn within(&mut self, default: Duration) -> Result<Duration, Mistake> {
        if self.keyword("for") { self.duration() } else { Ok(default) }
    }

    /// `[{ … }]`
    fn talking(&mut self) -> Result<Block, Mistake> {
        match self.peek() {
            Kind::Open => self.block(Place::Talk),
            _ => Ok(Block::default()),
        }
    }

    fn choice(&mut self, place: Place) -> Result<What, Mistake> {
        let mut branches = Vec::new();
        loop {
            let when = self.condition()?;
            branches.push(Branch { when, then: self.block(place)? });
            if !self.keyword("else") {
                return Ok(What::If { branches, otherwise: Block::default() });
            }
            if !self.keyword("if") {
                return Ok(What::If { branches, otherwise: self.block(place)? });
            }
        }
    }

    /// The next option of a step; `None` at its end. Anything else is a mistake.
    fn option(&mut self, options: &[&'static str]) -> Result<Option<&'static str>, Mistake> {
        if matches!(self.peek(), Kind::Line | Kind::End | Kind::Close) {
            return Ok(None);
        }
        match options.iter().find(|option| self.keyword(option)) {
            Some(option) => Ok(Some(option)),
            None => Err(self.mistake(format!("{}{} or the end of the line", pairs_too(options), options.join(", ")))),
        }
    }

    /// `name=value …`
    fn pairs(&mut self) -> Result<Vec<(Text, Expr)>, Mistake> {
        let mut pairs: Vec<(Text, Expr)> = Vec::new();
        while matches!(self.peek(), Kind::Word(_)) && *self.peek_second() == Kind::Assign {
            let spot = self.spot();
            let name = self.word("a name")?;
            if pairs.iter().any(|(n, _)| *n == name) {
                return Err(Mistake::new(spot, format!("`{}` a second time", cut(&name)), "each name once"));
            }
            self.skip();
            pairs.push((name, self.value()?));
        }
        Ok(pairs)
    }

    /// The name of a method or form: a word or a text in quotes.
    fn name_of(&mut self, expected: &str) -> Result<Text, Mistake> {
        match self.target()? {
            Expr::Literal(value) => value.to_text().filter(|name| !name.is_empty()),
            Expr::Reference(_) | Expr::Template(_) => None,
        }
        .ok_or_else(|| self.mistake(expected))
    }
}

/// Whether `name=value` can stand where these options can.
fn pairs_too(options: &[&str]) -> &'static str {
    if options.contains(&"as") { "`name=value`, " } else { "" }
}

fn once(spot: super::Spot, again: bool) -> Result<(), Mistake> {
    if again { Err(Mistake::new(spot, "the same option again", "each option once")) } else { Ok(()) }
}
