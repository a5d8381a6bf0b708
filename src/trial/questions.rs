//! What every CRM must answer, whatever it offers: ping, the three questions, qids, messages it does not know, forms.

use std::time::{Duration, Instant};

use ctigate_proto::hub::declaration::{self, Form, Method, Target};
use ctigate_proto::message::{Body, Envelope, Object, Value};

use super::Outcome;
use super::conversation::Conversation;
use super::finding;
use super::talk::{Fault, Question, Talk, guid};

/// `ping` comes back as `pong`, with what it carried.
pub(super) async fn ping(talk: &mut Talk, patience: Duration) -> Outcome {
    let question = Question::new("ping", "pong", "check-ping").with(Body::new().with("note", "as it was"));
    match talk.ask(&question, patience).await {
        Ok(pong) if pong.body.text("note").as_deref() == Some("as it was") => {
            Outcome::good("pong, with its parameters")
        }
        Ok(_) => Outcome::bad(&finding::NO_PONG, "pong lacks the parameters of ping"),
        Err(fault) => fault.outcome(&finding::NO_PONG),
    }
}

/// A WebSocket ping is answered.
pub(super) async fn heartbeat(talk: &mut Talk, patience: Duration) -> Outcome {
    let Talk::Socket(conversation) = talk else { return Outcome::skipped("POST has no heartbeat") };
    match beat(conversation, patience).await {
        Ok(true) => Outcome::good("a pong frame came"),
        Ok(false) => Outcome::bad(&finding::NO_HEARTBEAT, format!("no pong frame in {} s", patience.as_secs())),
        Err(fault) => fault.outcome(&finding::NO_HEARTBEAT),
    }
}

async fn beat(conversation: &mut Conversation, patience: Duration) -> Result<bool, Fault> {
    let before = conversation.alive;
    conversation.ping().await?;
    let until = Instant::now() + patience;
    while conversation.alive == before {
        if !conversation.step(until).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which methods there are; they are left in `known`.
pub(super) async fn methods(talk: &mut Talk, patience: Duration, known: &mut Vec<Method>) -> Outcome {
    let question = Question::new("getavailablemethods", "availablemethods", "check-methods");
    let answer = match talk.ask(&question, patience).await {
        Ok(answer) => answer,
        Err(fault) => return silence_is_a_note(fault),
    };
    let (methods, odd) = declaration::methods(answer.body.value("methods").as_ref());
    *known = methods;
    let names: Vec<String> = known
        .iter()
        .map(|method| match method.target {
            Target::Server => method.name.to_string(),
            Target::Client => format!("{} (in tabs)", method.name),
        })
        .collect();
    listed(&answer, "methods", &names, &odd)
}

/// Which forms there are.
pub(super) async fn forms(talk: &mut Talk, patience: Duration, known: &mut Vec<Form>) -> Outcome {
    let question = Question::new("getavailableforms", "availableforms", "check-forms");
    let answer = match talk.ask(&question, patience).await {
        Ok(answer) => answer,
        Err(fault) => return silence_is_a_note(fault),
    };
    let (forms, odd) = declaration::forms(answer.body.value("forms").as_ref());
    *known = forms;
    let names: Vec<String> = known.iter().map(|form| form.name.to_string()).collect();
    listed(&answer, "forms", &names, &odd)
}

fn listed(answer: &Envelope, list: &str, names: &[String], odd: &[String]) -> Outcome {
    if !matches!(answer.body.value(list), Some(Value::Array(_))) {
        return Outcome::bad(&finding::BAD_LIST, format!("{} has no array {list}", answer.name));
    }
    match odd.first() {
        Some(odd) => Outcome::note(&finding::ODD_DECLARATION, odd),
        None if names.is_empty() => Outcome::good("none"),
        None => Outcome::good(names.join(", ")),
    }
}

/// Who is there.
pub(super) async fn users(talk: &mut Talk, patience: Duration) -> Outcome {
    let question = Question::new("getactiveusers", "activeusers", "check-users");
    let answer = match talk.ask(&question, patience).await {
        Ok(answer) => answer,
        Err(fault) => return silence_is_a_note(fault),
    };
    let Some(Value::Array(users)) = answer.body.value("users") else {
        return Outcome::bad(&finding::BAD_LIST, "activeusers has no array users");
    };
    let names_somebody = |user: &Value| {
        let text = |name| user.as_object().and_then(|o| o.get(name)).and_then(Value::to_text).unwrap_or_default();
        !(text("userlogin").is_empty() && text("userid").is_empty())
    };
    match users.iter().position(|user| !names_somebody(user)) {
        Some(at) => Outcome::bad(&finding::BAD_LIST, format!("users[{at}] has neither userlogin nor userid")),
        None => Outcome::good(format!("{} now", users.len())),
    }
}

/// A CRM that does not answer one of the questions has none of what it asks for.
fn silence_is_a_note(fault: Fault) -> Outcome {
    match fault {
        Fault::Silence(found) => Outcome::note(&finding::NO_LIST, found),
        other => other.outcome(&finding::NO_LIST),
    }
}

/// Replies repeat the qid of their call, whatever it is. Judges every reply so far, those to two special qids among them.
pub(super) async fn qid(talk: &mut Talk, patience: Duration) -> Outcome {
    for qid in [Value::from("0.5182736450192837"), Value::from(4711)] {
        let question = Question::new("getavailablemethods", "availablemethods", qid);
        if let Err(fault) = talk.ask(&question, patience).await {
            match fault {
                // Told by its own check.
                Fault::Silence(_) => break,
                other => return other.outcome(&finding::NO_LIST),
            }
        }
    }
    match &talk.noticed().qid {
        Some((finding, found)) => Outcome::bad(finding, found),
        None => Outcome::good("repeated, text as text and number as number"),
    }
}

/// A message that nobody knows does no harm.
pub(super) async fn unknown_message(talk: &mut Talk, patience: Duration) -> Outcome {
    let strange = Envelope::new("checkcrmunknown", Body::new().with("qid", "check-unknown").with("reason", "a trial"));
    let told = match talk {
        Talk::Socket(conversation) => conversation.tell(&[strange]).await,
        Talk::Post(exchange) => exchange.post(&strange, patience).await.map(|_| ()),
    };
    match told {
        Ok(()) => goes_on(talk, patience, &finding::UNKNOWN_MESSAGE).await,
        Err(Fault::Unreadable(finding, found)) => Outcome::bad(finding, found),
        Err(fault) => broken(fault, &finding::UNKNOWN_MESSAGE),
    }
}

/// A form opens and closes without harm.
pub(super) async fn form(talk: &mut Talk, patience: Duration, known: &[Form]) -> Outcome {
    let Some(form) = known.first() else { return Outcome::skipped("the CRM offers no form") };
    let id = guid();
    let head = |qid: &'static str| {
        let body = Body::new().with("qid", qid).with("formid", id.clone());
        body.with("userid", guid()).with("userlogin", "check-crm")
    };
    let show = head("check-show")
        .with("name", form.name.clone())
        .with("chainid", guid())
        .with("inputparameters", Object::new());
    let orders =
        [Envelope::new("showform", show), Envelope::new("closeform", head("check-close").with("reason", "closed"))];
    let told = match talk {
        Talk::Socket(conversation) => conversation.tell(&orders).await,
        Talk::Post(exchange) => {
            let mut told = Ok(());
            for order in &orders {
                if told.is_ok() {
                    told = exchange.post(order, patience).await.map(|_| ());
                }
            }
            told
        }
    };
    match told {
        Ok(()) => goes_on(talk, patience, &finding::FORM_BREAKS).await,
        Err(Fault::Unreadable(finding, found)) => Outcome::bad(finding, found),
        Err(fault) => broken(fault, &finding::FORM_BREAKS),
    }
}

/// Whether the CRM still answers.
async fn goes_on(talk: &mut Talk, patience: Duration, breaks: &'static finding::Finding) -> Outcome {
    match talk.ask(&Question::new("ping", "pong", "check-alive"), patience).await {
        Ok(_) => Outcome::good("the link goes on"),
        Err(Fault::Unreadable(finding, found)) => Outcome::bad(finding, found),
        Err(fault) => broken(fault, breaks),
    }
}

/// Whatever went wrong, it was this that did it.
fn broken(fault: Fault, breaks: &'static finding::Finding) -> Outcome {
    Outcome { finding: Some(breaks), ..fault.outcome(breaks) }
}
