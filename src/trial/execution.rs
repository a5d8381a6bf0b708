//! Dynamic methods: one run, several at once, unknown, cancelled, too late.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use ctigate_proto::hub::declaration::{self, Kind, Method, Parameter, Target};
use ctigate_proto::message::{Body, Envelope, Number, Object, Part, Text, Value};
use futures_util::future::join_all;

use super::conversation::Conversation;
use super::finding;
use super::talk::{Answered, Executed, Execution, Fault, Question, Talk, millis};
use super::{Outcome, Settings};

/// What was sent before a message was read may cross it on the way.
const CROSSING: Duration = Duration::from_millis(100);
/// How much longer than its deadline a result is awaited, to tell late from never: as long again, but not less nor more.
const EXTRA: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(5);
/// How many run at once.
const AT_ONCE: usize = 4;

/// The method that is run, and how.
pub(super) struct Chosen {
    method: Method,
    input: Object,
    /// How long it took when it was run.
    took: Option<Duration>,
}

impl Chosen {
    /// The method that the settings name, or the first that the CRM carries out itself.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn new(methods: &[Method], settings: &Settings) -> Result<Self, String> {
        let by_server = |method: &&Method| method.target == Target::Server;
        let method = match &settings.method {
            Some(name) => methods.iter().find(|method| method.name == **name),
            None => methods.iter().find(by_server),
        };
        let Some(method) = method else {
            return Err(match &settings.method {
                Some(name) => format!("the CRM declares no method {name}"),
                None => "the CRM declares no method with target server".to_owned(),
            });
        };
        let input = method.input.as_deref().unwrap_or_default().iter().filter(|p| p.required);
        let mut made: Object = Object::new();
        for parameter in input {
            made.push_new(parameter.name.clone(), made_up(parameter));
        }
        let mut input = Object::new();
        for (name, value) in made.into_iter().filter(|(name, _)| settings.input.get(name).is_none()) {
            input.push_new(name, value);
        }
        for (name, value) in settings.input.iter() {
            input.push_new(name.clone(), value.clone());
        }
        Ok(Self { method: method.clone(), input, took: None })
    }

    fn execution(&self) -> Execution {
        Execution::new(&self.method.name, &self.input, self.method.wait)
    }

    /// How long it may take.
    pub(super) fn wait(&self) -> Duration {
        self.method.wait
    }

    /// How long to listen for a result that should not come: well over the time that one took.
    fn quiet(&self) -> Duration {
        let took = self.took.unwrap_or(self.method.wait);
        (took * 2 + Duration::from_millis(500)).min(self.method.wait.max(Duration::from_secs(1))).min(*EXTRA.end())
    }
}

/// A value for a parameter that must be there.
fn made_up(parameter: &Parameter) -> Value {
    let name = parameter.name.to_ascii_lowercase();
    match parameter.kind {
        Kind::String if ["phone", "number", "caller"].iter().any(|word| name.contains(word)) => "79001112233".into(),
        Kind::String => "check".into(),
        Kind::Int => 1.into(),
        Kind::Float => Number::parse("1.5").map_or(Value::Null, Value::Number),
        Kind::Bool => false.into(),
        Kind::Datetime => "2026-01-31 12:00:00".into(),
        Kind::Guid => "00000000-0000-4000-8000-000000000001".into(),
        Kind::Object => Object::new().into(),
        Kind::Array => Vec::new().into(),
    }
}

/// Runs the method once and looks at what it gives.
pub(super) async fn execute(talk: &mut Talk, chosen: &mut Chosen) -> Outcome {
    let name = chosen.method.name.clone();
    match talk.execute(&chosen.execution(), chosen.wait().clamp(*EXTRA.start(), *EXTRA.end())).await {
        Err(fault) => fault.outcome(&finding::NO_RESULT),
        Ok(Executed::Taken) => Outcome::good(format!("{name} was taken; the result is to come by /rpc or a poll")),
        Ok(Executed::Result(answered)) => {
            chosen.took = Some(answered.took);
            judge(&answered, &chosen.method)
        }
    }
}

fn judge(answered: &Answered, method: &Method) -> Outcome {
    let Answered { body, took } = answered;
    let name = &method.name;
    if body.text("executionid").is_none() {
        return Outcome::bad(&finding::NO_EXECUTIONID, format!("methodresult of {name} has no executionid"));
    }
    if *took > method.wait {
        let (took, wait) = (took.as_millis(), method.wait.as_millis());
        return Outcome::bad(&finding::SLOW, format!("{name} took {took} ms, its waitms is {wait}"));
    }
    let failed = body.int("result") == Some(0) || (!body.has("result") && body.int("error").unwrap_or(0) != 0);
    let output = match body.value("outputparameters") {
        None | Some(Value::Null) => Object::new(),
        Some(Value::Object(output)) => output,
        Some(other) => {
            let found = format!("outputparameters of {name} is {}, expected object", other.kind());
            return Outcome::bad(&finding::OUTPUT_NO_OBJECT, found);
        }
    };
    if failed {
        let error = body.text("error").unwrap_or_default();
        let why = body.text("errormsg").unwrap_or_default();
        return Outcome::note(&finding::METHOD_FAILED, format!("{name} failed: {error} {why}"));
    }
    if let Some(Err(why)) = method.output.as_deref().map(|declared| declaration::check(&output, declared)) {
        return Outcome::bad(&finding::OUTPUT_TYPE, format!("outputparameters of {name}: {why}"));
    }
    Outcome::good(format!("{name} answered in {} ms", took.as_millis()))
}

/// Runs the method several times at once.
pub(super) async fn several(talk: &mut Talk, chosen: &Chosen) -> Outcome {
    let executions: Vec<Execution> = (0..AT_ONCE).map(|_| chosen.execution()).collect();
    let answered = match talk {
        Talk::Socket(conversation) => several_on(conversation, &executions).await,
        Talk::Post(exchange) => {
            let one = async |execution: &Execution| match exchange.another() {
                Ok(mut exchange) => exchange.execute(execution, Duration::ZERO).await.is_ok(),
                Err(_) => false,
            };
            Ok(join_all(executions.iter().map(one)).await.into_iter().filter(|answered| *answered).count())
        }
    };
    match answered {
        Ok(AT_ONCE) => Outcome::good(format!("{AT_ONCE} of {AT_ONCE} answered")),
        Ok(count) => Outcome::bad(
            &finding::SEVERAL,
            format!("{count} of {AT_ONCE} answered in {} ms", chosen.wait().as_millis()),
        ),
        Err(fault) => fault.outcome(&finding::SEVERAL),
    }
}

async fn several_on(conversation: &mut Conversation, executions: &[Execution]) -> Result<usize, Fault> {
    let orders: Vec<Envelope> = executions.iter().map(Execution::order).collect();
    conversation.tell(&orders).await?;
    let until = Instant::now() + executions.first().map_or(Duration::ZERO, |execution| execution.wait);
    let mut waiting: Vec<&Execution> = executions.iter().collect();
    while !waiting.is_empty() {
        let Some((_, heard)) = conversation.hear(until).await? else { break };
        let before = waiting.len();
        waiting.retain(|execution| execution.is_result(&heard) != Some(true));
        if waiting.len() == before {
            conversation.mind(&heard).await?;
        }
    }
    Ok(executions.len() - waiting.len())
}

/// Runs a method that nobody declared.
pub(super) async fn unknown_method(talk: &mut Talk, patience: Duration) -> Outcome {
    let execution = Execution::new("CheckCrmUnknown", &Object::new(), patience);
    match talk.execute(&execution, Duration::ZERO).await {
        Err(fault) => fault.outcome(&finding::UNKNOWN_METHOD_SILENT),
        Ok(Executed::Taken) => Outcome::bad(&finding::UNKNOWN_METHOD_SILENT, "the answer is empty"),
        Ok(Executed::Result(Answered { body, .. })) => {
            let error = body.int("error").unwrap_or(0);
            if body.int("result") == Some(0) || error != 0 {
                Outcome::good(format!("refused with error {error}"))
            } else {
                Outcome::bad(&finding::UNKNOWN_METHOD_DONE, "methodresult says that it succeeded")
            }
        }
    }
}

/// Takes an execution back.
pub(super) async fn cancel(talk: &mut Talk, chosen: &Chosen, patience: Duration) -> Outcome {
    match talk {
        Talk::Socket(conversation) => match cancel_on(conversation, chosen, patience).await {
            Ok(outcome) => outcome,
            Err(fault) => fault.outcome(&finding::NO_PONG),
        },
        Talk::Post(_) => posted(talk, &chosen.execution().about("cancelmethod"), patience, &finding::CANCELLED).await,
    }
}

/// The CRM reads in order: when it has answered the ping, it has read the cancel. What it sends after that it should not.
async fn cancel_on(conversation: &mut Conversation, chosen: &Chosen, patience: Duration) -> Result<Outcome, Fault> {
    let execution = chosen.execution();
    // Known by a mark of its own, because its qid may be what is wrong.
    let ping = Question::new("ping", "pong", "check-cancel").with(Body::new().with("mark", execution.id.clone()));
    conversation.tell(&[execution.order(), execution.about("cancelmethod"), ping.envelope()]).await?;
    let is_pong = |heard: &Envelope| heard.name == "pong" && heard.body.text("mark").as_deref() == Some(&execution.id);
    let mut read = None;
    let mut until = Instant::now() + patience;
    loop {
        let Some((at, heard)) = conversation.hear(until).await? else {
            return Ok(match read {
                Some(_) => Outcome::good("no result came"),
                None => Outcome::bad(&finding::NO_PONG, "no pong after cancelmethod"),
            });
        };
        if is_pong(&heard) {
            read = Some(at);
            until = at + chosen.quiet();
        } else if execution.is_result(&heard) == Some(true) {
            match read.map(|read| at.saturating_duration_since(read)) {
                Some(after) if after > CROSSING => {
                    let found = format!("methodresult came {} ms after the cancel was read", after.as_millis());
                    return Ok(Outcome::bad(&finding::CANCELLED, found));
                }
                Some(_) => return Ok(Outcome::good("its result was on the way already")),
                // The rest is to be heard, so that it does not fall into the next check.
                None => {
                    let rest = Instant::now() + patience;
                    while let Some((_, heard)) = conversation.hear(rest).await? {
                        if is_pong(&heard) {
                            break;
                        }
                        conversation.mind(&heard).await?;
                    }
                    return Ok(Outcome::good("it had answered before it read the cancel"));
                }
            }
        } else {
            conversation.mind(&heard).await?;
        }
    }
}

/// Waits no longer, but welcomes a late result for a while.
pub(super) async fn late(talk: &mut Talk, chosen: &Chosen, patience: Duration) -> Outcome {
    let still =
        (chosen.took.unwrap_or_else(|| chosen.wait()) / 2).clamp(Duration::from_millis(50), Duration::from_secs(2));
    let execution = chosen.execution();
    let mut aborted = execution.about("executemethodwaitaborted");
    aborted.body.set("waitresponsems", Part::from(millis(still)));
    match talk {
        Talk::Socket(conversation) => match late_on(conversation, chosen, &execution, aborted, still).await {
            Ok(outcome) => outcome,
            Err(fault) => fault.outcome(&finding::LATE),
        },
        Talk::Post(_) => posted(talk, &aborted, patience, &finding::LATE).await,
    }
}

async fn late_on(
    conversation: &mut Conversation,
    chosen: &Chosen,
    execution: &Execution,
    aborted: Envelope,
    still: Duration,
) -> Result<Outcome, Fault> {
    conversation.tell(&[execution.order(), aborted]).await?;
    let sent = Instant::now();
    let until = sent + still + CROSSING + chosen.quiet();
    while let Some((at, heard)) = conversation.hear(until).await? {
        if execution.is_result(&heard) == Some(true) {
            let after = at.saturating_duration_since(sent);
            let (after_ms, still_ms) = (after.as_millis(), still.as_millis());
            return Ok(if after > still + CROSSING {
                let found = format!("methodresult came after {after_ms} ms; waitresponsems was {still_ms}");
                Outcome::bad(&finding::LATE, found)
            } else {
                Outcome::good(format!("a result came in time: after {after_ms} of {still_ms} ms"))
            });
        }
        conversation.mind(&heard).await?;
    }
    Ok(Outcome::good("no result came any more"))
}

/// By POST these come when the exchange is over: there is nothing to answer.
async fn posted(talk: &mut Talk, event: &Envelope, patience: Duration, answers: &'static finding::Finding) -> Outcome {
    let Talk::Post(exchange) = talk else { return Outcome::skipped("") };
    match exchange.post(event, patience).await {
        Ok(said) if said.iter().any(|answer| answer.name == "methodresult") => {
            Outcome::bad(answers, format!("the answer to {} holds methodresult", event.name))
        }
        Ok(_) => Outcome::good("taken"),
        Err(fault) => fault.outcome(answers),
    }
}

/// A text that fills `bytes`, with letters of two, three and four bytes.
pub(super) fn padding(bytes: usize) -> Text {
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.push_str("Ж, 漢, 😀; ");
    }
    text.into()
}

/// Parameters of a long ping.
pub(super) fn long_ping(mark: String, bytes: usize) -> Envelope {
    Envelope::new("ping", Body::new().with("qid", "check-long").with("mark", mark).with("padding", padding(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(json: &str) -> Method {
        let value = ctigate_proto::codec::decode_value(&Text::from(json), 16).unwrap();
        declaration::methods(Some(&Value::Array(vec![value]))).0.remove(0)
    }

    fn outcome(method: &Method, body: Body, took: u64) -> Option<&'static str> {
        let answered = Answered { body, took: Duration::from_millis(took) };
        judge(&answered, method).finding.map(|finding| finding.name)
    }

    #[test]
    fn a_result_is_judged_by_its_declaration() {
        let find = method(r#"{"name":"Find","waitms":100,"outputparameters":[{"name":"vip","type":"bool"}]}"#);
        let body = || Body::new().with("executionid", "e").with("result", 1);
        let output = |output: Value| body().with("outputparameters", output);
        assert_eq!(outcome(&find, output(Object::new().with("vip", true).into()), 5), None);
        assert_eq!(outcome(&find, body(), 5), None, "no output is an empty one");
        assert_eq!(outcome(&find, output(Object::new().with("vip", "yes").into()), 5), Some("output-type"));
        assert_eq!(outcome(&find, output(Object::new().with("x", 1).into()), 5), Some("output-type"));
        assert_eq!(outcome(&find, output(Vec::new().into()), 5), Some("output-no-object"));
        assert_eq!(outcome(&find, output(Object::new().into()), 101), Some("slow"));
        assert_eq!(outcome(&find, Body::new().with("result", 1), 5), Some("no-executionid"));
        let failed = Body::new().with("executionid", "e").with("result", 0).with("error", 59002);
        assert_eq!(outcome(&find, failed, 5), Some("method-failed"));
    }

    #[test]
    fn input_is_made_up_where_it_must_be_there() {
        let find = method(
            r#"{"name":"Find","inputparameters":[{"name":"phone","required":true},{"name":"n","type":"int","required":true},
                {"name":"free"}]}"#,
        );
        let settings = Settings {
            link: crate::config::Link::default(),
            formats: Vec::new(),
            method: None,
            input: Object::new().with("n", 7),
            patience: Duration::ZERO,
            arrival: Duration::ZERO,
        };
        let chosen = Chosen::new(std::slice::from_ref(&find), &settings).unwrap();
        assert_eq!(chosen.input, Object::new().with("phone", "79001112233").with("n", 7));
        let in_tabs = method(r#"{"name":"Show","target":"client"}"#);
        assert!(Chosen::new(&[in_tabs], &settings).is_err());
        let named = Settings { method: Some("Other".to_owned()), ..settings };
        assert!(Chosen::new(&[find], &named).err().is_some_and(|why| why.contains("Other")));
    }
}
