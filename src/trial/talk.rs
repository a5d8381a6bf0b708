//! Speaking with a CRM, by whichever way, and what is noticed on the way whatever is asked.

use std::time::Duration;

use ctigate_proto::message::{Body, Envelope, Object, Value};

use crate::transport::trial::NoLink;

use super::Outcome;
use super::conversation::Conversation;
use super::exchange::Exchange;
use super::finding::{self, Finding};
use super::reading;

/// Why an answer did not come.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing came in time, or nothing of what was asked for: the words for it.
    Silence(String),
    /// The connection ended.
    Ended(String),
    /// What came is no message.
    Unreadable(&'static Finding, String),
    /// The exchange failed.
    NoLink(NoLink),
}

impl Fault {
    /// The outcome of a check that failed by it; `silence` is what silence means there.
    pub(super) fn outcome(self, silence: &'static Finding) -> Outcome {
        match self {
            Self::Silence(found) => Outcome::bad(silence, found),
            Self::Ended(why) => Outcome::bad(&finding::BROKE_OFF, why),
            Self::Unreadable(finding, found) => Outcome::bad(finding, found),
            Self::NoLink(no) => no_link(&no),
        }
    }
}

/// The outcome of a check that got no link.
pub(super) fn no_link(no: &NoLink) -> Outcome {
    let finding = match no {
        NoLink::Unreachable(_) => &finding::UNREACHABLE,
        NoLink::Declined(_) => &finding::DECLINED,
        NoLink::SubProtocol(_) => &finding::SUB_PROTOCOL,
        NoLink::BadAnswer(_) => &finding::UNREADABLE,
        NoLink::Credentials(_) => &finding::CREDENTIALS,
    };
    Outcome::bad(finding, no.to_string())
}

/// What is noticed in passing: each the first time only.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// Answers in base64.
    pub(super) base64: Option<String>,
    /// A qid that is not its call's.
    pub(super) qid: Option<(&'static Finding, String)>,
    /// Multipart sets.
    pub(super) sets: usize,
    /// A packet out of its order.
    pub(super) disorder: Option<String>,
    /// How many questions in a row found no answer.
    pub(super) silent: u32,
}

impl Noticed {
    pub(super) fn compare(&mut self, asked: &Value, reply: &Envelope) {
        if self.qid.is_none() {
            self.qid = reading::compare(&reply.name, asked, reply.body.value("qid").as_ref());
        }
    }
}

/// A call to a CRM.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) body: Body,
    pub(super) qid: Value,
    /// The name of its reply.
    pub(super) reply: &'static str,
}

impl Question {
    pub(super) fn new(name: &'static str, reply: &'static str, qid: impl Into<Value>) -> Self {
        Self { name, body: Body::new(), qid: qid.into(), reply }
    }

    pub(super) fn with(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(super) fn envelope(&self) -> Envelope {
        let mut body = Body::new().with("qid", self.qid.clone());
        for (name, part) in self.body.iter() {
            body.push_new(name.clone(), part.clone());
        }
        Envelope::new(self.name, body)
    }
}

/// One execution of a dynamic method.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) input: Object,
    /// How long a result is awaited.
    pub(super) wait: Duration,
}

impl Execution {
    pub(super) fn new(method: &str, input: &Object, wait: Duration) -> Self {
        Self { id: guid(), method: method.to_owned(), input: input.clone(), wait }
    }

    /// `executemethod`, with the fields that the gateway sends.
    pub(super) fn order(&self) -> Envelope {
        let body = Body::new()
            .with("qid", format!("x-{}", &self.id[..8]))
            .with("executionid", self.id.clone())
            .with("name", self.method.clone())
            .with("inputparameters", self.input.clone())
            .with("waitresponse", true)
            .with("waitresponsems", millis(self.wait))
            .with("userid", "")
            .with("userlogin", "")
            .with("chainid", "");
        Envelope::new("executemethod", body)
    }

    /// A message about it.
    pub(super) fn about(&self, name: &'static str) -> Envelope {
        let qid = format!("y-{}", &self.id[..8]);
        Envelope::new(name, Body::new().with("qid", qid).with("executionid", self.id.clone()))
    }

    /// Whether a message is its result. `None`: it may be, but does not say so.
    pub(super) fn is_result(&self, envelope: &Envelope) -> Option<bool> {
        if envelope.name != "methodresult" {
            return Some(false);
        }
        envelope.body.text("executionid").map(|id| id.eq_ignore_ascii_case(&self.id))
    }
}

/// Whole milliseconds, as they stand in messages.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A random GUID.
pub(super) fn guid() -> String {
    let b: [u8; 16] = rand::random();
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// The result of an execution, and when it came.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Body,
    pub(super) took: Duration,
}

/// What came of an execution.
#[derive(Debug)]
pub(super) enum Executed {
    /// A result.
    Result(Answered),
    /// The CRM took it and will answer by another way (POST alone).
    Taken,
}

/// A CRM that is there.
pub(super) enum Talk {
    Socket(Box<Conversation>),
    Post(Box<Exchange>),
}

impl Talk {
    /// Asks, and waits for the reply.
    pub(super) async fn ask(&mut self, question: &Question, patience: Duration) -> Result<Envelope, Fault> {
        match self {
            Self::Socket(conversation) => conversation.ask(question, patience).await,
            Self::Post(exchange) => exchange.ask(question, patience).await,
        }
    }

    /// Runs a method; waits `extra` longer than its deadline, to tell late from never.
    pub(super) async fn execute(&mut self, execution: &Execution, extra: Duration) -> Result<Executed, Fault> {
        match self {
            Self::Socket(conversation) => conversation.execute(execution, extra).await,
            Self::Post(exchange) => exchange.execute(execution, extra).await,
        }
    }

    /// What was noticed so far.
    pub(super) fn noticed(&self) -> &Noticed {
        match self {
            Self::Socket(conversation) => &conversation.noticed,
            Self::Post(exchange) => &exchange.noticed,
        }
    }

    /// Why nothing more is to be expected, if so.
    pub(super) fn is_over(&self) -> Option<String> {
        if let Self::Socket(conversation) = self
            && let Some(why) = conversation.ended()
        {
            return Some(format!("the connection is over: {why}"));
        }
        (self.noticed().silent >= 2).then(|| "the CRM has stopped answering".to_owned())
    }
}
