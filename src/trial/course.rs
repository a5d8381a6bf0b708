//! The checks, one after the other, over each way and format.

use std::future::ready;
use std::time::{Duration, Instant};

use ctigate_proto::hub::declaration::{Form, Method};
use ctigate_proto::message::{CloseReason, Format};
use tokio::time::timeout;

use crate::transport::trial::{Listener, Wire};

use super::check::{self, Check};
use super::conversation::Conversation;
use super::exchange::Exchange;
use super::execution::{self, Chosen};
use super::talk::Talk;
use super::{Begun, Outcome, Row, Settings, Verdict, finding, long, opening, questions};

/// What a check gets on top of its waits.
const SPARE: Duration = Duration::from_secs(5);

/// Tries a CRM that is dialed or posted to. Ends in a time that the settings bound, whatever the CRM does.
pub async fn reaching(settings: &Settings, begun: Begun<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut failed: Vec<Course<'_>> = Vec::new();
    let mut spoken = false;
    for &format in &settings.formats {
        let mut course = Course::new(settings, begun, Some(format));
        // Once is enough: who guesses more often may be locked out.
        course.guesses = !spoken && failed.is_empty();
        if let Some(talk) = course.reach(format).await {
            spoken = true;
            if let Talk::Socket(conversation) = course.all(talk).await {
                conversation.into_wire().close(&CloseReason::NORMAL).await;
            }
            rows.extend(course.rows);
        } else {
            let gone = course.has(&finding::UNREACHABLE) || course.has(&finding::CREDENTIALS);
            failed.push(course);
            if gone {
                break;
            }
        }
    }
    let mut failed = failed.into_iter();
    if !spoken && let Some(first) = failed.next() {
        rows.extend(first.rows);
    }
    for course in failed {
        let why = course.rows.iter().find(|row| row.outcome.verdict == Verdict::Bad);
        let why = why.map_or_else(String::new, |row| format!(": {}", row.outcome.found));
        let word = course.format.map_or("this", Format::word);
        let outcome = Outcome::skipped(format!("{word} is not spoken{why}"));
        rows.push(Row {
            check: &check::FORMAT,
            outcome,
            way: settings.link.mode,
            format: course.format,
            took: Duration::ZERO,
        });
    }
    rows
}

/// Tries a CRM that connects to `listener`. Ends in a time that the settings bound, whoever comes.
pub async fn accepting(settings: &Settings, mut listener: Listener, begun: Begun<'_>) -> Vec<Row> {
    let mut course = Course::new(settings, begun, None);
    let mut came = None;
    let arrival = settings.arrival;
    course
        .check_within(&check::CONNECT, arrival + SPARE, async {
            came.insert(opening::arrival(&mut listener, arrival).await).connected(arrival)
        })
        .await;
    if let Some(came) = &came
        && came.wire.is_some()
    {
        course.format = came.wire.as_ref().and_then(|wire| wire.format);
        course.check(&check::SUB_PROTOCOL, ready(came.sub_protocol())).await;
        course.check(&check::AUTHORIZATION, ready(came.authorization(settings.link.effective_auth()))).await;
    }
    let Some(wire) = came.and_then(|came| came.wire) else { return course.rows };
    let Some(format) = wire.format else { return course.rows };
    let Some(talk) = course.introduced(Talk::Socket(Box::new(Conversation::new(wire, format)))).await else {
        return course.rows;
    };
    if let Talk::Socket(conversation) = course.all(talk).await {
        conversation.into_wire().close(&CloseReason::GOING_AWAY).await;
        course.stopped = None;
        course
            .check_within(&check::RETURN, arrival + SPARE, async {
                match opening::arrival(&mut listener, arrival).await.wire {
                    Some(_) => Outcome::good("it connected again"),
                    None => Outcome::note(&finding::NO_RETURN, format!("not in {} s", arrival.as_secs())),
                }
            })
            .await;
    }
    course.rows
}

/// One way and format.
struct Course<'a> {
    settings: &'a Settings,
    begun: Begun<'a>,
    format: Option<Format>,
    /// Whether a wrong password is tried.
    guesses: bool,
    rows: Vec<Row>,
    /// Why nothing more is tried.
    stopped: Option<String>,
}

impl<'a> Course<'a> {
    fn new(settings: &'a Settings, begun: Begun<'a>, format: Option<Format>) -> Self {
        Self { settings, begun, format, guesses: true, rows: Vec::new(), stopped: None }
    }

    /// From nothing to a CRM that has introduced itself.
    async fn reach(&mut self, format: Format) -> Option<Talk> {
        let link = &self.settings.link;
        let talk = if link.mode.posts() {
            self.authorize(format).await;
            match Exchange::new(link, format) {
                Ok(exchange) => Talk::Post(Box::new(exchange)),
                Err(error) => {
                    let outcome = Outcome::bad(&finding::UNREACHABLE, error.to_string());
                    self.check(&check::CONNECT, ready(outcome)).await;
                    return None;
                }
            }
        } else {
            let mut dialed = None;
            self.check(&check::CONNECT, async { opening::dialed(dialed.insert(Wire::dial(link, format).await)) }).await;
            let dialed = dialed?;
            self.check(&check::SUB_PROTOCOL, ready(opening::chosen(&dialed, format))).await;
            let wire = dialed.ok()?;
            self.authorize(format).await;
            Talk::Socket(Box::new(Conversation::new(wire, format)))
        };
        self.introduced(talk).await
    }

    async fn authorize(&mut self, format: Format) {
        if self.guesses {
            let (link, patience) = (&self.settings.link, self.settings.patience);
            self.check(&check::AUTHORIZATION, opening::wrong_password(link, format, patience)).await;
        }
    }

    async fn introduced(&mut self, mut talk: Talk) -> Option<Talk> {
        let patience = self.settings.patience;
        if self.check(&check::INTRODUCTION, opening::introduction(&mut talk, patience)).await {
            return Some(talk);
        }
        if let Talk::Socket(conversation) = talk {
            conversation.into_wire().close(&CloseReason::new(1008, "no introduction")).await;
        }
        None
    }

    /// Everything behind the introduction.
    async fn all(&mut self, mut talk: Talk) -> Talk {
        let patience = self.settings.patience;
        let (mut methods, mut forms): (Vec<Method>, Vec<Form>) = (Vec::new(), Vec::new());
        let t = &mut talk;
        let pongs = self.check(&check::PING, questions::ping(t, patience)).await;
        self.look(t);
        self.check(&check::HEARTBEAT, questions::heartbeat(t, patience)).await;
        self.look(t);
        self.check(&check::METHODS, questions::methods(t, patience, &mut methods)).await;
        self.look(t);
        self.check(&check::FORMS, questions::forms(t, patience, &mut forms)).await;
        self.look(t);
        self.check(&check::USERS, questions::users(t, patience)).await;
        self.look(t);
        self.check(&check::QID, questions::qid(t, patience)).await;
        self.look(t);
        self.executions(t, &methods, pongs).await;
        self.check(&check::UNKNOWN_METHOD, execution::unknown_method(t, patience)).await;
        self.look(t);
        if pongs {
            self.check(&check::UNKNOWN_MESSAGE, questions::unknown_message(t, patience)).await;
            self.look(t);
            self.check(&check::FORM, questions::form(t, patience, &forms)).await;
            self.look(t);
            self.check(&check::MULTIPART_TO, long::to_crm(t, patience)).await;
        } else {
            for check in [&check::UNKNOWN_MESSAGE, &check::FORM, &check::MULTIPART_TO] {
                self.check(check, ready(Outcome::skipped("it needs an answer to ping"))).await;
            }
        }
        self.stopped = None;
        self.check(&check::MULTIPART_FROM, ready(long::from_crm(t))).await;
        self.check(&check::PLAIN, ready(long::plain(t))).await;
        talk
    }

    /// Those that run the CRM's method.
    async fn executions(&mut self, talk: &mut Talk, methods: &[Method], pongs: bool) {
        let patience = self.settings.patience;
        let mut lacks = String::new();
        match Chosen::new(methods, self.settings) {
            Err(why) => lacks = why,
            Ok(mut chosen) => {
                let limit = self.limit(&check::EXECUTE, chosen.wait());
                let runs = execution::execute(talk, &mut chosen);
                if self.check_within(&check::EXECUTE, limit, runs).await {
                    self.look(talk);
                    let limit = self.limit(&check::SEVERAL, chosen.wait());
                    self.check_within(&check::SEVERAL, limit, execution::several(talk, &chosen)).await;
                    self.look(talk);
                    let limit = self.limit(&check::CANCEL, chosen.wait());
                    if pongs {
                        self.check_within(&check::CANCEL, limit, execution::cancel(talk, &chosen, patience)).await;
                        self.look(talk);
                    }
                    let limit = self.limit(&check::LATE, chosen.wait());
                    self.check_within(&check::LATE, limit, execution::late(talk, &chosen, patience)).await;
                    self.look(talk);
                    return;
                }
                self.look(talk);
                "the method does not run well".clone_into(&mut lacks);
            }
        }
        let made = |check: &'static Check, rows: &[Row]| rows.iter().any(|row| row.check == check);
        for check in [&check::EXECUTE, &check::SEVERAL, &check::CANCEL, &check::LATE] {
            if !made(check, &self.rows) {
                self.check(check, ready(Outcome::skipped(lacks.clone()))).await;
            }
        }
    }

    /// Whether a CRM that answers nothing any more should be left in peace.
    fn look(&mut self, talk: &Talk) {
        if self.stopped.is_none() {
            self.stopped = talk.is_over();
        }
    }

    /// Makes a check, within its time; says whether it was good.
    async fn check(&mut self, check: &'static Check, work: impl Future<Output = Outcome>) -> bool {
        let limit = self.limit(check, Duration::ZERO);
        self.check_within(check, limit, work).await
    }

    fn limit(&self, check: &Check, wait: Duration) -> Duration {
        self.settings.patience.max(SPARE) * check.answers + wait * check.executions + SPARE
    }

    async fn check_within(
        &mut self,
        check: &'static Check,
        limit: Duration,
        work: impl Future<Output = Outcome>,
    ) -> bool {
        let began = Instant::now();
        let outcome = if let Some(why) = &self.stopped {
            Outcome::skipped(why.clone())
        } else {
            (self.begun)(check, self.format);
            let ended = timeout(limit, work).await;
            ended.unwrap_or_else(|_| Outcome::bad(&finding::STUCK, format!("no end in {} s", limit.as_secs())))
        };
        let good = matches!(outcome.verdict, Verdict::Good | Verdict::Note);
        self.rows.push(Row {
            way: self.settings.link.mode,
            format: self.format,
            check,
            outcome,
            took: began.elapsed(),
        });
        good
    }

    fn has(&self, finding: &finding::Finding) -> bool {
        self.rows.iter().any(|row| row.outcome.finding == Some(finding))
    }
}
