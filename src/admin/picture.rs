//! The Hub's picture of the node as a JSON object. Names are those of its fields.

use ctigate_proto::hub::snapshot::{CallView, ExecutionView, FormView, LinkView, Snapshot, TabView, UserView};
use ctigate_proto::message::{Object, Text, Value};

/// The picture, ready to be written.
pub fn picture(snapshot: &Snapshot) -> Object {
    Object::new()
        .with("links", list(&snapshot.links, link))
        .with("users", list(&snapshot.users, user))
        .with("forms", list(&snapshot.forms, form))
        .with("executions", list(&snapshot.executions, execution))
        .with("calls", list(&snapshot.calls, call))
}

fn list<T>(all: &[T], one: impl Fn(&T) -> Object) -> Value {
    Value::Array(all.iter().map(|item| Value::Object(one(item))).collect())
}

fn texts(all: &[Text]) -> Value {
    Value::Array(all.iter().map(Value::from).collect())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn link(link: &LinkView) -> Object {
    let LinkView { name, mode, state, since_ms, detail, crm, methods, forms, in_flight } = link;
    Object::new()
        .with("name", name)
        .with("mode", mode)
        .with("state", *state)
        .with("since_ms", *since_ms)
        .with("detail", detail.clone())
        .with("crm", crm.clone())
        .with("methods", texts(methods))
        .with("forms", texts(forms))
        .with("in_flight", count(*in_flight))
}

fn user(user: &UserView) -> Object {
    let UserView { id, login, name, number, department, state, online, tabs } = user;
    Object::new()
        .with("id", id)
        .with("login", login)
        .with("name", name)
        .with("number", number)
        .with("department", department)
        .with("state", *state)
        .with("online", *online)
        .with("tabs", list(tabs, tab))
}

fn tab(view: &TabView) -> Object {
    let TabView { door, link, tab, address, since_ms, focus } = view;
    Object::new()
        .with("door", *door)
        .with("link", link)
        .with("tab", tab)
        .with("address", address)
        .with("since_ms", *since_ms)
        .with("focus", *focus)
}

fn form(form: &FormView) -> Object {
    let FormView { id, name, login, chain, since_ms, shown } = form;
    Object::new()
        .with("id", id)
        .with("name", name)
        .with("login", login)
        .with("chain", chain)
        .with("since_ms", *since_ms)
        .with("shown", count(*shown))
}

fn execution(execution: &ExecutionView) -> Object {
    let ExecutionView { id, method, link, asked_by, since_ms } = execution;
    Object::new()
        .with("id", id)
        .with("method", method)
        .with("link", link)
        .with("asked_by", *asked_by)
        .with("since_ms", *since_ms)
}

fn call(call: &CallView) -> Object {
    let CallView { chain, caller, called, state, number, since_ms } = call;
    Object::new()
        .with("chain", chain)
        .with("caller", caller)
        .with("called", called)
        .with("state", *state)
        .with("number", number)
        .with("since_ms", *since_ms)
}
