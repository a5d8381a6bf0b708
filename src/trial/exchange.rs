//! A CRM that is posted to: each message is one exchange.

use std::time::{Duration, Instant};

use ctigate_proto::codec::{self, Limits};
use ctigate_proto::message::{Envelope, Format, Text};
use tokio::time::timeout;

use crate::config::Link;
use crate::transport::post::Poster;
use crate::transport::tls::TlsError;

use super::reading::{self, Suspect};
use super::talk::{Answered, Executed, Execution, Fault, Noticed, Question};

/// What the transport gets on top of a limit that is kept here.
const SPARE: Duration = Duration::from_secs(1);

/// A CRM that is posted to.
pub(super) struct Exchange {
    link: Link,
    format: Format,
    poster: Poster,
    pub(super) noticed: Noticed,
}

impl Exchange {
    pub(super) fn new(link: &Link, format: Format) -> Result<Self, TlsError> {
        let poster = Poster::new(link, format)?;
        Ok(Self { link: link.clone(), format, poster, noticed: Noticed::default() })
    }

    /// The same CRM on a connection of its own.
    pub(super) fn another(&self) -> Result<Self, TlsError> {
        Self::new(&self.link, self.format)
    }

    /// Posts a message, and gives what the answer holds.
    pub(super) async fn post(&mut self, message: &Envelope, limit: Duration) -> Result<Vec<Envelope>, Fault> {
        let text = codec::encode(message, self.format);
        let once = message.name == "executemethod";
        // Time is up here first, because silence is another finding than a CRM that cannot be reached.
        let Ok(answer) = timeout(limit, self.poster.post(&text, once, limit + SPARE)).await else {
            if let Ok(fresh) = Poster::new(&self.link, self.format) {
                self.poster = fresh;
            }
            self.noticed.silent += 1;
            return Err(Fault::Silence(format!("no answer to {} in {} ms", message.name, limit.as_millis())));
        };
        let answer = answer.map_err(Fault::NoLink)?;
        self.noticed.silent = 0;
        self.read(&answer)
    }

    pub(super) async fn ask(&mut self, question: &Question, patience: Duration) -> Result<Envelope, Fault> {
        let answers = self.post(&question.envelope(), patience).await?;
        let said = said(&answers);
        match answers.into_iter().find(|answer| answer.name == question.reply) {
            Some(answer) => {
                self.noticed.compare(&question.qid, &answer);
                Ok(answer)
            }
            None => Err(Fault::Silence(format!("the answer to {} holds {said}, no {}", question.name, question.reply))),
        }
    }

    pub(super) async fn execute(&mut self, execution: &Execution, extra: Duration) -> Result<Executed, Fault> {
        let began = Instant::now();
        let answers = self.post(&execution.order(), execution.wait + extra).await?;
        if answers.is_empty() {
            return Ok(Executed::Taken);
        }
        let said = said(&answers);
        match answers.into_iter().find(|answer| execution.is_result(answer).unwrap_or(true)) {
            Some(answer) => Ok(Executed::Result(Answered { body: answer.body, took: began.elapsed() })),
            None => Err(Fault::Silence(format!("the answer to executemethod holds {said}, no methodresult of it"))),
        }
    }

    fn read(&mut self, text: &Text) -> Result<Vec<Envelope>, Fault> {
        let limits = Limits::default();
        match codec::decode_all(self.format, text, &limits) {
            Ok(messages) => Ok(messages),
            Err(error) => {
                if let Suspect::Base64(plain) = reading::suspect(self.format, text)
                    && let Ok(messages) = codec::decode_all(self.format, &plain, &limits)
                {
                    self.noticed.base64.get_or_insert_with(|| reading::sample(text));
                    return Ok(messages);
                }
                let (finding, found) = reading::unreadable(self.format, text, &error);
                Err(Fault::Unreadable(finding, found))
            }
        }
    }
}

/// What an answer holds, in words.
pub(super) fn said(answers: &[Envelope]) -> String {
    match answers {
        [] => "nothing".to_owned(),
        some => some.iter().map(|answer| reading::sample(&answer.name)).collect::<Vec<_>>().join(", "),
    }
}
