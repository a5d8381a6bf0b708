//! The connection against a scripted Asterisk on loopback: what goes wrong with real ones.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::config::Secret;

const SOON: Duration = Duration::from_secs(10);

/// The other end, in the hands of the test.
struct Asterisk {
    listener: TcpListener,
}

/// One connection to it.
struct Peer {
    stream: TcpStream,
    reader: Reader,
}

/// What [`run`] keeps.
struct Line {
    actions: mpsc::Sender<Action>,
    told: mpsc::Receiver<Told>,
}

impl Asterisk {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn account(&self) -> Account {
        Account {
            host: "127.0.0.1".to_owned(),
            port: self.listener.local_addr().unwrap().port(),
            user: "ctigate".to_owned(),
            secret: Secret::new("hush"),
            tls: None,
            patience: Patience {
                booted: Duration::from_millis(300),
                ping: Duration::from_millis(50),
                silence: Duration::from_millis(500),
                write: Duration::from_millis(500),
                ..Patience::default()
            },
        }
    }

    fn run(&self) -> Line {
        let account = self.account();
        let (actions, actions_in) = mpsc::channel(64);
        let (told, told_in) = mpsc::channel(64);
        tokio::spawn(async move { run(&account, actions_in, told).await });
        Line { actions, told: told_in }
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = timeout(SOON, self.listener.accept()).await.expect("a connection").unwrap();
        Peer { stream, reader: Reader::default() }
    }

    /// Accepts, greets, answers the wish for a challenge so, and gives the login that comes next.
    async fn accept_challenged(&self, answer: &str) -> (Peer, Message) {
        let mut peer = self.accept().await;
        peer.greet().await;
        let challenge = peer.action("Challenge").await;
        assert_eq!(challenge.get("AuthType"), "MD5");
        peer.answer(&challenge, answer).await;
        let login = peer.action("Login").await;
        (peer, login)
    }

    /// Accepts, and lets the gateway log in.
    async fn accept_login(&self) -> Peer {
        let (mut peer, login) = self.accept_challenged("Response: Success\r\nChallenge: 840415273\r\n").await;
        peer.answer(&login, "Response: Success\r\nMessage: Authentication accepted\r\n").await;
        peer.say("Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n").await;
        peer
    }
}

impl Peer {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn greet(&mut self) {
        self.say("Asterisk Call Manager/11.0.0\r\n").await;
    }

    async fn answer(&mut self, to: &Message, fields: &str) {
        let (kind, rest) = fields.split_once("\r\n").unwrap();
        self.say(&format!("{kind}\r\nActionID: {}\r\n{rest}\r\n", to.action_id())).await;
    }

    /// The next action, which must be this one; pings in between are answered.
    async fn action(&mut self, name: &str) -> Message {
        let mut chunk = [0; 4096];
        loop {
            while let Some(action) = self.reader.next_message().unwrap() {
                if action.get("Action") == "Ping" && name != "Ping" {
                    self.answer(&action, "Response: Success\r\nPing: Pong\r\n").await;
                    continue;
                }
                assert_eq!(action.get("Action"), name, "{action:?}");
                return action;
            }
            let read = timeout(SOON, self.stream.read(&mut chunk)).await.expect("an action").unwrap();
            assert!(read > 0, "the gateway has hung up");
            self.reader.push(&chunk[..read]);
        }
    }
}

impl Line {
    async fn next(&mut self) -> Told {
        timeout(SOON, self.told.recv()).await.expect("something told").expect("it runs")
    }

    async fn up(&mut self) {
        let told = self.next().await;
        assert_eq!(told, Told::Up { version: "11.0.0".to_owned() });
    }

    async fn down(&mut self) -> Fault {
        loop {
            match self.next().await {
                Told::Down(fault) => return fault,
                Told::Message(_) => {}
                Told::Up { .. } => panic!("up, not down"),
            }
        }
    }

    async fn message(&mut self) -> Message {
        match self.next().await {
            Told::Message(message) => message,
            other => panic!("a message is due, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn it_logs_in_without_showing_the_secret_and_both_ends_speak() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let (mut peer, login) = asterisk.accept_challenged("Response: Success\r\nChallenge: 840415273\r\n").await;
    assert_eq!((login.get("Username"), login.get("Secret")), ("ctigate", ""));
    // md5("840415273" + "hush")
    assert_eq!(login.get("Key"), "11e3de9a02761bd4b962e7eac4c82d56");
    assert_eq!(login.get("Events"), EVENTS);
    peer.answer(&login, "Response: Success\r\n").await;
    peer.say("Event: FullyBooted\r\n\r\nEvent: Hold\r\nChannel: PJSIP/101-1\r\n\r\n").await;
    line.up().await;
    assert_eq!(line.message().await.event(), "Hold");

    line.actions.send(Action::new("Hangup").with("Channel", "PJSIP/101-1").id("m-1")).await.unwrap();
    let hangup = peer.action("Hangup").await;
    assert_eq!(hangup.action_id(), "m-1");
    peer.answer(&hangup, "Response: Success\r\n").await;
    assert_eq!(line.message().await.action_id(), "m-1");
    // Our own questions are nobody's business.
    let ping = peer.action("Ping").await;
    peer.answer(&ping, "Response: Success\r\n").await;
    peer.say("Event: Unhold\r\n\r\n").await;
    assert_eq!(line.message().await.event(), "Unhold");
}

#[tokio::test]
async fn a_wrong_secret_is_told_with_what_to_do() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let (mut peer, login) = asterisk.accept_challenged("Response: Success\r\nChallenge: 1\r\n").await;
    peer.answer(&login, "Response: Error\r\nMessage: Authentication failed\r\n").await;
    let fault = line.down().await;
    assert!(fault.is_refusal());
    let text = fault.to_string();
    for needed in ["\"ctigate\"", "Authentication failed", "manager.conf", "permit"] {
        assert!(text.contains(needed), "{text}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn an_asterisk_without_challenges_gets_the_secret_on_this_machine_only() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let (mut peer, login) = asterisk.accept_challenged("Response: Error\r\nMessage: Must specify AuthType\r\n").await;
    assert_eq!((login.get("Secret"), login.get("Key")), ("hush", ""));
    peer.answer(&login, "Response: Success\r\n").await;
    peer.say("Event: FullyBooted\r\n\r\n").await;
    line.up().await;
}

#[tokio::test]
async fn an_account_that_may_not_see_the_boot_is_used_all_the_same() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let (mut peer, login) = asterisk.accept_challenged("Response: Success\r\nChallenge: 1\r\n").await;
    peer.answer(&login, "Response: Success\r\n").await;
    line.up().await;
}

#[tokio::test]
async fn another_server_is_no_asterisk() {
    for greeting in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n"] {
        let asterisk = Asterisk::new().await;
        let mut line = asterisk.run();
        let mut peer = asterisk.accept().await;
        peer.say(greeting).await;
        let fault = line.down().await;
        assert!(matches!(&fault, Fault::Other(said) if greeting.starts_with(said.as_str())), "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_and_tried_again() {
    let asterisk = Asterisk::new().await;
    let mut account = asterisk.account();
    drop(asterisk);
    account.patience.connect = Duration::from_millis(500);
    let (_actions, actions) = mpsc::channel(1);
    let (told, mut told_in) = mpsc::channel(1);
    tokio::spawn(async move { run(&account, actions, told).await });
    for _ in 0..2 {
        let told = timeout(SOON, told_in.recv()).await.unwrap();
        assert!(matches!(told, Some(Told::Down(Fault::Unreachable(_)))), "{told:?}");
    }
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_packet_loses_that_packet_and_a_new_connection_is_made() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    peer.say("Event: Newchannel\r\nChannel: PJS").await;
    drop(peer);
    assert_eq!(line.down().await, Fault::Closed);
    // What is ordered meanwhile is answered, and not sent late.
    line.actions.send(Action::new("Hangup").id("m-1")).await.unwrap();
    let answer = line.message().await;
    assert_eq!((answer.response(), answer.action_id()), ("Error", "m-1"));
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    line.actions.send(Action::new("Ping").id("m-2")).await.unwrap();
    while peer.action("Ping").await.action_id() != "m-2" {}
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_connection() {
    let line_without_end = "x".repeat(LINE + 2);
    let packet_without_end = format!("Event: Newchannel\r\n{}", "Variable: A=1\r\n".repeat(PACKET / 13));
    for (text, wrong) in [(line_without_end, Wrong::LongLine), (packet_without_end, Wrong::LongPacket)] {
        let asterisk = Asterisk::new().await;
        let mut line = asterisk.run();
        let mut peer = asterisk.accept_login().await;
        line.up().await;
        // The gateway may hang up while we still write.
        let _ = peer.stream.write_all(text.as_bytes()).await;
        assert_eq!(line.down().await, Fault::Unreadable(wrong));
    }
}

#[tokio::test]
async fn garbage_is_a_message_like_another_and_does_no_harm() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    peer.stream.write_all(b"\xff\x00\xfe: \x80\r\nno colon\r\n\r\nEvent: Hold\r\n\r\n").await.unwrap();
    assert_eq!(line.message().await.event(), "");
    assert_eq!(line.message().await.event(), "Hold");
}

#[tokio::test]
async fn a_slow_asterisk_is_waited_for_and_a_dumb_one_is_left() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    for byte in b"Event: Hold\r\n\r\n" {
        peer.stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(line.message().await.event(), "Hold");
    assert_eq!(line.down().await, Fault::Silent(Duration::from_millis(500)));
}

#[tokio::test]
async fn one_that_reads_nothing_is_left() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    let actions = line.actions.clone();
    let flood = tokio::spawn(async move {
        let action = Action::new("Setvar").with("Value", "x".repeat(900)).id("m");
        while actions.send(action.clone()).await.is_ok() {}
    });
    let talk = tokio::spawn(async move { while peer.stream.write_all(b"Event: Hold\r\n\r\n").await.is_ok() {} });
    assert_eq!(line.down().await, Fault::Stuck(Duration::from_millis(500)));
    drop(line);
    timeout(SOON, flood).await.unwrap().unwrap();
    timeout(SOON, talk).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_asterisk_would_not_read_is_answered_and_the_connection_lives() {
    let asterisk = Asterisk::new().await;
    let mut line = asterisk.run();
    let mut peer = asterisk.accept_login().await;
    line.up().await;
    line.actions.send(Action::new("Setvar").with("Value", "x".repeat(ACTION_LINE)).id("m-1")).await.unwrap();
    line.actions.send(Action::new("Hangup").id("m-2")).await.unwrap();
    let answer = line.message().await;
    assert_eq!((answer.response(), answer.action_id()), ("Error", "m-1"));
    assert_eq!(peer.action("Hangup").await.action_id(), "m-2");
}

#[tokio::test]
async fn a_session_asks_one_thing_after_the_other() {
    let asterisk = Asterisk::new().await;
    let account = asterisk.account();
    let asking = tokio::spawn(async move {
        let mut session = Session::open(&account).await.unwrap();
        assert!(session.booted().await.unwrap());
        let (response, events) = session.ask(Action::new("BridgeList")).await.unwrap();
        assert_eq!((response.response(), events.len()), ("Success", 1));
        let (response, events) = session.ask(Action::new("ConfbridgeListRooms")).await.unwrap();
        assert_eq!((response.get("Message"), events.len()), ("No active conferences.", 0));
        session.ask(Action::new("Setvar").with("Value", "x".repeat(ACTION_LINE))).await.unwrap_err();
        session.ask(Action::new("Never")).await.unwrap_err()
    });
    let mut peer = asterisk.accept_login().await;
    let list = peer.action("BridgeList").await;
    let id = list.action_id().to_owned();
    peer.answer(&list, "Response: Success\r\nEventList: start\r\n").await;
    peer.say("Event: Hold\r\n\r\n").await;
    peer.say(&format!("Event: BridgeListItem\r\nActionID: {id}\r\n\r\n")).await;
    peer.say(&format!("Event: BridgeListComplete\r\nActionID: {id}\r\nEventList: Complete\r\n\r\n")).await;
    let rooms = peer.action("ConfbridgeListRooms").await;
    peer.answer(&rooms, "Response: Error\r\nMessage: No active conferences.\r\n").await;
    peer.action("Never").await;
    drop(peer);
    assert_eq!(timeout(SOON, asking).await.unwrap().unwrap(), Fault::Closed);
}
