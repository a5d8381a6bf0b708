//! Values, names and conditions.

use ctigate_proto::message::{Number, Text, Value};

use super::error::Mistake;
use super::parse::{Named, Parser};
use super::token::{Kind, cut};
use super::{Condition, Expr, Piece, Reference, Spot, Word};

/// What every scenario knows about its call.
pub(crate) const KNOWN: [&str; 8] =
    ["caller", "callername", "called", "chainid", "answeredby", "user", "waited", "talked"];

/// Whether every scenario knows the name: what it knows about its call, and the parameters it was started with.
fn is_known(name: &str) -> bool {
    let place = name.strip_prefix("param").unwrap_or_default();
    KNOWN.contains(&name) || !place.is_empty() && place.len() <= 2 && place.bytes().all(|b| b.is_ascii_digit())
}

/// What can be asked about a result.
const ABOUT: [&str; 4] = ["outcome", "error", "by", "comment"];

/// Whether a text can be a name: letters, digits and `_`, no digit first.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl Parser {
    /// A value: a word keeps the type it is written in (number, true, false, null, else text).
    pub(super) fn value(&mut self) -> Result<Expr, Mistake> {
        self.expression(|word| match &*word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => Number::parse(word.clone()).map_or(Value::String(word), Value::Number),
        })
    }

    /// A value that names somebody or something: a word is a text, even of digits.
    pub(super) fn target(&mut self) -> Result<Expr, Mistake> {
        self.expression(Value::String)
    }

    fn expression(&mut self, literal: impl Fn(Text) -> Value) -> Result<Expr, Mistake> {
        let value = match self.peek().clone() {
            Kind::Word(word) => Expr::Literal(literal(word)),
            Kind::Reference(reference) => {
                self.check(&reference)?;
                Expr::Reference(reference)
            }
            Kind::Text(pieces) => {
                for piece in &pieces {
                    if let Piece::Reference(reference) = piece {
                        self.check(reference)?;
                    }
                }
                match &pieces[..] {
                    [] => Expr::Literal(Value::String(Text::new())),
                    [Piece::Text(text)] => Expr::Literal(Value::String(text.clone())),
                    _ => Expr::Template(pieces),
                }
            }
            _ => return Err(self.mistake("a word, a text in quotes or a value such as {caller}")),
        };
        self.skip();
        if self.glued() && matches!(self.peek(), Kind::Word(_) | Kind::Text(_) | Kind::Reference(_)) {
            return Err(self.mistake("a blank; what belongs together is put in quotes, as in \"No. {caller}\""));
        }
        Ok(value)
    }

    /// That a reference names something that can be there.
    fn check(&self, reference: &Reference) -> Result<(), Mistake> {
        let Reference { name, fields, about, spot } = reference;
        let wrong = |expected: String| Err(Mistake::new(*spot, format!("the value {reference}"), expected));
        let named = self.names.get(name);
        if named.is_none() && !is_known(name) {
            return wrong(format!("a name that was given before ({})", self.known(|_| true)));
        }
        match about {
            Some(_) if named != Some(&Named::Result) => {
                wrong("`:` only behind the name of an ask or a form".to_owned())
            }
            Some(_) if !fields.is_empty() => wrong("either fields or `:`, not both".to_owned()),
            Some(about) if !ABOUT.contains(&&**about) => wrong(format!("one of {} behind `:`", ABOUT.join(", "))),
            _ if named.is_none() && !fields.is_empty() => wrong(format!("{{{name}}} alone: it has no fields")),
            _ => Ok(()),
        }
    }

    /// The names known here, for errors.
    fn known(&self, wanted: impl Fn(Named) -> bool) -> String {
        const MOST: usize = 20;
        let given = self.names.iter().filter(|(_, named)| wanted(**named)).map(|(name, _)| &**name);
        let about_the_call = KNOWN.into_iter().filter(|_| wanted(Named::Value));
        given.chain(about_the_call).take(MOST).collect::<Vec<_>>().join(", ")
    }

    /// A name that is given here.
    pub(super) fn new_name(&mut self, named: Named) -> Result<Text, Mistake> {
        const EXPECTED: &str = "a name: letters, digits and `_`, no digit first";
        let spot = self.spot();
        let name = self.word(EXPECTED)?;
        if !is_name(&name) {
            return Err(Mistake::new(spot, format!("`{}`", cut(&name)), EXPECTED));
        }
        self.give_name(spot, &name, named)?;
        Ok(name)
    }

    pub(super) fn give_name(&mut self, spot: Spot, name: &Text, named: Named) -> Result<(), Mistake> {
        if is_known(name) {
            return Err(Mistake::new(spot, format!("`{name}`"), "another name: this one belongs to the call"));
        }
        match self.names.insert(name.clone(), named) {
            Some(before) if before != named => {
                Err(Mistake::new(spot, format!("`{}`", cut(name)), "another name: this one is used for something else"))
            }
            _ => Ok(()),
        }
    }

    /// The name of a result that was given before.
    pub(super) fn result_name(&mut self) -> Result<Text, Mistake> {
        let spot = self.spot();
        let name = self.word("the name of an ask or a form")?;
        if self.names.get(&name) != Some(&Named::Result) {
            let known = self.known(|named| named == Named::Result);
            let expected = match &*known {
                "" => "the name of an ask or a form before it; there is none".to_owned(),
                known => format!("the name of an ask or a form before it ({known})"),
            };
            return Err(Mistake::new(spot, format!("`{}`", cut(&name)), expected));
        }
        Ok(name)
    }

    /// `all [or all]…`
    pub(super) fn condition(&mut self) -> Result<Condition, Mistake> {
        let mut any = vec![self.all()?];
        while self.keyword("or") {
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    /// `single [and single]…`
    fn all(&mut self) -> Result<Condition, Mistake> {
        let mut all = vec![self.single()?];
        while self.keyword("and") {
            all.push(self.single()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn single(&mut self) -> Result<Condition, Mistake> {
        if *self.peek() == Kind::ParenOpen {
            self.deeper()?;
            self.skip();
            let inner = self.condition()?;
            if !self.take(&Kind::ParenClose) {
                return Err(self.mistake("`)`, `and` or `or`"));
            }
            self.shallower();
            return Ok(inner);
        }
        if let (Kind::Word(word), second) = (self.peek().clone(), self.peek_second().clone()) {
            match (&*word, second) {
                (_, Kind::Compare(_)) => {}
                ("not", _) => {
                    self.deeper()?;
                    self.skip();
                    let inner = self.single()?;
                    self.shallower();
                    return Ok(Condition::Not(Box::new(inner)));
                }
                ("exists", Kind::Reference(reference)) => {
                    self.skip();
                    self.check(&reference)?;
                    self.skip();
                    return Ok(Condition::Exists(reference));
                }
                (word, Kind::Word(_)) if Word::parse(word).is_some() => {
                    self.skip();
                    let ended = Word::parse(word).unwrap_or(Word::Ok);
                    return Ok(Condition::Ended(ended, self.result_name()?));
                }
                (_, Kind::Word(_)) => {
                    let words = Word::ALL.map(|(word, _)| word).join(", ");
                    return Err(self.mistake(format!("not, exists, a comparison, or how a result ended: {words}")));
                }
                _ => {}
            }
        }
        let left = self.value()?;
        match (self.peek().clone(), left) {
            (Kind::Compare(compare), left) => {
                self.skip();
                Ok(Condition::Compare(left, compare, self.value()?))
            }
            (_, Expr::Reference(reference)) => Ok(Condition::Holds(reference)),
            _ => Err(self.mistake("a comparison: == != < <= > >=")),
        }
    }
}
