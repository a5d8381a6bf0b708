mod following;
mod journal;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use ctigate_proto::Time;
use ctigate_proto::auth::LoginError;
use ctigate_proto::auth::grant::Grant;
use ctigate_proto::auth::throttle::{Throttle, ThrottleLimits};
use ctigate_proto::calls::{Entry, JournalQuery, JournalRow};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::snapshot::{CallView, LinkView, ServiceView, TabView, UserView};
use ctigate_proto::message::{CallError, Code, Envelope, Format, Number, Object, Text, Value};
use ctigate_proto::telephony::{CallId, Outcome};
use futures_util::{FutureExt, StreamExt, stream};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::door::{Later, Lines, Recorded};
use super::*;
use crate::engine::{Filter, Pulse, TapLine};
use crate::pbx::{Control, ControlError, Done};
use crate::telemetry::Telemetry;

/// A house with prepared answers, which remembers what it was asked.
pub(crate) struct House {
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) done: Mutex<Option<Result<Done, ControlError>>>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) replies: Mutex<Vec<Envelope>>,
    pub(crate) lines: Mutex<Vec<TapLine>>,
    pub(crate) parts: Mutex<Vec<Part>>,
    pub(crate) fallen: AtomicBool,
    /// Integration keys.
    pub(crate) grants: Mutex<HashMap<String, Grant>>,
    pub(crate) rows: Mutex<Vec<JournalRow>>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) telemetry: Telemetry,
    throttle: Mutex<Throttle>,
    /// Questions whose asker went away before the answer.
    pub(crate) gone: AtomicUsize,
}

impl House {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::default(),
            done: Mutex::default(),
            asked: Mutex::default(),
            replies: Mutex::default(),
            lines: Mutex::default(),
            parts: Mutex::default(),
            fallen: AtomicBool::new(false),
            grants: Mutex::default(),
            rows: Mutex::default(),
            pulse: Arc::default(),
            telemetry: Telemetry::default(),
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            gone: AtomicUsize::new(0),
        })
    }

    pub(crate) fn answering(answer: Answer) -> Arc<Self> {
        let house = Self::new();
        house.answers.lock().unwrap().push_back(answer);
        house
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

struct Gone<'a>(&'a AtomicUsize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Door for House {
    fn ask(&self, ask: Ask) -> Later<'_, Answer> {
        self.asked.lock().unwrap().push(format!("{ask:?}"));
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            let gone = Gone(&self.gone);
            let answer = match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            };
            std::mem::forget(gone);
            answer
        })
    }

    fn tail(&self, filter: Filter) -> Lines {
        self.asked.lock().unwrap().push(format!("tail {} {}", filter.user, filter.link));
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        Box::pin(stream::iter(lines).chain(stream::pending()))
    }

    fn control(&self, control: Control) -> Later<'_, Result<Done, ControlError>> {
        self.asked.lock().unwrap().push(format!("{control:?}"));
        let done = self.done.lock().unwrap().take().unwrap_or(Ok(Done::Nothing));
        Box::pin(async move { done })
    }

    fn rpc(&self, link: &str, format: Format, messages: Vec<Envelope>) -> Later<'_, Vec<Envelope>> {
        let names: Vec<String> = messages.iter().map(|message| message.name.to_string()).collect();
        self.asked.lock().unwrap().push(format!("rpc {link} {} {}", format.word(), names.join(",")));
        let replies = std::mem::take(&mut *self.replies.lock().unwrap());
        Box::pin(async move { replies })
    }

    fn verify<'a>(&'a self, login: &'a str, password: &'a str, _: IpAddr) -> Later<'a, Result<Text, LoginError>> {
        Box::pin(async move { if password == "secret" { Ok(login.into()) } else { Err(LoginError::WrongPassword) } })
    }

    fn grant(&self, key: &str, _: IpAddr) -> Result<Grant, LoginError> {
        self.grants.lock().unwrap().get(key).cloned().ok_or(LoginError::WrongPassword)
    }

    fn metrics(&self, now: Option<&Snapshot>) -> String {
        format!("ctigate_links {}\n", now.map_or(0, |now| now.links.len()))
    }

    fn alive(&self) -> bool {
        !self.fallen.load(Ordering::Relaxed)
    }

    fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn journal(&self, query: JournalQuery) -> Later<'_, Result<Vec<Recorded>, CallError>> {
        let mut rows: Vec<_> = self.rows.lock().unwrap().iter().filter(|row| query.fits(row)).cloned().collect();
        rows.truncate(query.limit);
        self.asked.lock().unwrap().push(format!("journal {}", query.limit));
        Box::pin(async move { Ok(rows.into_iter().map(|row| (row, None)).collect()) })
    }

    fn entry(&self, _: CallId) -> Later<'_, Result<Option<Box<Entry>>, CallError>> {
        Box::pin(async { Ok(None) })
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn facts(&self) -> Later<'_, NodeFacts> {
        let now_ms = 1_790_000_000_000;
        let certificates = vec![("web.certificate".to_owned(), "CN=x".to_owned(), now_ms / 1000 + 3 * 86_400 - 1)];
        let disk = Some(("/data".to_owned(), 10, 100));
        Box::pin(
            async move { NodeFacts { started_ms: now_ms - 5, now_ms, certificates, disk, ..NodeFacts::default() } },
        )
    }

    fn parts(&self) -> Later<'_, Vec<Part>> {
        let parts = self.parts.lock().unwrap().clone();
        Box::pin(async move { parts })
    }

    fn now(&self) -> Time {
        Time::from_millis(1)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap()
    }
}

/// An answer as a client sees it.
pub(crate) struct Seen {
    pub(crate) status: u16,
    headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

/// One request to a router, whole.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Seen {
    let response = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Seen { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Everybody comes from this machine.
pub(crate) fn source(_: &Extensions) -> Source {
    Source { address: IpAddr::from([127, 0, 0, 1]), tls: false }
}

pub(crate) fn admin(house: &Arc<House>) -> Router {
    let settings = Settings {
        token: Secret::new(TOKEN),
        hosts: vec!["Cti.Example".to_owned()],
        desk: None,
        source,
        stop: CancellationToken::new(),
    };
    router(Arc::clone(house) as Arc<dyn Door>, settings)
}

pub(crate) fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:4058")
        .header("authorization", format!("Bearer {TOKEN}"));
    match body {
        "" => request.body(Body::empty()).unwrap(),
        body => request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap(),
    }
}

pub(crate) async fn post(house: &Arc<House>, path: &str, body: &str) -> Seen {
    ask(&admin(house), request("POST", path, body)).await
}

fn output() -> Object {
    Object::new().with("n", Value::Number(Number::parse("1.10E5".to_owned()).unwrap())).with("text", "\u{43f} \"q\" \n")
}

#[tokio::test]
async fn every_outcome_has_its_status_and_a_body_that_says_why() {
    let cases = [
        (
            Outcome::Ok(output()),
            0,
            200,
            r#""outcome":"ok","output":{"n":1.10E5,"text":"п \"q\" \n"},"error":0,"errormsg":"""#,
        ),
        (Outcome::Fallback(Object::new()), 59011, 200, r#""outcome":"fallback","output":{},"error":0,"errormsg":"""#),
        (
            Outcome::Failed("no such client".to_owned()),
            59002,
            502,
            r#""outcome":"failed","output":{},"error":59002,"errormsg":"Bad request: no such client""#,
        ),
        (Outcome::Failed("boom".to_owned()), 42, 502, r#""outcome":"failed","output":{},"error":42,"errormsg":"boom""#),
        (Outcome::Timeout, 59011, 504, r#""outcome":"timeout","output":{},"error":59011,"errormsg":"Timeout""#),
        (Outcome::Cancelled, 0, 503, r#""outcome":"cancelled","output":{},"error":59014"#),
        (
            Outcome::NoLink,
            59010,
            503,
            r#""outcome":"no_link","output":{},"error":59010,"errormsg":"CRM is not connected""#,
        ),
        (Outcome::OpenCircuit, 59010, 503, r#""outcome":"open_circuit","output":{},"error":59010"#),
        (
            Outcome::NoMethod,
            59014,
            404,
            r#""outcome":"no_method","output":{},"error":59014,"errormsg":"Not found: no CRM offers the method Find""#,
        ),
        (
            Outcome::BadInput("phone is missing".to_owned()),
            59002,
            400,
            r#""outcome":"bad_input","output":{},"error":59002,"errormsg":"Bad request: phone is missing""#,
        ),
    ];
    for (outcome, error, status, body) in cases {
        let house = House::answering(Answer::Outcome { outcome, execution: Text::from_static("8d7e"), error });
        let seen = post(&house, "/api/v1/methods/Find", "{}").await;
        assert_eq!(seen.status, status, "{}", seen.body);
        assert!(seen.body.contains(body), "{}", seen.body);
        assert!(seen.body.ends_with(r#""executionid":"8d7e"}"#), "{}", seen.body);
        assert_eq!(seen.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn what_the_caller_names_reaches_the_hub_with_every_digit() {
    let house = House::answering(Answer::Done);
    let body = r#"{"input":{"a":1E5,"b":12345678901234567890,"c":[1.50]},"deadline_ms":1500,"late_ms":2000,
                   "fallback":{"x":null},"link":"crm","userlogin":"ivanov","chainid":"c0ff"}"#;
    let seen = post(&house, "/api/v1/methods/%D0%9D%D0%B0%D0%B9%D1%82%D0%B8", body).await;
    assert_eq!(seen.status, 500, "another kind of answer is an inner error: {}", seen.body);
    let asked = house.asked().remove(0);
    for part in [
        "method: \"Найти\"",
        "1E5",
        "12345678901234567890",
        "1.50",
        "deadline: Some(1.5s)",
        "late: 2s",
        "fallback: Some(",
        "link: \"crm\"",
        "user: \"ivanov\"",
        "chain: \"c0ff\"",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[tokio::test]
async fn no_body_at_all_is_an_empty_input() {
    let outcome = Outcome::Ok(Object::new());
    let house = House::answering(Answer::Outcome { outcome, execution: Text::new(), error: 0 });
    assert_eq!(post(&house, "/api/v1/methods/Find", "").await.status, 200);
    assert!(house.asked()[0].contains("deadline: None"));
}

#[tokio::test]
async fn bodies_that_are_wrong_are_refused_with_the_field() {
    let cases = [
        ("[]", "the body is of type array, expected an object"),
        ("{", "the body: end of text at byte 1"),
        (r#"{"input":[]}"#, "input is of type array, expected an object"),
        (r#"{"fallback":1}"#, "fallback is of type int, expected an object"),
        (r#"{"deadline_ms":0}"#, "deadline_ms is 0, expected milliseconds from 1 to 60000"),
        (r#"{"deadline_ms":60001}"#, "deadline_ms is 60001, expected"),
        (r#"{"deadline_ms":1.5}"#, "deadline_ms is 1.5, expected"),
        (r#"{"deadline_ms":-1}"#, "deadline_ms is -1, expected"),
        (r#"{"deadline_ms":"5s"}"#, "deadline_ms is of type string, expected milliseconds"),
        (r#"{"late_ms":3600001}"#, "late_ms is 3600001, expected"),
        (r#"{"link":7}"#, "link is of type int, expected a string"),
        (
            r#"{"deadline":5}"#,
            "the field `deadline` is not known here; known are: input, deadline_ms, late_ms, fallback, link, userlogin, chainid",
        ),
    ];
    for (body, told) in cases {
        let house = House::new();
        let seen = post(&house, "/api/v1/methods/Find", body).await;
        assert_eq!(seen.status, 400, "{body}: {}", seen.body);
        assert!(seen.body.starts_with(r#"{"error":59002,"errormsg":"Bad request: "#), "{}", seen.body);
        assert!(seen.body.contains(told), "{body}: {}", seen.body);
        assert!(house.asked().is_empty());
    }
    let deep = format!(r#"{{"input":{{"a":{}{}}}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(post(&House::new(), "/api/v1/methods/Find", &deep).await.status, 400);
}

#[tokio::test]
async fn only_json_of_a_bounded_size_is_read() {
    let house = House::new();
    let typed = |kind: &str| {
        let mut request = request("POST", "/api/v1/methods/Find", "{}");
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        request
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/plain; application/json"]
    {
        let seen = ask(&admin(&house), typed(kind)).await;
        assert_eq!(seen.status, 415, "{kind}: {}", seen.body);
    }
    let mut untyped = request("POST", "/api/v1/methods/Find", "{}");
    untyped.headers_mut().remove("content-type");
    assert_eq!(ask(&admin(&house), untyped).await.status, 415);
    house.answers.lock().unwrap().push_back(Answer::Refused(Code::Internal.into()));
    assert_eq!(ask(&admin(&house), typed("Application/JSON; charset=utf-8")).await.status, 500);

    let large = format!(r#"{{"link":"{}"}}"#, "x".repeat(BODY));
    let seen = post(&house, "/api/v1/methods/Find", &large).await;
    assert_eq!((seen.status, seen.body.contains("larger than 1048576 bytes")), (413, true));
    let mut lying = request("POST", "/api/v1/methods/Find", "{}");
    lying.headers_mut().insert("content-length", "99999999999".parse().unwrap());
    assert_eq!(ask(&admin(&house), lying).await.status, 413);
    let mut latin = request("POST", "/api/v1/methods/Find", "{}");
    *latin.body_mut() = Body::from(&b"{\"link\":\"\xff\"}"[..]);
    assert_eq!(ask(&admin(&house), latin).await.status, 400);
    assert_eq!(house.asked().len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_withdraws_its_question() {
    let house = House::new();
    let admin = admin(&house);
    {
        let waiting = ask(&admin, request("POST", "/api/v1/methods/Find", "{}"));
        let mut waiting = std::pin::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!((house.asked().len(), house.gone.load(Ordering::Relaxed)), (1, 0));
    }
    assert_eq!(house.gone.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn forms_are_opened_and_closed() {
    let house = House::answering(Answer::FormOpened { id: Text::from_static("f00d") });
    let body =
        r#"{"name":"clientcard","userlogin":"ivanov","parameters":{"phone":"7900"},"chainid":"c","expire_ms":60000}"#;
    let seen = post(&house, "/api/v1/forms", body).await;
    assert_eq!((seen.status, &*seen.body), (201, r#"{"formid":"f00d"}"#));
    let asked = house.asked().remove(0);
    for part in ["name: \"clientcard\"", "user: \"ivanov\"", "7900", "CallId(\"c\")", "expire: Some(60s)"] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
    for (body, told) in [
        (r#"{"userlogin":"ivanov"}"#, "name is missing or empty"),
        (r#"{"name":"clientcard"}"#, "userlogin is missing or empty"),
        (r#"{"name":"clientcard","userlogin":"ivanov","expire_ms":0}"#, "expire_ms is 0"),
        (r#"{"name":"clientcard","userlogin":"ivanov","user":"x"}"#, "the field `user` is not known"),
    ] {
        let seen = post(&house, "/api/v1/forms", body).await;
        assert_eq!(seen.status, 400);
        assert!(seen.body.contains(told), "{}", seen.body);
    }

    let close = |answer| async move {
        let house = House::answering(answer);
        let seen = ask(&admin(&house), request("DELETE", "/api/v1/forms/f00d", "")).await;
        assert!(house.asked()[0].contains("CloseForm { id: \"f00d\" }"));
        (seen.status, seen.body)
    };
    assert_eq!(close(Answer::Done).await, (200, "{}".to_owned()));
    let gone = CallError::new(Code::NotFound, "no form f00d is open");
    let told = r#"{"error":59014,"errormsg":"Not found: no form f00d is open"}"#;
    assert_eq!(close(Answer::Refused(gone)).await, (404, told.to_owned()));
    assert_eq!(close(Answer::Refused(CallError::new(Code::AlreadyAnswered, "by petrov"))).await.0, 409);
}

#[tokio::test]
async fn what_the_hub_refuses_has_a_status() {
    for (code, status) in [
        (Code::BadRequest, 400),
        (Code::AccessDenied, 403),
        (Code::NotFound, 404),
        (Code::AlreadyAnswered, 409),
        (Code::TooManyRequests, 429),
        (Code::Internal, 500),
        (Code::CrmNotConnected, 503),
        (Code::Timeout, 504),
    ] {
        let house = House::answering(Answer::Refused(CallError::new(code, "why")));
        let seen = post(&house, "/api/v1/forms", r#"{"name":"x","userlogin":"y"}"#).await;
        assert_eq!(seen.status, status);
        assert_eq!(seen.body, format!(r#"{{"error":{},"errormsg":"{}: why"}}"#, code.number(), code.text()));
    }
}

#[tokio::test]
async fn orders_reach_the_telephone_system() {
    for (body, order) in [
        (
            r#"{"op":"incoming","caller":"1","called":"2","name":"Anna"}"#,
            r#"Incoming { caller: "1", name: "Anna", called: "2" }"#,
        ),
        (r#"{"op":"answer","number":"101"}"#, r#"Answer { number: "101" }"#),
        (r#"{"op":"hangup","number":"101"}"#, r#"Hangup { number: "101" }"#),
        (r#"{"op":"phone","number":"101","connected":false}"#, r#"Phone { number: "101", connected: false }"#),
        (r#"{"op":"fax","number":"101","pages":2}"#, r#"Fax { number: "101", pages: 2 }"#),
        (r#"{"op":"play","timeline":"at 1s answer 101"}"#, r#"Play { timeline: "at 1s answer 101" }"#),
    ] {
        let house = House::new();
        let seen = post(&house, "/api/v1/sim", body).await;
        assert_eq!((seen.status, &*seen.body), (200, r#"{"message":"done"}"#), "{body}");
        assert_eq!(house.asked(), [order]);
    }
    for (done, body) in [
        (Done::Call(CallId(Text::from_static("c0ff"))), r#"{"chainid":"c0ff","message":"the call has begun: c0ff"}"#),
        (
            Done::Playing { scenarios: 2, cues: 3 },
            r#"{"scenarios":2,"cues":3,"message":"scenarios taken over: 2; things that will happen: 3"}"#,
        ),
    ] {
        let house = House::new();
        *house.done.lock().unwrap() = Some(Ok(done));
        assert_eq!(post(&house, "/api/v1/sim", r#"{"op":"answer","number":"1"}"#).await.body, body);
    }
    for (body, told) in [
        ("{}", "op is missing"),
        (r#"{"op":"dance"}"#, "op is none of incoming, answer, hangup, hold, keys, fax, phone, play, picture"),
        (r#"{"op":"incoming","caller":"1"}"#, "called is missing"),
        (r#"{"op":"answer"}"#, "number is missing"),
        (r#"{"op":"phone","number":"1"}"#, "connected is missing"),
        (r#"{"op":"phone","number":"1","connected":1}"#, "connected is of type int"),
        (r#"{"op":"play"}"#, "timeline is missing"),
        (r#"{"op":"fax","number":"1","pages":-1}"#, "pages is of type int, expected a number, 0 or more"),
        (r#"{"op":"answer","number":"1","caller":"2"}"#, "the field `caller` is not known here; known are: op, number"),
    ] {
        let seen = post(&House::new(), "/api/v1/sim", body).await;
        assert_eq!(seen.status, 400);
        assert!(seen.body.contains(told), "{}", seen.body);
    }
}

#[tokio::test]
async fn orders_that_are_refused_have_a_status() {
    let number = || Text::from_static("101");
    let script = crate::pbx::simulator::check("at 1s answer 101", &crate::pbx::Directory::default()).unwrap_err();
    for (error, status, told) in [
        (ControlError::NoSuchNumber(number()), 404, "nobody answers for the number 101"),
        (ControlError::NotRinging(number()), 409, "does not ring"),
        (ControlError::NeverAnswers(number()), 409, "never answers"),
        (ControlError::NoCall(number()), 409, "has no call"),
        (ControlError::BadNumber { what: "x", most: 1 }, 400, "x is empty or longer"),
        (ControlError::Full(3), 429, "3 calls at once"),
        (ControlError::NotSupported, 501, "cannot do that"),
        (ControlError::Busy, 503, "is busy"),
        (ControlError::Down, 503, "is down"),
        (script.into(), 400, r#""excerpt":"  1 | at 1s answer 101\n    |              ^""#),
    ] {
        let house = House::new();
        *house.done.lock().unwrap() = Some(Err(error));
        let seen = post(&house, "/api/v1/sim", r#"{"op":"answer","number":"101"}"#).await;
        assert_eq!(seen.status, status, "{}", seen.body);
        assert!(seen.body.contains(told), "{}", seen.body);
    }
}

#[tokio::test]
async fn the_picture_has_the_names_of_its_fields() {
    let text = Text::from_static;
    let tab = TabView { door: "tunnel", link: text("crm"), tab: text("t1"), focus: true, ..TabView::default() };
    let snapshot = Snapshot {
        links: vec![LinkView {
            name: text("crm"),
            state: "up",
            methods: vec![text("Find")],
            in_flight: 2,
            ..LinkView::default()
        }],
        users: vec![UserView { login: text("ivanov"), online: true, tabs: vec![tab], ..UserView::default() }],
        calls: vec![CallView { chain: text("c"), state: "ringing", since_ms: 7, ..CallView::default() }],
        services: vec![ServiceView { client: text("crm"), address: text("10.0.0.7:1"), since_ms: 8 }],
        ..Snapshot::default()
    };
    let house = House::answering(Answer::Snapshot(Box::new(snapshot)));
    let seen = ask(&admin(&house), request("GET", "/api/v1/snapshot", "")).await;
    assert_eq!(seen.status, 200);
    assert_eq!(
        seen.body,
        r#"{"links":[{"name":"crm","mode":"","state":"up","since_ms":0,"detail":"","crm":"","methods":["Find"],"forms":[],"in_flight":2}],"users":[{"id":"","login":"ivanov","name":"","number":"","department":"","state":0,"online":true,"tabs":[{"door":"tunnel","link":"crm","tab":"t1","address":"","since_ms":0,"focus":true}]}],"forms":[],"executions":[],"calls":[{"chain":"c","caller":"","called":"","state":"ringing","number":"","since_ms":7}],"services":[{"client":"crm","address":"10.0.0.7:1","since_ms":8}]}"#
    );
}

#[tokio::test]
async fn health_needs_no_token_and_figures_do() {
    let house = House::new();
    let bare = |path: &str| Request::builder().uri(path).header("host", "whoever.example").body(Body::empty()).unwrap();
    let seen = ask(&admin(&house), bare("/healthz")).await;
    assert_eq!((seen.status, &*seen.body), (200, "ok\n"));
    let part = |name, state, detail: &str| Part { name, state, detail: detail.to_owned() };
    let parts = [part("store", PartState::Ok, ""), part("links", PartState::Degraded, "1 of 2 is up")];
    *house.parts.lock().unwrap() = parts.to_vec();
    let seen = ask(&admin(&house), bare("/readyz")).await;
    let told = r#""parts":{"store":{"state":"ok","detail":""},"links":{"state":"degraded","detail":"1 of 2 is up"}}}"#;
    assert_eq!((seen.status, seen.body), (200, format!(r#"{{"ready":true,{told}"#)));
    house.parts.lock().unwrap()[0] = part("store", PartState::Down, "it cannot write");
    let seen = ask(&admin(&house), bare("/readyz")).await;
    let told = r#"{"ready":false,"parts":{"store":{"state":"down","detail":"it cannot write"}"#;
    assert_eq!((seen.status, seen.body.starts_with(told)), (503, true), "{}", seen.body);
    house.fallen.store(true, Ordering::Relaxed);
    assert_eq!(ask(&admin(&house), bare("/healthz")).await.status, 503);
    house.answers.lock().unwrap().push_back(Answer::Snapshot(Box::default()));
    let seen = ask(&admin(&house), request("GET", "/metrics", "")).await;
    assert_eq!((seen.status, &*seen.body), (200, "ctigate_links 0\n"));
    assert_eq!(seen.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn without_the_token_nothing_is_answered_not_even_what_is_not_there() {
    let house = House::new();
    for path in ["/metrics", "/api/v1/snapshot", "/api/v1/tail", "/api/v1/sim", "/nothing", "/consoles"] {
        for (given, told) in [
            (None, "demands Authorization: Bearer"),
            (Some("Bearer wrong"), "the token is wrong"),
            (Some("Bearer "), "the token is wrong"),
            (Some("Basic MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY6"), "the token is wrong"),
            (Some("0123456789abcdef0123456789abcdef"), "the token is wrong"),
        ] {
            let mut request = request("GET", path, "");
            match given {
                None => drop(request.headers_mut().remove("authorization")),
                Some(given) => drop(request.headers_mut().insert("authorization", given.parse().unwrap())),
            }
            let seen = ask(&admin(&house), request).await;
            assert_eq!(seen.status, 401, "{path} {given:?}");
            assert_eq!(seen.header("www-authenticate"), "Bearer realm=\"ctigate\"");
            assert!(seen.body.contains(told), "{}", seen.body);
        }
    }
    let mut twice = request("GET", "/metrics", "");
    twice.headers_mut().append("authorization", "Bearer x".parse().unwrap());
    assert_eq!(ask(&admin(&house), twice).await.status, 401);
    assert!(house.asked().is_empty());
}

#[tokio::test]
async fn borrowed_names_and_foreign_pages_are_refused() {
    let house = House::new();
    let status = |host: Option<&str>, origin: Option<&str>| {
        let mut request = request("GET", "/nothing", "");
        request.headers_mut().remove("host");
        for (name, value) in [("host", host), ("origin", origin)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        let admin = admin(&house);
        async move { ask(&admin, request).await.status }
    };
    for (host, origin) in [
        ("localhost", None),
        ("LOCALHOST:4058", Some("http://localhost:4058")),
        ("127.0.0.1:4058", Some("https://127.0.0.1")),
        ("[::1]:4058", Some("http://[::1]:4058")),
        ("cti.example:443", Some("https://CTI.example")),
        ("192.168.1.5", None),
    ] {
        assert_eq!(status(Some(host), origin).await, 404, "{host} {origin:?}");
    }
    for (host, origin) in [
        (None, None),
        (Some("evil.example"), None),
        (Some("localhost.evil.example"), None),
        (Some("localhost:port"), None),
        (Some("[::1"), None),
        (Some(""), None),
        (Some("localhost"), Some("http://evil.example")),
        (Some("localhost"), Some("null")),
        (Some("localhost"), Some("http://localhost.evil.example")),
        (Some("localhost"), Some("http://127.0.0.1:4058")),
    ] {
        assert_eq!(status(host, origin).await, 403, "{host:?} {origin:?}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones_and_unknown_addresses_are_not_there() {
    let house = House::new();
    for (method, path, allow) in [
        ("GET", "/api/v1/methods/Find", "POST"),
        ("DELETE", "/api/v1/methods", "GET,HEAD"),
        ("PUT", "/api/v1/forms", "GET,HEAD,POST"),
        ("GET", "/api/v1/forms/f00d", "DELETE"),
        ("POST", "/api/v1/snapshot", "GET,HEAD"),
        ("DELETE", "/api/v1/sim", "POST"),
        ("POST", "/metrics", "GET,HEAD"),
    ] {
        let seen = ask(&admin(&house), request(method, path, "")).await;
        assert_eq!((seen.status, seen.header("allow")), (405, allow), "{method} {path}");
        assert!(seen.body.contains("\"error\":59001"), "{}", seen.body);
    }
    for path in ["/console", "/api/v1", "/api/v1/methods/a/b", "/api/v2/snapshot", "/api/v1/../v1/sim"] {
        let seen = ask(&admin(&house), request("GET", path, "")).await;
        assert_eq!(seen.status, 404, "{path}");
        assert_eq!(seen.body, r#"{"error":59014,"errormsg":"Not found: nothing is served under this address"}"#);
    }
    assert_eq!(ask(&admin(&house), request("POST", "/api/v1/methods/%FF", "")).await.status, 400);
}

#[tokio::test]
async fn answers_are_kept_and_shown_nowhere() {
    let house = House::new();
    for path in ["/healthz", "/nothing", "/api/v1/sim"] {
        let seen = ask(&admin(&house), request("GET", path, "")).await;
        assert_eq!(seen.header("cache-control"), "no-store");
        assert_eq!(seen.header("x-content-type-options"), "nosniff");
        assert!(seen.header("content-security-policy").contains("default-src 'none'"));
    }
}

#[tokio::test]
async fn the_overview_puts_the_figures_together() {
    let text = Text::from_static;
    let link = |name, state| LinkView { name: text(name), state, ..LinkView::default() };
    let user = UserView { online: true, tabs: vec![TabView::default(), TabView::default()], ..UserView::default() };
    let snapshot = Snapshot {
        links: vec![link("crm", "up"), link("second", "waiting")],
        users: vec![user, UserView::default()],
        calls: vec![CallView::default()],
        calls_begun: 12,
        ..Snapshot::default()
    };
    let house = House::answering(Answer::Snapshot(Box::new(snapshot.clone())));
    let at = 1_790_000_000_000;
    let early = |calls_begun, ms| sample(&Snapshot { calls_begun, ..snapshot.clone() }, house.telemetry.metrics(), ms);
    house.telemetry.series(|series| series.push(early(0, at - 70_000)));
    house.telemetry.series(|series| series.push(early(2, at - 60_000)));
    let seen = ask(&admin(&house), request("GET", "/api/v1/overview", "")).await;
    let found: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(found["node"]["uptime_ms"], 5);
    let counts = serde_json::json!({"links_up": 1, "links": 2, "users_online": 1, "users": 2, "tabs": 2, "calls": 1,
        "forms": 0, "executions": 0});
    assert_eq!(found["counts"], counts);
    let expected = serde_json::json!([{"key": "web.certificate", "days": 2, "subject": "CN=x"}]);
    assert_eq!(found["certificates"], expected, "only whole days count");
    assert_eq!(
        found["disk"],
        serde_json::json!({"path": "/data", "free_bytes": 10, "total_bytes": 100, "store_bytes": null})
    );
    assert_eq!(found["rates"]["calls_minute"].as_f64(), Some(10.0), "{}", found["rates"]);
    let [point] = found["series"]["points"].as_array().unwrap().as_slice() else { panic!("{}", found["series"]) };
    assert_eq!((point["at_ms"].as_i64(), point["calls_begun"].as_i64()), (Some(at - 60_000), Some(2)));
    assert_eq!(point["method_p95_ms"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_call_is_started_in_a_users_name_and_ended_by_those_inside() {
    let ran = || Answer::Ran(ctigate_proto::message::Body::new());
    let house = House::answering(ran());
    let seen = post(&house, "/api/v1/calls", r#"{"login":"ivanov","number":"7900","sequence":"abonent"}"#).await;
    assert_eq!((seen.status, &*seen.body), (201, "{}"));
    let asked = house.asked().remove(0);
    for part in
        [r#"login: """#, r#"user: "ivanov""#, "handed_on: false", r#"method: "pbxautocallstart""#, "7900", "abonent"]
    {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
    for (body, told) in [
        (r#"{"number":"1"}"#, "login is missing"),
        (r#"{"login":"ivanov"}"#, "number is missing"),
        (r#"{"login":"ivanov","number":"1","sequence":"both"}"#, "sequence is none of user, abonent"),
    ] {
        let seen = post(&House::new(), "/api/v1/calls", body).await;
        assert_eq!((seen.status, seen.body.contains(told)), (400, true), "{}", seen.body);
    }
    let refused = CallError::new(Code::AccessDenied, "programs may not call for ivanov: api_call_enabled");
    let house = House::answering(Answer::Refused(refused));
    assert_eq!(post(&house, "/api/v1/calls", r#"{"login":"ivanov","number":"1"}"#).await.status, 403);

    let party = |number: &'static str, inside| ctigate_proto::calls::LiveParty {
        number: Text::from_static(number),
        inside,
        ..ctigate_proto::calls::LiveParty::default()
    };
    let with = |parties| {
        let call = CallView { chain: Text::from_static("c"), parties, ..CallView::default() };
        Answer::Snapshot(Box::new(Snapshot { calls: vec![call], ..Snapshot::default() }))
    };
    let end = |chain: &str| request("DELETE", &format!("/api/v1/calls/{chain}"), "");
    let house = House::answering(with(vec![party("7900", false), party("101", true), party("102", true)]));
    assert_eq!(ask(&admin(&house), end("c")).await.status, 200);
    assert_eq!(house.asked()[1], r#"End { call: CallId("c") }"#, "everybody, not only those inside");
    let house = House::answering(with(Vec::new()));
    assert_eq!(ask(&admin(&house), end("nothing")).await.status, 404);
}
