//! One session: the dialplan of one call asks one thing, waits, and gets its call back.

use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::message::{Object, Text};
use ctigate_proto::telephony::{Ask, CallId, FormEnd, FormOrder, Outcome, RunId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Settings;
use super::desk::{Runs, Whose, Wish, Wishes};
use super::request::{self, Asking, Defaults, Form, Request};
use super::wire::{self, Header, Lines, Reply, Variables};

/// How long Asterisk may take to say what it wants.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// How long it may take to have all variables set.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How much later than asked for the house may answer.
const GRACE: Duration = Duration::from_secs(1);
/// How often, and how many times, it is asked for a call that was not heard of yet.
const CALL_EVERY: Duration = Duration::from_millis(20);
const CALL_TIMES: usize = 20;

/// Serves one session to its end; the status it ended with, if it said what it wants.
pub(super) async fn run(stream: TcpStream, settings: Arc<Settings>, wishes: Wishes, runs: Runs) -> Option<String> {
    let mut wire = Wire { stream, lines: Lines::default() };
    let header = match timeout(HEADER_TIME, wire.header()).await {
        Ok(Ok(header)) => header,
        Ok(Err(why)) => {
            tracing::debug!(%why, "a call of the dialplan said nothing to be understood");
            return None;
        }
        Err(_) => {
            tracing::debug!("a call of the dialplan did not say in time what it wants");
            return None;
        }
    };
    let defaults = Defaults { timeout: settings.timeout, route_method: &settings.route_method };
    let mut session = Session { wire, settings: &settings, wishes, runs, variables: Variables::default() };
    let channel = header.get("channel");
    match request::read(&header, defaults) {
        Ok(request) => session.serve(request, header.get("uniqueid")).await,
        Err(why) => {
            tracing::warn!(
                channel,
                script = header.get("network_script"),
                why,
                "the dialplan asks for what there is not"
            );
            session.end("FAILED", why);
        }
    }
    tracing::debug!(
        channel,
        script = header.get("network_script"),
        status = session.variables.get("status"),
        error = session.variables.get("error"),
        "answered the dialplan"
    );
    let Session { mut wire, variables, .. } = session;
    let (commands, cut) = variables.commands();
    if !cut.is_empty() || variables.left_out > 0 {
        tracing::warn!(channel, ?cut, left_out = variables.left_out, "an answer is too long for the dialplan");
    }
    if timeout(ANSWER_TIME, wire.give(&commands)).await.is_err() {
        tracing::debug!(channel, "the dialplan did not take its answer in time");
    }
    variables.get("status").map(str::to_owned)
}

struct Session<'a> {
    wire: Wire,
    settings: &'a Settings,
    wishes: Wishes,
    runs: Runs,
    variables: Variables,
}

/// How a wait ended.
enum Waited<T> {
    Answered(T),
    HungUp,
    TooLong,
}

impl Session<'_> {
    async fn serve(&mut self, request: Request, uniqueid: &str) {
        let call = self.call(uniqueid).await;
        match request {
            Request::Dynamic(asking) => {
                let outcome = self.ask(asking, call).await;
                self.outcome(outcome, None);
            }
            Request::Route { asking, take } => {
                let outcome = self.ask(asking, call).await;
                self.outcome(outcome, Some(&take));
            }
            Request::Form(form) => self.form(form, call).await,
        }
    }

    /// The conversation of our channel. Its first words and ours come by different ways, so it is asked for more than once.
    async fn call(&self, uniqueid: &str) -> Option<CallId> {
        if uniqueid.is_empty() {
            return None;
        }
        for _ in 0..CALL_TIMES {
            let (answer, answered) = oneshot::channel();
            self.wishes.send(Wish::Call { uniqueid: uniqueid.to_owned(), answer }).await.ok()?;
            match answered.await.ok()? {
                Whose::Call(call) => return Some(call),
                Whose::Unknown => return None,
                Whose::NotYet => tokio::time::sleep(CALL_EVERY).await,
            }
        }
        None
    }

    async fn ask(&mut self, asking: Asking, call: Option<CallId>) -> Outcome {
        let Asking { method, input, user, deadline, late, fallback } = asking;
        let run = self.runs.next();
        let ask = Ask { method, input, call, user, deadline: Some(deadline), late, fallback };
        let (answer, answered) = oneshot::channel();
        if self.wishes.send(Wish::Ask { run, ask, answer }).await.is_err() {
            return Outcome::Failed("the gateway stops".to_owned());
        }
        let _leaves = Leaves { run, close: false, wishes: &self.wishes };
        match wait(&mut self.wire, answered, deadline + GRACE).await {
            Waited::Answered(Some(outcome)) => outcome,
            Waited::Answered(None) => Outcome::Failed("the gateway stops".to_owned()),
            Waited::HungUp => Outcome::Cancelled,
            Waited::TooLong => Outcome::Timeout,
        }
    }

    /// Puts an outcome into variables. `take`: the member of the output that says who gets the call.
    fn outcome(&mut self, outcome: Outcome, take: Option<&str>) {
        let is_output = matches!(outcome, Outcome::Ok(_) | Outcome::Fallback(_));
        if take.is_some() && !is_output {
            // What an earlier question of the same call found is not taken for this one's answer.
            self.variables.set("route", "");
        }
        match outcome {
            Outcome::Ok(output) => self.output("OK", &output, take),
            Outcome::Fallback(output) => self.output("FALLBACK", &output, take),
            Outcome::Failed(why) | Outcome::BadInput(why) => self.end("FAILED", why),
            Outcome::OpenCircuit => self.end("FAILED", "the CRM failed too often; it is not asked for a while"),
            Outcome::NoMethod => self.end("FAILED", "no CRM offers such a method"),
            Outcome::Timeout => self.end("TIMEOUT", "no answer in time"),
            Outcome::Cancelled => self.end("CANCELLED", "the caller has hung up"),
            Outcome::NoLink => self.end("NOLINK", "no CRM is connected that could be asked"),
        }
    }

    fn output(&mut self, status: &'static str, output: &Object, take: Option<&str>) {
        if let Some(take) = take {
            let found = output.get(take).map(wire::text).unwrap_or_default();
            match self.route(&found) {
                Some(number) => self.variables.set("route", number),
                None => {
                    let found: String = found.chars().take(64).collect();
                    self.variables.set("route", "");
                    return self.end("FAILED", format!("{take}: found \"{found}\", which is no number and no login"));
                }
            }
        }
        self.end(status, "");
        self.variables.set_all(output);
    }

    /// What is dialled for a number or a login; nothing for nobody. What is no number is not handed to a dialplan.
    fn route(&self, wanted: &str) -> Option<String> {
        if let Some(extension) = self.settings.directory.load().find(wanted) {
            return Some(extension.number.to_string());
        }
        let sign = |c: char| c.is_ascii_alphanumeric() || "*#+".contains(c);
        (wanted.len() <= 32 && wanted.chars().all(sign)).then(|| wanted.to_owned())
    }

    async fn form(&mut self, form: Form, call: Option<CallId>) {
        let Form { name, user, parameters, expire, wait: patience, close } = form;
        let form = FormOrder { name, user, call, parameters, expire };
        let Some(patience) = patience else {
            return match self.wishes.send(Wish::Form { form, wait: None }).await {
                Ok(()) => self.end("OK", ""),
                Err(_) => self.end("FAILED", "the gateway stops"),
            };
        };
        let run = self.runs.next();
        let (answer, answered) = oneshot::channel();
        if self.wishes.send(Wish::Form { form, wait: Some((run, answer)) }).await.is_err() {
            return self.end("FAILED", "the gateway stops");
        }
        let waited = {
            let _leaves = Leaves { run, close, wishes: &self.wishes };
            wait(&mut self.wire, answered, patience).await
        };
        match waited {
            Waited::Answered(Some(FormEnd::Answered { by, output, comment })) => self.answered(&by, &output, &comment),
            Waited::Answered(Some(FormEnd::Closed)) => self.end("CANCELLED", "the form was closed without an answer"),
            Waited::Answered(Some(FormEnd::Expired)) | Waited::TooLong => {
                self.end("TIMEOUT", "nobody answered in time")
            }
            Waited::Answered(Some(FormEnd::Refused(why))) => self.end("FAILED", why),
            Waited::Answered(None) => self.end("FAILED", "the gateway stops"),
            Waited::HungUp => self.end("CANCELLED", "the caller has hung up"),
        }
    }

    fn answered(&mut self, by: &Text, output: &Object, comment: &Text) {
        self.end("OK", "");
        self.variables.set("by", &**by);
        self.variables.set("comment", &**comment);
        self.variables.set_all(output);
    }

    /// How it ended, before anything of the CRM's: no output takes these names.
    fn end(&mut self, status: &'static str, error: impl Into<String>) {
        self.variables.set("status", status);
        self.variables.set("error", error);
    }
}

/// Says that nobody waits any more, however the wait ends. Whom that surprises has answered already.
struct Leaves<'a> {
    run: RunId,
    close: bool,
    wishes: &'a Wishes,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        // When even this does not fit, the house comes to its own deadline.
        let _ = self.wishes.try_send(Wish::Gone { run: self.run, close: self.close });
    }
}

/// Waits for an answer, the hang-up, or the end of patience.
async fn wait<T>(wire: &mut Wire, answered: oneshot::Receiver<T>, patience: Duration) -> Waited<Option<T>> {
    tokio::select! {
        biased;
        answer = answered => Waited::Answered(answer.ok()),
        () = wire.hang_up() => Waited::HungUp,
        () = tokio::time::sleep(patience) => Waited::TooLong,
    }
}

/// The connection.
struct Wire {
    stream: TcpStream,
    lines: Lines,
}

impl Wire {
    /// The next line; the end of the connection is an error. Cancel safe.
    async fn line(&mut self) -> std::io::Result<String> {
        let mut chunk = [0; 2048];
        loop {
            if let Some(line) = self.lines.next_line().map_err(std::io::Error::other)? {
                return Ok(line);
            }
            match self.stream.read(&mut chunk).await? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                n => self.lines.push(&chunk[..n]),
            }
        }
    }

    /// What Asterisk says before it waits for commands.
    async fn header(&mut self) -> std::io::Result<Header> {
        let mut header = Header::default();
        let mut bytes = 0;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(header);
            }
            bytes += line.len();
            if bytes > wire::HEADER {
                return Err(std::io::Error::other(wire::TooLong));
            }
            header.line(&line);
        }
    }

    /// Ends when the caller has hung up. Cancel safe.
    async fn hang_up(&mut self) {
        while self.line().await.is_ok_and(|line| wire::reply(&line) != Reply::Hangup) {}
    }

    /// Gives commands, each when the one before is done. Ends early when Asterisk is gone.
    async fn give(&mut self, commands: &[String]) {
        for command in commands {
            if self.stream.write_all(command.as_bytes()).await.is_err() {
                return;
            }
            loop {
                match self.line().await.map(|line| wire::reply(&line)) {
                    Ok(Reply::Over) => break,
                    Ok(Reply::Hangup | Reply::More) => {}
                    Err(_) => return,
                }
            }
        }
    }
}
