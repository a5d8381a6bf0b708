//! What a scenario knows while it runs: about its call, and the names it has given.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::{Number, Object, Text, Value};
use ctigate_proto::telephony::{FormEnd, Outcome, Parties};

use super::script::{Compare, Condition, Expr, Piece, Reference, Word};

/// The longest text a template makes, in bytes; the rest is cut. Without it a scenario could double a text at every step.
const LONGEST_TEXT: usize = 16 * 1024;

/// What is known about the call, and what was named.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) chain: Text,
    pub(super) parties: Parties,
    pub(super) began: Time,
    /// The first inside number that answered, its login, and when.
    pub(super) answered: Option<(Text, Text, Time)>,
    pub(super) ended: Option<Time>,
    names: BTreeMap<Text, Named>,
}

#[derive(Clone, Debug)]
enum Named {
    Value(Value),
    Result(Answer),
}

/// How an `ask` or a `form` ended.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) word: Word,
    output: Object,
    error: String,
    by: Text,
    comment: Text,
}

impl Answer {
    pub(super) fn new(word: Word, output: Object) -> Self {
        Self { word, output, error: String::new(), by: Text::new(), comment: Text::new() }
    }

    pub(super) fn empty(word: Word) -> Self {
        Self::new(word, Object::new())
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self { error: why.into(), ..Self::empty(Word::Refused) }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok(output) => Self::new(Word::Ok, output),
            Outcome::Fallback(output) => Self::new(Word::Fallback, output),
            Outcome::Failed(error) => Self { error, ..Self::empty(Word::Failed) },
            Outcome::Timeout => Self::empty(Word::Timeout),
            Outcome::Cancelled => Self::empty(Word::Cancelled),
            Outcome::NoLink => Self::empty(Word::NoLink),
            Outcome::OpenCircuit => Self::empty(Word::Circuit),
            Outcome::NoMethod => Self::empty(Word::NoMethod),
            Outcome::BadInput(error) => Self { error, ..Self::empty(Word::BadInput) },
        }
    }
}

impl From<FormEnd> for Answer {
    fn from(end: FormEnd) -> Self {
        match end {
            FormEnd::Answered { by, output, comment } => Self { by, comment, ..Self::new(Word::Answered, output) },
            FormEnd::Closed => Self::empty(Word::Closed),
            FormEnd::Expired => Self::empty(Word::Expired),
            FormEnd::Refused(why) => Self::refused(why),
        }
    }
}

impl Scope {
    pub(super) fn new(chain: Text, parties: Parties, began: Time) -> Self {
        Self { chain, parties, began, answered: None, ended: None, names: BTreeMap::new() }
    }

    /// Gives a name to a value; none: the name means nothing any more.
    pub(super) fn set(&mut self, name: &Text, value: Option<Value>) {
        match value {
            Some(value) => self.names.insert(name.clone(), Named::Value(value)),
            None => self.names.remove(name),
        };
    }

    pub(super) fn set_result(&mut self, name: &Text, answer: Answer) {
        self.names.insert(name.clone(), Named::Result(answer));
    }

    /// The value of an expression; `None` when it refers to nothing that exists.
    pub(super) fn value(&self, expr: &Expr, now: Time) -> Option<Value> {
        match expr {
            Expr::Literal(value) => Some(value.clone()),
            Expr::Reference(reference) => self.look_up(reference, now),
            Expr::Template(pieces) => Some(Value::String(self.fill(pieces, now).into())),
        }
    }

    /// The value as text; empty when there is none or it is an object, an array or null.
    pub(super) fn text(&self, expr: &Expr, now: Time) -> Text {
        self.value(expr, now).and_then(|value| value.to_text()).unwrap_or_default()
    }

    /// Parameters; those whose value does not exist are left out.
    pub(super) fn object(&self, pairs: &[(Text, Expr)], now: Time) -> Object {
        pairs.iter().filter_map(|(name, expr)| Some((name.clone(), self.value(expr, now)?))).collect()
    }

    pub(super) fn holds(&self, condition: &Condition, now: Time) -> bool {
        match condition {
            Condition::Any(all) => all.iter().any(|c| self.holds(c, now)),
            Condition::All(all) => all.iter().all(|c| self.holds(c, now)),
            Condition::Not(inner) => !self.holds(inner, now),
            Condition::Compare(left, compare, right) => {
                compare.holds(self.value(left, now).as_ref(), self.value(right, now).as_ref())
            }
            Condition::Holds(reference) => self.look_up(reference, now).is_some_and(|value| !is_nothing(&value)),
            Condition::Exists(reference) => self.look_up(reference, now).is_some_and(|value| value != Value::Null),
            Condition::Ended(word, name) => matches!(self.names.get(name), Some(Named::Result(a)) if a.word == *word),
        }
    }

    fn fill(&self, pieces: &[Piece], now: Time) -> String {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Reference(reference) => {
                    text.push_str(&self.look_up(reference, now).and_then(|value| value.to_text()).unwrap_or_default());
                }
            }
            if text.len() > LONGEST_TEXT {
                text.truncate(text.floor_char_boundary(LONGEST_TEXT));
                break;
            }
        }
        text
    }

    fn look_up(&self, reference: &Reference, now: Time) -> Option<Value> {
        match self.names.get(&reference.name) {
            Some(Named::Value(value)) => inside(value, &reference.fields).cloned(),
            Some(Named::Result(answer)) => match reference.about.as_deref() {
                Some("outcome") => Some(answer.word.as_str().into()),
                Some("error") => Some(answer.error.clone().into()),
                Some("by") => Some((&answer.by).into()),
                Some(_) => Some((&answer.comment).into()),
                None => match reference.fields.split_first() {
                    None => Some(answer.output.clone().into()),
                    Some((first, rest)) => inside(answer.output.get(first)?, rest).cloned(),
                },
            },
            None => self.about_the_call(&reference.name, now),
        }
    }

    fn about_the_call(&self, name: &str, now: Time) -> Option<Value> {
        let answered = self.answered.as_ref();
        let until = self.ended.unwrap_or(now);
        Some(match name {
            "caller" => (&self.parties.caller).into(),
            "callername" => (&self.parties.caller_name).into(),
            "called" => (&self.parties.called).into(),
            "chainid" => (&self.chain).into(),
            "answeredby" => answered.map_or_else(Text::new, |(number, ..)| number.clone()).into(),
            "user" => answered.map_or_else(Text::new, |(_, login, _)| login.clone()).into(),
            "waited" => seconds(answered.map_or(until, |(.., at)| *at).since(self.began)),
            "talked" => seconds(answered.map_or(Duration::ZERO, |(.., at)| until.since(*at))),
            _ => return None,
        })
    }
}

/// Whole seconds, rounded down.
fn seconds(time: Duration) -> Value {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX).into()
}

fn inside<'a>(value: &'a Value, fields: &[Text]) -> Option<&'a Value> {
    fields.iter().try_fold(value, |value, field| match value {
        Value::Object(object) => object.get(field),
        Value::Array(items) => items.get(field.parse::<usize>().ok()?),
        _ => None,
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == 0.0,
        Value::String(s) => s.is_empty() || *s == "false" || *s == "0",
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

impl Compare {
    /// Scalars are equal when they are written alike or are the same number; order is only between numbers. What does not
    /// exist differs from everything.
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return self == Self::Different };
        let order = order(left, right);
        let equal = || match (left.to_text(), right.to_text()) {
            (Some(l), Some(r)) => l == r || (is_number(left) || is_number(right)) && order == Some(Ordering::Equal),
            _ => left == right,
        };
        match self {
            Self::Equal => equal(),
            Self::Different => !equal(),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => order.is_some_and(Ordering::is_le),
            Self::More => order == Some(Ordering::Greater),
            Self::AtLeast => order.is_some_and(Ordering::is_ge),
        }
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

/// The order of two numbers, or of texts that are written as numbers. Integers keep every digit.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    let (left, right) = (number(left)?, number(right)?);
    match (left.as_str().parse::<i128>(), right.as_str().parse::<i128>()) {
        (Ok(l), Ok(r)) => Some(l.cmp(&r)),
        _ => left.as_f64().partial_cmp(&right.as_f64()),
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(n) => Some(n.clone()),
        Value::String(s) => Number::parse(s.clone()),
        _ => None,
    }
}
