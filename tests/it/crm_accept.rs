//! CRMs that connect to us, in every way they may prove themselves.

use std::time::Duration;

use ctigate::config::{Auth, Link, LinkMode, Secret};
use ctigate::proto::auth::digest;
use ctigate::proto::codec::{self, multipart};
use ctigate::proto::message::{Format, Text};

use crate::support::gateway::link;
use crate::support::http::{Answer, ask, ask_on};
use crate::support::peers::{Channel, json};
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, Gateway, Io, Setup, Ws, tls};

const METHODS: &str = r#"[{"name":"Find","inputparameters":[{"name":"phone","type":"string"}],
    "outputparameters":[{"name":"who","type":"string"}]}]"#;

fn guarded(auth: Auth) -> Link {
    Link {
        auth: Some(auth),
        login: "crm".to_owned(),
        password: Some(Secret::new("пароль")),
        ..link("crm", LinkMode::AcceptWs)
    }
}

fn authorized(value: &str) -> String {
    request("/cti?x=1", &[("Authorization", value), ("Sec-WebSocket-Protocol", "json")])
}

fn basic(login: &str, password: &str) -> String {
    ctigate::proto::auth::basic::Basic { login: login.to_owned(), password: password.to_owned() }.header().unwrap()
}

/// After 101 the CRM introduces itself, and the link is up.
async fn introduces(gateway: &Gateway, answer: Answer, io: Io, format: Format) -> FakeCrm {
    assert_eq!(answer.status, 101, "{answer:?}");
    let mut crm = FakeCrm(Channel::new(Ws::over(io, answer.rest, true), format));
    crm.introduce(METHODS, "[]", "[]").await;
    let view = gateway.link_is("crm", "up with its method", |v| v.state == "up" && v.methods.len() == 1).await;
    assert_eq!(view.crm, "demo 1");
    crm
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_introduces_itself_and_answers_a_tab() {
    for format in [Format::Json, Format::Xml] {
        let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
        assert_eq!(gateway.link_view("crm").await.state, "waiting");
        let mut crm = FakeCrm::connect(gateway.link("crm"), format).await;
        crm.0.say(r#"["whoareyou",{"qid":"w","type":"test","name":"demo","version":"1"}]"#).await;
        crm.introduce(METHODS, "[]", "[]").await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        gateway.link_is("crm", "up with its method", |v| v.methods.len() == 1).await;
        tab.0.say(r#"["executemethod",{"qid":5,"name":"Find","inputparameters":{"phone":"79001112233"}}]"#).await;
        let call = crm.0.hear_named("executemethod").await;
        let id = call.body.text("executionid").unwrap();
        crm.0
            .say(&format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"who":"Ann"}}}}]"#))
            .await;
        let result = tab.0.hear_named("methodresult").await;
        assert_eq!(result.body.int("qid"), Some(5));
        assert!(json(&result).contains(r#""who":"Ann""#), "{}", json(&result));
        crm.0.ws.close(1000, "").await;
        assert_eq!(crm.0.closed().await.0, 1000);
        gateway.link_state("crm", "waiting").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_goes_in_packets() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    for format in [Format::Json, Format::Xml] {
        let mut crm = FakeCrm::connect(gateway.link("crm"), format).await;
        crm.introduce(METHODS, "[]", "[]").await;
        gateway.link_is("crm", "up with its method", |v| v.methods.len() == 1).await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        // How long packets take is no business of this story: a slow machine gets a minute.
        let long = "é".repeat(200_000);
        tab.0
            .say(&format!(r#"["executemethod",{{"qid":5,"name":"Find","waitresponsems":60000,"inputparameters":{{"phone":"{long}"}}}}]"#))
            .await;
        let call = crm.0.hear_named("executemethod").await;
        assert!(json(&call).contains(&long), "put together from packets of 2048");
        let id = call.body.text("executionid").unwrap();
        let result =
            format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"who":"{long}"}}}}]"#);
        crm.0.say(&result).await;
        assert!(json(&tab.0.hear_named("methodresult").await).contains(&long));

        // Three mebibytes from the CRM, in packets, and on to the tab.
        tab.0
            .say(r#"["executemethod",{"qid":6,"name":"Find","waitresponsems":60000,"inputparameters":{"phone":"1"}}]"#)
            .await;
        let id = crm.0.hear_named("executemethod").await.body.text("executionid").unwrap();
        let huge = "x".repeat(3 << 20);
        let result = Text::from(format!(
            r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"who":"{huge}"}}}}]"#
        ));
        let whole = codec::encode(&codec::decode(Format::Json, &result, &codec::Limits::default()).unwrap(), format);
        let packets = multipart::split(&whole, format, &Text::from_static("set-1"), multipart::PIECE);
        assert!(packets.len() > 1000);
        for packet in &packets {
            crm.0.say(&codec::encode(packet, Format::Json)).await;
        }
        assert!(json(&tab.0.hear_named("methodresult").await).contains(&huge));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_is_demanded_and_a_second_try_may_follow_on_the_connection() {
    for hashed in [false, true] {
        let mut guarded = guarded(Auth::Basic);
        if hashed {
            // argon2id over the hash that clients make of `пароль`, with little memory, because this build is slow.
            use argon2::password_hash::PasswordHasher;
            let params = argon2::Params::new(64, 1, 1, None).unwrap();
            let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
            let client = ctigate::proto::auth::password::hash("пароль").unwrap();
            guarded.password_hash = Some(Secret::new(hasher.hash_password(client.as_bytes()).unwrap().to_string()));
            guarded.password = None;
        }
        let gateway = Setup::new().link(guarded).start().await;
        let (answer, mut io) = ask(gateway.link("crm"), request("/", &[("Sec-WebSocket-Protocol", "json")])).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"ctigate\", charset=\"UTF-8\""));
        for wrong in
            [basic("crm", "secret"), basic("other", "пароль"), "Basic ====".to_owned(), "Negotiate x".to_owned()]
        {
            assert_eq!(ask_on(&mut io, authorized(&wrong)).await.status, 401, "{wrong}");
        }
        for _ in 0..2 {
            let (answer, io) = ask(gateway.link("crm"), authorized(&basic("crm", "пароль"))).await;
            introduces(&gateway, answer, io, Format::Json).await;
        }
        let answer = ask_on(&mut io, authorized(&basic("crm", "пароль"))).await;
        introduces(&gateway, answer, io, Format::Json).await;
        let twice = request("/", &[("Authorization", "Basic QQ=="), ("Authorization", "Basic QQ==")]);
        assert_eq!(ask(gateway.link("crm"), twice).await.0.status, 400);
    }
}

/// What a client answers to the challenges of a 401.
fn digested(client: &mut digest::Client, answer: &Answer, target: &str) -> String {
    client.challenged(answer.all("www-authenticate")).unwrap();
    client.answer("GET", target, rand::random()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digest_is_demanded_and_an_answer_counts_once() {
    let gateway = Setup::new().link(guarded(Auth::Digest)).start().await;
    let at = gateway.link("crm");
    let (challenge, mut io) = ask(at, request("/cti?x=1", &[])).await;
    assert_eq!(challenge.status, 401);
    let offered = challenge.all("www-authenticate");
    assert_eq!(offered.len(), 2, "{offered:?}");
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    assert_eq!(ask_on(&mut io, authorized(&basic("crm", "пароль"))).await.status, 401, "Basic is no way around");

    let mut client = digest::Client::new("crm", "пароль");
    let right = digested(&mut client, &challenge, "/cti?x=1");
    let second = ask_on(&mut io, authorized(&right)).await;
    introduces(&gateway, second, io, Format::Json).await;

    let (replayed, mut io) = ask(at, authorized(&right)).await;
    assert_eq!(replayed.status, 401, "the same answer again");
    assert!(replayed.all("www-authenticate").iter().all(|c| c.contains("stale=true")), "{replayed:?}");
    let next = client.answer("GET", "/cti?x=1", rand::random()).unwrap();
    let counted_on = ask_on(&mut io, authorized(&next)).await;
    introduces(&gateway, counted_on, io, Format::Json).await;

    let elsewhere = client.answer("GET", "/other", rand::random()).unwrap();
    assert_eq!(ask(at, authorized(&elsewhere)).await.0.status, 400, "an answer to another request");
    let other = Setup::new().link(guarded(Auth::Digest)).start().await;
    let (foreign, _) = ask(other.link("crm"), request("/cti?x=1", &[])).await;
    let mut elsewhere = digest::Client::new("crm", "пароль");
    let (stale, mut io) = ask(at, authorized(&digested(&mut elsewhere, &foreign, "/cti?x=1"))).await;
    assert!(
        stale.header("www-authenticate").unwrap().contains("stale=true"),
        "a nonce from before a restart: {stale:?}"
    );
    let renewed = digested(&mut elsewhere, &stale, "/cti?x=1");
    let answer = ask_on(&mut io, authorized(&renewed)).await;
    introduces(&gateway, answer, io, Format::Json).await;

    let mut stranger = digest::Client::new("crm", "wrong");
    let (challenge, mut io) = ask(at, request("/cti?x=1", &[])).await;
    let wrong = digested(&mut stranger, &challenge, "/cti?x=1");
    let refused = ask_on(&mut io, authorized(&wrong)).await;
    assert_eq!(refused.status, 401);
    assert!(!refused.header("www-authenticate").unwrap().contains("stale"), "a wrong password is wrong");
    assert_eq!(ask_on(&mut io, authorized("Digest username=\"crm\", realm")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_stands_in_for_credentials() {
    let mut guarded = guarded(Auth::Digest);
    guarded.ticket = Some(Secret::new("0123456789abcdef"));
    let gateway = Setup::new().link(guarded).start().await;
    let at = gateway.link("crm");
    let query = request("/?a=b&ticket=0123456789abcdef", &[("Sec-WebSocket-Protocol", "xml")]);
    let (answer, io) = ask(at, query).await;
    introduces(&gateway, answer, io, Format::Xml).await;
    let (answer, io) = ask(at, authorized("Bearer 0123456789abcdef")).await;
    introduces(&gateway, answer, io, Format::Json).await;
    assert_eq!(ask(at, authorized("Bearer 0123456789abcdeF")).await.0.status, 401);
    assert_eq!(ask(at, request("/?ticket=", &[])).await.0.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_is_slowed_down() {
    let gateway = Setup::new().link(guarded(Auth::Basic)).start().await;
    let at = gateway.link("crm");
    for _ in 0..5 {
        assert_eq!(ask(at, authorized(&basic("crm", "guess"))).await.0.status, 401);
    }
    let (answer, _) = ask(at, authorized(&basic("crm", "пароль"))).await;
    assert_eq!(answer.status, 429, "even the right one, for a while");
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&after), "{after}");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut elsewhere: Io = Box::new(socket.connect(at).await.unwrap());
    assert_eq!(
        ask_on(&mut elsewhere, authorized(&basic("crm", "пароль"))).await.status,
        101,
        "the right CRM elsewhere"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_crm_wins_until_two_compete() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    let at = gateway.link("crm");
    let mut last = FakeCrm::connect(at, Format::Json).await;
    last.introduce_bare().await;
    for i in 0..3 {
        let mut newer = FakeCrm::connect(at, Format::Xml).await;
        newer.introduce_as(&format!("n{i}"), "[]", "[]", "[]").await;
        assert_eq!(last.0.closed().await, (1000, "replaced by a newer connection".to_owned()));
        last = newer;
    }
    let mut late = FakeCrm::connect(at, Format::Json).await;
    let question = late.0.hear().await;
    let qid = question.body.text("qid").unwrap();
    late.0.say(&format!(r#"["iam",{{"qid":"{qid}","type":"t","name":"n","version":"1"}}]"#)).await;
    assert_eq!(late.0.closed().await.0, 1013);
    let view = gateway.link_state("crm", "up").await;
    assert_eq!(view.crm, "n2 1", "the last one stays");
    assert!(view.detail.contains("compete"), "{view:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_that_says_nothing_is_sent_away_in_time() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    let mut silent = FakeCrm::connect(gateway.link("crm"), Format::Json).await;
    silent.0.say(r#"["getpbxnumbers",{"qid":"1"}]"#).await;
    let refused = silent.0.hear_named("getpbxnumbersresult").await;
    assert_eq!(refused.body.int("error"), Some(59003), "nothing before the introduction");
    let began = tokio::time::Instant::now();
    let heard = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            // Signs of life are no introduction.
            silent.0.ws.frame(0x89, b"here").await;
            if let crate::support::Frame::Close(code, reason) = silent.0.ws.next().await {
                return (code, reason);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let (code, reason) = heard.await.expect("a close");
    assert_eq!((code, reason.as_str()), (1008, "no introduction"));
    assert!(began.elapsed() > Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_with_tls() {
    let pair = tls::Pair::new();
    let mut guarded = guarded(Auth::Digest);
    guarded.mode = LinkMode::AcceptWss;
    let gateway = Setup::new().tls(&pair).link(guarded).start().await;
    let (mut io, _) = tls::connect(gateway.link("crm")).await;
    let challenge = ask_on(&mut io, request("/cti?x=1", &[])).await;
    let mut client = digest::Client::new("crm", "пароль");
    let right = digested(&mut client, &challenge, "/cti?x=1");
    let answer = ask_on(&mut io, authorized(&right)).await;
    let mut crm = introduces(&gateway, answer, io, Format::Json).await;
    crm.0.say(r#"["ping",{"qid":1}]"#).await;
    crm.0.hear_named("pong").await;
}
