//! Proofs: both halves of Digest against each other and against RFC 7616, Basic and tickets as a listener sees them.

use ctigate_proto::Time;
use ctigate_proto::auth::basic::Basic;
use ctigate_proto::auth::digest::{Accepted, Client, Gate, Refusal, Request, Secret};
use ctigate_proto::auth::{password, scheme, ticket};

const REQUEST: Request<'_> = Request { method: "GET", target: "/cti?x=1" };

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// A gate, and a client of it that has been challenged at second 0.
fn met(login: &str, password: &str) -> (Gate, Client) {
    let gate = Gate::new([1; 32]);
    let mut client = Client::new(login, password);
    let challenges = gate.challenges(at(0), [2; 8], false);
    client.challenged(challenges.iter().map(String::as_str)).expect("our own challenges can be answered");
    (gate, client)
}

fn answer(client: &mut Client) -> String {
    client.answer(REQUEST.method, REQUEST.target, [3; 16]).expect("a challenge was taken")
}

fn verify(gate: &mut Gate, now: Time, header: &str, secret: &Secret) -> Result<Accepted, Refusal> {
    gate.verify(now, REQUEST, header, |login| (login == "crm").then_some(secret))
}

#[test]
fn a_right_answer_is_accepted_once() {
    let (mut gate, mut client) = met("crm", "secret");
    let secret = Secret::new("crm", "secret");
    let first = answer(&mut client);
    assert_eq!(scheme(&first), "Digest");
    assert!(first.contains("algorithm=SHA-256"), "{first}");
    assert_eq!(verify(&mut gate, at(1), &first, &secret).unwrap().login, "crm");
    assert_eq!(verify(&mut gate, at(1), &first, &secret), Err(Refusal::Replayed));
    let (second, third) = (answer(&mut client), answer(&mut client));
    assert!(verify(&mut gate, at(2), &third, &secret).is_ok());
    let late = verify(&mut gate, at(2), &second, &secret).unwrap_err();
    assert_eq!((late.is_stale(), late.status()), (true, 401), "counts must rise");
}

#[test]
fn a_stale_nonce_is_answered_anew_without_a_password() {
    let (mut gate, mut client) = met("crm", "secret");
    let secret = Secret::new("crm", "secret");
    assert!(verify(&mut gate, at(299), &answer(&mut client), &secret).is_ok());
    let refusal = verify(&mut gate, at(300), &answer(&mut client), &secret).unwrap_err();
    assert_eq!(refusal, Refusal::Stale);
    let challenges = gate.challenges(at(300), [4; 8], refusal.is_stale());
    assert!(challenges.iter().all(|challenge| challenge.ends_with(", stale=true")));
    client.challenged(challenges.iter().map(String::as_str)).unwrap();
    assert!(verify(&mut gate, at(300), &answer(&mut client), &secret).is_ok());
}

#[test]
fn a_nonce_of_another_gate_is_stale_and_not_wrong() {
    let (_, mut client) = met("crm", "secret");
    let mut restarted = Gate::new([9; 32]);
    let secret = Secret::new("crm", "secret");
    assert_eq!(verify(&mut restarted, at(1), &answer(&mut client), &secret), Err(Refusal::Stale));
}

#[test]
fn wrong_passwords_and_unknown_logins_look_the_same() {
    let secret = Secret::new("crm", "secret");
    for (login, password) in [("crm", "Secret"), ("crm", ""), ("nobody", "secret"), ("", "")] {
        let (mut gate, mut client) = met(login, password);
        let refusal = verify(&mut gate, at(1), &answer(&mut client), &secret).unwrap_err();
        assert_eq!(refusal, Refusal::Wrong { login: login.to_owned() });
        assert_eq!((refusal.status(), refusal.is_stale()), (401, false));
        let again = gate.challenges(at(1), [5; 8], false);
        assert!(client.challenged(again.iter().map(String::as_str)).is_err(), "the client gives up");
    }
}

#[test]
fn a_wrong_password_does_not_learn_that_its_nonce_is_stale() {
    let (mut gate, mut client) = met("crm", "wrong");
    let secret = Secret::new("crm", "secret");
    assert!(matches!(verify(&mut gate, at(1000), &answer(&mut client), &secret), Err(Refusal::Wrong { .. })));
}

#[test]
fn names_and_passwords_of_any_letters_pass() {
    for (login, password) in [("Иван", "пароль"), ("a\"b\\c", "\"\\"), ("漢字 😀", ":::"), ("a b", "c d")]
    {
        let (mut gate, mut client) = met(login, password);
        let secret = Secret::new(login, password);
        let header = answer(&mut client);
        assert!(header.is_ascii(), "{header}");
        let accepted = gate.verify(at(1), REQUEST, &header, |found| (found == login).then_some(&secret)).unwrap();
        assert_eq!(accepted.login, login);
    }
    // As curl writes such a name: raw UTF-8 in a quoted string.
    let (mut gate, mut client) = met("Иван", "пароль");
    let secret = Secret::new("Иван", "пароль");
    let header = answer(&mut client);
    let (before, rest) = header.split_once("username*=").unwrap();
    let header = format!("{before}username=\"Иван\",{}", rest.split_once(',').unwrap().1);
    assert_eq!(gate.verify(at(1), REQUEST, &header, |_| Some(&secret)).unwrap().login, "Иван");
}

#[test]
fn both_algorithms_and_every_spelling_are_understood() {
    let gate = Gate::new([1; 32]);
    let secret = Secret::new("crm", "secret");
    let [_, md5] = gate.challenges(at(0), [2; 8], false);
    let answered = |change: &dyn Fn(String) -> String| {
        let mut gate = Gate::new([1; 32]);
        let mut client = Client::new("crm", "secret");
        client.challenged([&*md5]).unwrap();
        verify(&mut gate, at(1), &change(answer(&mut client)), &secret)
    };
    assert!(answered(&|header| header).is_ok());
    assert!(answered(&|header| header.replace(", algorithm=MD5", "")).is_ok(), "MD5 is the default");
    assert!(answered(&|header| header.replace("algorithm=MD5", "ALGORITHM=\"md5\"")).is_ok());
    assert!(
        answered(&|header| header.replace("qop=auth", "qop=\"auth\"").replace("nc=00000001", "nc=\"00000001\""))
            .is_ok()
    );
    assert!(answered(&|header| header.replace("Digest ", "DIGEST   ").replace(", ", " ,,")).is_ok());
    assert!(answered(&|header| header + ", unknown=\"thing\", userhash=false").is_ok());
    assert!(
        answered(&|header| {
            let start = header.find("response=\"").unwrap() + "response=\"".len();
            let mut header = header;
            header[start..start + 32].make_ascii_uppercase();
            header
        })
        .is_ok()
    );
}

#[test]
fn the_second_example_of_rfc_7616_asks_for_what_is_not_offered_and_is_told_so() {
    // Section 3.9.2: SHA-512/256 and a hashed name.
    const CHALLENGE: &str = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
        nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", \
        charset=UTF-8, userhash=true";
    const ANSWER: &str = "Digest username=\"488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec\", \
        realm=\"api@example.org\", uri=\"/doe.json\", algorithm=SHA-512-256, \
        nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", nc=00000001, \
        cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm\", qop=auth, \
        response=\"ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd\", \
        opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", userhash=true";
    let why = Client::new("Jäsøn Doe", "Secret, or not?").challenged([CHALLENGE]).unwrap_err();
    assert!(why.to_string().contains("SHA-256 and MD5"), "{why}");
    // Beside one that can be answered it is passed over, and the name is sent as it is.
    let mut client = Client::new("Jäsøn Doe", "Secret, or not?");
    let known = CHALLENGE.replace("SHA-512-256", "SHA-256");
    client.challenged([CHALLENGE, &known]).unwrap();
    let header = client.answer("GET", "/doe.json", [3; 16]).unwrap();
    assert!(header.contains("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe") && !header.contains("userhash=true"), "{header}");
    let request = Request { method: "GET", target: "/doe.json" };
    let secret = Secret::new("Jäsøn Doe", "Secret, or not?");
    let refused = Gate::new([1; 32]).verify(at(1), request, ANSWER, |_| Some(&secret)).unwrap_err();
    assert!(matches!(refused, Refusal::NotOffered(_)), "{refused:?}");
    // The hashed name alone is not taken for a name.
    let (mut gate, mut client) = met("crm", "secret");
    let hashed = answer(&mut client) + ", userhash=true";
    let secret = Secret::new("crm", "secret");
    assert_eq!(verify(&mut gate, at(1), &hashed, &secret), Err(Refusal::NotOffered("userhash is not offered")));
}

#[test]
fn an_answer_to_something_else_is_refused() {
    let secret = Secret::new("crm", "secret");
    let refused = |change: &dyn Fn(String) -> String| {
        let (mut gate, mut client) = met("crm", "secret");
        let before = answer(&mut client);
        let after = change(before.clone());
        assert_ne!(before, after);
        verify(&mut gate, at(1), &after, &secret).expect_err(&after)
    };
    let dropped = |name: &'static str| {
        move |header: String| {
            let start = header.find(&format!("{name}=")).unwrap();
            let end = header[start..].find(", ").map_or(header.len(), |end| start + end + 2);
            format!("{}{}", &header[..start], &header[end..])
        }
    };
    for name in ["username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"] {
        let refusal = refused(&dropped(name));
        assert!(matches!(refusal, Refusal::Malformed(_)), "without {name}: {refusal}");
        assert_eq!(refusal.status(), 400);
        let twice = refused(&|header| format!("{header}, {name}=\"x\""));
        assert!(matches!(twice, Refusal::Malformed(_)), "{name} twice: {twice}");
    }
    assert_eq!(refused(&|h| h.replace("/cti?x=1", "/cti?x=2")), Refusal::Mismatch("uri"));
    assert_eq!(refused(&|h| h.replace("realm=\"ctigate\"", "realm=\"other\"")), Refusal::Mismatch("realm"));
    assert!(matches!(refused(&|h| h.replace("algorithm=SHA-256", "algorithm=MD5")), Refusal::Wrong { .. }));
    assert!(matches!(refused(&|h| h.replace("algorithm=SHA-256", "algorithm=SHA-256-sess")), Refusal::NotOffered(_)));
    assert!(matches!(refused(&|h| h.replace("qop=auth", "qop=auth-int")), Refusal::NotOffered(_)));
    assert!(matches!(refused(&|h| h + ", userhash=true"), Refusal::NotOffered(_)));
    assert!(matches!(refused(&|h| h.replace("nc=00000001", "nc=00000002")), Refusal::Wrong { .. }));
    for nc in ["nc=1", "nc=00000000", "nc=0000000g", "nc=000000001"] {
        assert!(matches!(refused(&|h| h.replace("nc=00000001", nc)), Refusal::Malformed(_)), "{nc}");
    }
    assert!(matches!(refused(&|h| h.replace("Digest", "Basic")), Refusal::Malformed(_)));
    assert!(matches!(refused(&|h| h + "\u{0}"), Refusal::Malformed(_)));
    for name in ["iso-8859-1''crm", "crm", "UTF-8''%D0", "UTF-8''%0", "UTF-8'crm"] {
        let refusal = refused(&|h| h.replace("username=\"crm\"", &format!("username*={name}")));
        assert!(matches!(refusal, Refusal::Malformed(_)), "{name}: {refusal}");
    }
}

#[test]
fn the_method_belongs_to_the_answer() {
    let (mut gate, mut client) = met("crm", "secret");
    let secret = Secret::new("crm", "secret");
    let header = answer(&mut client);
    let post = Request { method: "POST", ..REQUEST };
    assert!(matches!(gate.verify(at(1), post, &header, |_| Some(&secret)), Err(Refusal::Wrong { .. })));
}

#[test]
fn the_answers_of_rfc_7616_are_right_for_our_realm_only() {
    let header = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    let mut gate = Gate::new([1; 32]);
    let request = Request { method: "GET", target: "/dir/index.html" };
    assert_eq!(gate.verify(at(0), request, header, |_| None), Err(Refusal::Mismatch("realm")));
}

#[test]
fn challenges_say_all_that_a_client_needs() {
    let [sha256, md5] = Gate::new([1; 32]).challenges(at(0), [2; 8], false);
    for (challenge, algorithm) in [(&sha256, "SHA-256"), (&md5, "MD5")] {
        assert!(challenge.starts_with("Digest realm=\"ctigate\", nonce=\""), "{challenge}");
        assert!(challenge.ends_with(&format!("\", qop=\"auth\", algorithm={algorithm}, charset=UTF-8")), "{challenge}");
    }
    assert_ne!(sha256, Gate::new([1; 32]).challenges(at(0), [3; 8], false)[0], "each nonce is its own");
}

#[test]
fn a_listener_tells_schemes_apart() {
    for (header, of) in
        [("Basic Y3JtOnNlY3JldA==", "Basic"), ("Bearer t", "Bearer"), ("Digest a=b", "Digest"), ("", "")]
    {
        assert_eq!(scheme(header), of);
    }
    assert!(Basic::parse("Basic Y3JtOnNlY3JldA==").unwrap().verify("crm", "secret").is_some());
    assert!(ticket::verify(ticket::of_bearer("Bearer t").unwrap(), "t").is_some());
    let typed = Basic::parse(&Basic { login: "ivanov".into(), password: "Пароль7".into() }.header().unwrap()).unwrap();
    let kept = password::hash("Пароль7").unwrap();
    assert!(password::verify(&kept, &password::hash(&typed.password).unwrap()).is_some(), "people's Basic");
}
