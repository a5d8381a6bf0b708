//! How an entry of the ledger is written for keeping, and read back.

use crate::message::{Object, Text, Value};
use crate::telephony::{CallId, End, EndCause, FaxId, LegId, Parties, TalkId};

use super::entry::{Direction, Entry, EntryFax, EntryLeg, EntryQueue, EntryTalk, Outcome};

impl Entry {
    /// The entry as an object, whole.
    pub fn to_object(&self) -> Object {
        let list = |items: Vec<Object>| Value::Array(items.into_iter().map(Value::Object).collect());
        let leg = |leg: &EntryLeg| {
            Object::new()
                .with("leg", leg.leg.0.clone())
                .with("end", end_object(&leg.end))
                .with("began", leg.began_ms)
                .with("answered", leg.answered_ms.map_or(Value::Null, Value::from))
                .with("ended", leg.ended_ms)
                .with("cause", leg.cause.word())
        };
        let talk = |talk: &EntryTalk| {
            Object::new()
                .with("talk", talk.talk.0.clone())
                .with("began", talk.began_ms)
                .with("ended", talk.ended_ms)
                .with("parties", list(talk.parties.iter().map(end_object).collect()))
                .with("conference", talk.conference)
                .with("recording", talk.recording.clone().map_or(Value::Null, Value::String))
        };
        let queue = |queue: &EntryQueue| {
            Object::new().with("queue", queue.queue.clone()).with("began", queue.began_ms).with("ended", queue.ended_ms)
        };
        let fax = |fax: &EntryFax| {
            Object::new()
                .with("fax", fax.fax.0.clone())
                .with("at", fax.at_ms)
                .with("parties", list(fax.parties.iter().map(end_object).collect()))
                .with("file", fax.file.clone())
                .with("pages", fax.pages)
        };
        Object::new()
            .with("call", self.call.0.clone())
            .with("began", self.began_ms)
            .with("ended", self.ended_ms)
            .with("caller", self.parties.caller.clone())
            .with("callername", self.parties.caller_name.clone())
            .with("called", self.parties.called.clone())
            .with("direction", self.direction.word())
            .with("outcome", self.outcome.word())
            .with("wait", self.wait_ms)
            .with("talked", self.talk_ms)
            .with("legs", list(self.legs.iter().map(leg).collect()))
            .with("talks", list(self.talks.iter().map(talk).collect()))
            .with("queues", list(self.queues.iter().map(queue).collect()))
            .with("faxes", list(self.faxes.iter().map(fax).collect()))
    }

    /// The entry that was written by [`Self::to_object`]; `None` when it is none.
    pub fn of_object(object: &Object) -> Option<Self> {
        let leg = |o: &Object| {
            Some(EntryLeg {
                leg: LegId(text(o, "leg")?),
                end: end_of(o.get("end")?.as_object()?)?,
                began_ms: int(o, "began")?,
                answered_ms: int(o, "answered"),
                ended_ms: int(o, "ended")?,
                cause: EndCause::parse(&text(o, "cause")?)?,
            })
        };
        let talk = |o: &Object| {
            Some(EntryTalk {
                talk: TalkId(text(o, "talk")?),
                began_ms: int(o, "began")?,
                ended_ms: int(o, "ended")?,
                parties: list(o, "parties", end_of)?,
                conference: o.get("conference")?.to_bool()?,
                recording: o.get("recording")?.as_str().map(Text::from),
            })
        };
        let queue = |o: &Object| {
            Some(EntryQueue { queue: text(o, "queue")?, began_ms: int(o, "began")?, ended_ms: int(o, "ended")? })
        };
        let fax = |o: &Object| {
            Some(EntryFax {
                fax: FaxId(text(o, "fax")?),
                at_ms: int(o, "at")?,
                parties: list(o, "parties", end_of)?,
                file: text(o, "file")?,
                pages: int(o, "pages")?,
            })
        };
        Some(Self {
            call: CallId(text(object, "call")?),
            began_ms: int(object, "began")?,
            ended_ms: int(object, "ended")?,
            parties: Parties {
                caller: text(object, "caller")?,
                caller_name: text(object, "callername")?,
                called: text(object, "called")?,
            },
            direction: Direction::parse(&text(object, "direction")?)?,
            outcome: Outcome::parse(&text(object, "outcome")?)?,
            wait_ms: int(object, "wait")?,
            talk_ms: int(object, "talked")?,
            legs: list(object, "legs", leg)?,
            talks: list(object, "talks", talk)?,
            queues: list(object, "queues", queue)?,
            faxes: list(object, "faxes", fax)?,
        })
    }
}

fn end_object(end: &End) -> Object {
    match end {
        End::Inside(number) => Object::new().with("inside", number.clone()),
        End::Outside { number, name, line } => {
            Object::new().with("outside", number.clone()).with("name", name.clone()).with("line", line.clone())
        }
    }
}

fn end_of(object: &Object) -> Option<End> {
    match text(object, "inside") {
        Some(number) => Some(End::Inside(number)),
        None => Some(End::Outside {
            number: text(object, "outside")?,
            name: text(object, "name")?,
            line: text(object, "line")?,
        }),
    }
}

fn text(object: &Object, name: &str) -> Option<Text> {
    object.get(name)?.as_str().map(Text::from)
}

fn int(object: &Object, name: &str) -> Option<i64> {
    object.get(name)?.to_i64()
}

fn list<T>(object: &Object, name: &str, read: impl Fn(&Object) -> Option<T>) -> Option<Vec<T>> {
    object.get(name)?.as_array()?.iter().map(|item| read(item.as_object()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let outside = End::Outside { number: "79001112233".into(), name: "Анна".into(), line: "07001".into() };
        let entry = Entry {
            call: CallId("c".into()),
            began_ms: 1000,
            ended_ms: 9000,
            parties: Parties { caller: "79001112233".into(), caller_name: "Анна".into(), called: "500".into() },
            direction: Direction::Incoming,
            outcome: Outcome::Answered,
            wait_ms: 3000,
            talk_ms: 5000,
            legs: EndCause::ALL
                .into_iter()
                .map(|cause| EntryLeg {
                    leg: LegId(cause.word().into()),
                    end: End::Inside("101".into()),
                    began_ms: 2000,
                    answered_ms: (cause == EndCause::Hangup).then_some(4000),
                    ended_ms: 9000,
                    cause,
                })
                .collect(),
            talks: vec![EntryTalk {
                talk: TalkId("t".into()),
                began_ms: 4000,
                ended_ms: 9000,
                parties: vec![outside, End::Inside("101".into())],
                conference: false,
                recording: Some("a/b.wav".into()),
            }],
            queues: vec![EntryQueue { queue: "500".into(), began_ms: 1000, ended_ms: 4000 }],
            faxes: vec![EntryFax {
                fax: FaxId("f".into()),
                at_ms: 7000,
                parties: vec![End::Inside("102".into()), End::Inside("101".into())],
                file: "fax-f.pdf".into(),
                pages: 2,
            }],
        };
        assert_eq!(Entry::of_object(&entry.to_object()), Some(entry.clone()));
        let mut broken = entry.to_object();
        broken.set("outcome", "nonsense");
        assert_eq!(Entry::of_object(&broken), None);
    }
}
