//! What a person does with the own phone, and what is told of it: the calls of `proto-spec/methods/call.md` against the model
//! of calls, with a telephone system that says yes or no when the test likes.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::message::{Format, Text};
use ctigate_proto::method::Right;
use ctigate_proto::telephony::{
    Act, CallFact, CallId, Command, ConferenceFact, ConferenceId, End, EndCause, Event, Fact, LegFact, LegId, LegState,
    OrderId, Parties, Place, Refusal, Role, Sequence, TalkId,
};

use crate::world::{Heard, P, World, settings};

const CHAIN: &str = "c0ffee00-0000-4000-8000-000000000001";
const EVENTS: &str = r#"["userstatechanged","pbxnumberstatechanged","linestatechanged","flashstatechanged","phoneevent","confcompositionchanged","confcompetitorstatechanged"]"#;

/// A talk of ivanov with somebody outside, and more legs beside it.
struct Phone {
    w: World,
    tab: P,
    order: u64,
    legs: Vec<LegFact>,
}

impl Phone {
    fn new() -> Self {
        Self::of(World::with(settings()))
    }

    fn of(mut w: World) -> Self {
        let tab = w.agent("ivanov", Format::Json);
        w.say(tab, &format!(r#"["subscribeevent",{{"qid":0,"eventmethod":{EVENTS}}}]"#));
        w.heard(tab);
        w.pbx.clear();
        Self { w, tab, order: 0, legs: Vec::new() }
    }

    fn at_ms(&self) -> i64 {
        self.w.settings.wall_ms + i64::try_from(self.w.now.as_millis()).expect("a short story")
    }

    /// Adds a leg without telling it yet.
    fn leg(&mut self, id: &'static str, end: End, state: LegState) -> &mut LegFact {
        let leg = LegFact {
            call: call(),
            leg: LegId(id.into()),
            seq: 0,
            at_ms: 0,
            end,
            origin: self.legs.is_empty(),
            state,
            place: Place::None,
            with: None,
            toward: Text::new(),
            held: false,
            autocall: None,
            role: Role::default(),
        };
        self.legs.push(leg);
        self.legs.last_mut().expect("just put there")
    }

    fn get(&mut self, id: &str) -> &mut LegFact {
        self.legs.iter_mut().find(|l| l.leg.0 == id).expect("a leg of the story")
    }

    /// Tells all legs as they are now, together. Gives what the tab heard.
    fn tell(&mut self) -> Vec<Heard> {
        let at_ms = self.at_ms();
        let mut facts = Vec::new();
        for leg in &mut self.legs {
            leg.seq += 1;
            leg.at_ms = at_ms;
            facts.push(Fact::Leg(leg.clone()));
        }
        self.w.phone(Event::Facts(facts));
        // What everybody hears of other people's numbers is left out.
        let own = |h: &Heard| h.name() != "pbxnumberstatechanged" || h.json("numbers").contains(r#""101""#);
        self.w.heard(self.tab).into_iter().filter(own).collect()
    }

    fn names(heard: &[Heard]) -> Vec<String> {
        heard.iter().map(|h| h.name().to_owned()).collect()
    }

    /// ivanov's phone rings for a caller outside.
    fn ring(&mut self) -> Vec<Heard> {
        let at_ms = self.at_ms();
        let parties = Parties { caller: "79001112233".into(), caller_name: "ACME".into(), called: "500".into() };
        self.w.phone(Event::Facts(vec![Fact::Call(CallFact { call: call(), at_ms, parties })]));
        self.leg("a", outside("79001112233"), LegState::Waiting);
        let with = Some(LegId("a".into()));
        let own = self.leg("u", End::Inside("101".into()), LegState::Ringing);
        (own.with, own.toward) = (with, "500".into());
        self.tell()
    }

    fn talk(&mut self, talk: &'static str, between: [&str; 2]) -> Vec<Heard> {
        for id in between {
            let leg = self.get(id);
            (leg.state, leg.place, leg.held) = (LegState::Up, Place::Talk(TalkId(talk.into())), false);
        }
        self.tell()
    }

    fn say(&mut self, name: &str, rest: &str) {
        let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
        self.w.say(self.tab, &format!(r#"["{name}",{{"qid":"7"{rest}}}]"#));
    }

    /// Says it, and gives the act that the telephone system is told; it agrees.
    #[track_caller]
    fn acts(&mut self, name: &str, rest: &str) -> Act {
        let act = self.ordered(name, rest);
        self.answer(Ok(()));
        assert_eq!(self.w.expect(self.tab, &format!("{name}result")).int("result"), 1);
        act
    }

    #[track_caller]
    fn ordered(&mut self, name: &str, rest: &str) -> Act {
        self.say(name, rest);
        let commands = std::mem::take(&mut self.w.pbx);
        let [Command::Phone { order, number, act }] = &commands[..] else {
            panic!("{commands:?}, {:?}", self.w.heard(self.tab))
        };
        assert_eq!(&**number, "101");
        self.order = order.0;
        assert_eq!(Self::names(&self.w.heard(self.tab)), Vec::<String>::new(), "answered before it was done");
        act.clone()
    }

    fn answer(&mut self, result: Result<(), Refusal>) {
        self.w.phone(Event::Done { order: OrderId(self.order), result });
    }

    #[track_caller]
    fn refused(&mut self, name: &str, rest: &str, code: i64, says: &str) {
        self.say(name, rest);
        assert_eq!(self.w.pbx, [], "{name} {rest}");
        self.w.expect(self.tab, &format!("{name}result")).failed(code, says);
    }

    fn line(&mut self) -> Heard {
        self.say("getextendedlineinfo", "");
        self.w.expect(self.tab, "getextendedlineinforesult")
    }
}

fn call() -> CallId {
    CallId(CHAIN.into())
}

fn outside(number: &'static str) -> End {
    End::Outside { number: number.into(), name: "ACME".into(), line: "07001".into() }
}

#[test]
fn a_ring_an_answer_and_an_end_are_told_in_the_order_clients_need() {
    let mut p = Phone::new();
    let ring = p.ring();
    assert_eq!(
        Phone::names(&ring),
        ["userstatechanged", "pbxnumberstatechanged", "linestatechanged", "phoneevent_ringstarted"]
    );
    assert_eq!(ring[0].int("userstateid"), 5);
    assert_eq!((ring[3].text("callerid"), ring[3].text("callername")), ("79001112233".into(), "ACME".into()));
    assert_eq!((ring[3].text("callerdirection"), ring[3].text("callerlinenum")), ("oktell_ext".into(), "07001".into()));
    let line = p.line();
    assert_eq!((line.text("linestatestr"), line.text("chainid")), ("lsRing".into(), CHAIN.into()));
    assert!(line.json("abonent").contains(r#""isringing":true"#), "{line:?}");
    assert_eq!(line.json("actions"), r#"["answer","decline"]"#);

    let talk = p.talk("t1", ["a", "u"]);
    assert_eq!(Phone::names(&talk), ["phoneevent_ringstopped", "linestatechanged", "phoneevent_commstarted"]);
    assert_eq!(talk[2].text("commutationid"), "t1");
    p.w.pass(Duration::from_secs(4));
    let line = p.line();
    assert_eq!((line.text("linestatestr"), line.int("timertalklensec")), ("lsCommutated".into(), 4));

    (p.get("a").state, p.get("u").state) = (LegState::Ended(EndCause::Hangup), LegState::Ended(EndCause::OtherGone));
    let end = p.tell();
    assert_eq!(
        Phone::names(&end),
        ["phoneevent_commstopped", "linestatechanged", "userstatechanged", "pbxnumberstatechanged"]
    );
    assert_eq!((end[0].text("callerid"), end[2].int("userstateid")), ("79001112233".into(), 1));
    assert_eq!(p.line().json("abonent"), "{}");
}

#[test]
fn a_fact_that_is_told_twice_or_late_is_not_told_on() {
    let mut p = Phone::new();
    p.ring();
    let ringing: Vec<Fact> = p.legs.iter().cloned().map(Fact::Leg).collect();
    p.talk("t1", ["a", "u"]);
    let talking: Vec<Fact> = p.legs.iter().cloned().map(Fact::Leg).collect();
    for facts in [ringing.clone(), talking.clone(), ringing, talking] {
        p.w.phone(Event::Facts(facts));
        assert_eq!(Phone::names(&p.w.heard(p.tab)), Vec::<String>::new());
    }
    assert_eq!(p.line().text("linestatestr"), "lsCommutated");
}

#[test]
fn dialling_rings_the_own_phone_or_the_other_first() {
    let mut p = Phone::new();
    let dial = |to: &'static str, sequence, intercom| Act::Dial { to: to.into(), sequence, intercom };
    assert_eq!(p.acts("pbxautocallstart", r#""number":"102""#), dial("102", Sequence::User, false));
    assert_eq!(
        p.acts("pbxautocallstart", r#""number":"+7 (900) 111-22-33","sequence":"abonent""#),
        dial("+79001112233", Sequence::Abonent, false)
    );
    assert_eq!(
        p.acts("pbxautocallstart", r#""number":"102","sequence":"user","intercom":true"#),
        dial("102", Sequence::User, true)
    );

    // The own phone first: back-ring, call, talk.
    let own = p.leg("u", End::Inside("101".into()), LegState::Ringing);
    (own.autocall, own.toward) = (Some(Sequence::User), "102".into());
    assert_eq!(
        Phone::names(&p.tell())[2..],
        ["phoneevent_acmcallstarted", "linestatechanged", "phoneevent_ringstarted"]
    );
    let line = p.line();
    assert!(line.json("abonent").contains(r#""direction":"acm_callback""#), "{line:?}");
    assert!(line.json("abonent").contains(r#""username":"petrov by name""#), "{line:?}");
    p.get("u").state = LegState::Waiting;
    assert_eq!(Phone::names(&p.tell()), ["phoneevent_ringstopped", "linestatechanged"]);
    assert_eq!(p.line().text("linestatestr"), "lsWaiting");
    p.leg("b", End::Inside("102".into()), LegState::Ringing).with = Some(LegId("u".into()));
    p.tell();
    assert_eq!(
        Phone::names(&p.talk("t1", ["u", "b"])),
        ["phoneevent_acmcallstopped", "linestatechanged", "phoneevent_commstarted"]
    );

    // The other first: the own phone is idle, then rings.
    let mut p = Phone::new();
    let own = p.leg("u", End::Inside("101".into()), LegState::Planned);
    (own.autocall, own.toward) = (Some(Sequence::Abonent), "102".into());
    assert_eq!(Phone::names(&p.tell())[2..], ["phoneevent_acmcallstarted", "linestatechanged"]);
    let line = p.line();
    assert!(line.json("abonent").contains(r#""isautocall":true"#), "{line:?}");
    assert_eq!((line.text("linestatestr"), line.json("actions")), ("lsReady".into(), r#"["stopdialling"]"#.into()));
    assert_eq!(p.acts("pbxautocallabort", ""), Act::StopDialling);
    p.get("u").state = LegState::Ringing;
    assert_eq!(Phone::names(&p.tell()), ["phoneevent_acmcallstopped", "linestatechanged", "phoneevent_ringstarted"]);
    p.leg("b", End::Inside("102".into()), LegState::Up);
    assert_eq!(
        Phone::names(&p.talk("t1", ["u", "b"])),
        ["phoneevent_ringstopped", "linestatechanged", "phoneevent_commstarted"]
    );
}

#[test]
fn each_act_needs_its_state_and_says_which() {
    let mut p = Phone::new();
    for name in ["pbxanswercall", "pbxdeclinecall", "pbxabortcall", "pbxautocallabort", "pbxmakeflash"] {
        p.refused(name, "", 59006, "idle");
    }
    p.refused("pbxmaketransfer", r#""transferto":"102""#, 59006, "idle");
    p.refused("buildconferencefromcommutation", "", 59006, "only a talk");
    p.ring();
    p.refused("pbxautocallstart", r#""number":"102""#, 59006, "the phone rings");
    p.refused("pbxmakeflash", "", 59006, "the phone rings");
    assert_eq!(p.acts("pbxanswercall", ""), Act::Answer);
    assert_eq!(p.acts("pbxdeclinecall", ""), Act::Decline);
    p.talk("t1", ["a", "u"]);
    p.refused("pbxanswercall", "", 59006, "does not ring");
    p.refused("pbxdeclinecall", "", 59006, "pbxabortcall");
    p.refused("pbxmakeflash", r#""mode":"abort""#, 59006, "held party");
    assert_eq!(p.acts("pbxabortcall", ""), Act::Hangup);
    assert_eq!(p.acts("pbxmakeflash", r#""mode":"switch""#), Act::Switch);
    assert_eq!(p.acts("pbxmaketransfer", r#""transferto":"102""#), Act::Transfer { to: "102".into() });
    assert_eq!(p.acts("pbxtransfercall", r#""number":"102""#), Act::Transfer { to: "102".into() });
    let dial = Act::Dial { to: "102".into(), sequence: Sequence::User, intercom: false };
    assert_eq!(p.acts("pbxautocallstart", r#""number":"102""#), dial, "a consultation");
}

#[test]
fn a_number_that_is_none_is_refused_with_what_was_found() {
    let mut p = Phone::new();
    for wrong in ["", "abc", "10x", "１０２", "+", "102;103", "1\\n2", &"1".repeat(65)] {
        p.refused("pbxautocallstart", &format!(r#""number":"{wrong}""#), 59002, "expected 1 to 64 digits");
    }
    p.refused("pbxautocallstart", "", 59002, "number");
    p.refused("pbxautocallstart", r#""number":"102","sequence":"both""#, 59002, "sequence");
    p.refused("pbxautocallstart", r#""number":"101""#, 59007, "the user's own");
    p.refused("getconferenceinfo", r#""conferenceid":false"#, 59008, "false");
}

#[test]
fn the_telephone_system_has_the_last_word() {
    for (refusal, code) in [
        (Refusal::NoSuchNumber, 59007),
        (Refusal::Busy, 59007),
        (Refusal::NoPhone, 59005),
        (Refusal::WrongState, 59006),
        (Refusal::Full, 59007),
        (Refusal::Unable, 59006),
        (Refusal::Down, 59005),
    ] {
        let mut p = Phone::new();
        p.ordered("pbxautocallstart", r#""number":"999""#);
        p.answer(Err(refusal));
        p.w.expect(p.tab, "pbxautocallstartresult").failed(code, "");
    }
    // It says nothing: the caller hears so, once.
    let mut p = Phone::new();
    p.ordered("pbxautocallstart", r#""number":"102""#);
    p.w.pass(Duration::from_secs(10));
    p.w.expect(p.tab, "pbxautocallstartresult").failed(59011, "telephone system");
    p.answer(Ok(()));
    assert_eq!(Phone::names(&p.w.heard(p.tab)), Vec::<String>::new());
    assert_eq!(p.w.hub.sizes().orders, 0);
}

#[test]
fn orders_that_wait_are_bounded_and_forgotten_with_their_tab() {
    let mut p = Phone::new();
    for _ in 0..256 {
        p.say("pbxautocallstart", r#""number":"102""#);
    }
    p.w.pbx.clear();
    p.refused("pbxautocallstart", r#""number":"102""#, 59012, "wait for an answer");
    p.w.cut(p.tab);
    p.w.pass(Duration::from_secs(11));
    assert_eq!(p.w.hub.sizes().orders, 0);
}

#[test]
fn without_a_phone_nothing_is_dialled() {
    let mut p = Phone::new();
    p.w.phone(Event::Phone { number: "101".into(), connected: false });
    p.w.heard(p.tab);
    p.refused("pbxautocallstart", r#""number":"102""#, 59005, "101");
    let line = p.line();
    assert_eq!((line.text("linestatestr"), line.json("actions")), ("lsDisconnected".into(), "[]".into()));
}

#[test]
fn what_a_person_may_not_do_is_not_offered() {
    for (right, left) in [
        (Right::Ghost, r#"["call","intercom","conference"]"#),
        (Right::Conference, r#"["call","intercom","ghost"]"#),
        (Right::Call, r#"["conference","ghost"]"#),
    ] {
        let mut s = settings();
        s.accounts[0].rights = Rights::role("supervisor").expect("a role").without(right);
        let mut p = Phone::of(World::with(s));
        assert_eq!(p.line().json("actions"), left);
    }
}

#[test]
fn hold_consultation_and_swap_are_told_with_their_flash_types() {
    let mut p = Phone::new();
    p.ring();
    p.talk("t1", ["a", "u"]);
    p.get("u").held = true;
    let held = p.tell();
    assert_eq!(Phone::names(&held), ["flashstatechanged", "phoneevent_commstopped", "linestatechanged"]);
    assert_eq!(held[0].int("flashtypeid"), 1);
    let line = p.line();
    assert_eq!((line.json("isflashing"), line.json("abonent")), ("true".into(), "{}".into()));
    assert!(line.json("flashed").contains(r#""number":"79001112233""#), "{line:?}");

    // A consultation: a second leg of the same phone.
    p.leg("u2", End::Inside("101".into()), LegState::Waiting).toward = "102".into();
    let dialled = p.tell();
    assert_eq!(Phone::names(&dialled), ["linestatechanged"]);
    assert_eq!(p.acts("pbxabortcall", ""), Act::Return, "giving up the consultation");
    p.leg("b", End::Inside("102".into()), LegState::Ringing);
    let talk = p.talk("t2", ["u2", "b"]);
    assert_eq!(Phone::names(&talk), ["linestatechanged", "phoneevent_commstarted"]);
    let line = p.line();
    assert_eq!(line.json("actions"), r#"["toggle","join","return","drophold","transfer","conference"]"#);
    assert_eq!(p.acts("pbxabortcall", ""), Act::Join);
    assert_eq!(p.acts("pbxmaketransfer", r#""transferto":"79001112233""#), Act::Join, "to the held party");
    assert_eq!(p.acts("pbxmaketransfer", r#""transferto":"103""#), Act::Transfer { to: "103".into() });
    assert_eq!(p.acts("pbxmakeflash", r#""mode":"abort""#), Act::Return);
    assert_eq!(p.acts("pbxmakeflash", r#""mode":"next""#), Act::DropHeld);
    p.refused("pbxautocallstart", r#""number":"103""#, 59006, "on hold already");
    p.say("getflashedabonentinfo", "");
    let held = p.w.expect(p.tab, "getflashedabonentinforesult");
    assert_eq!(held.json("containsflashed"), "true");

    // Swap, and back.
    p.get("u2").held = true;
    let swapped = p.talk("t3", ["a", "u"]);
    assert_eq!(
        Phone::names(&swapped),
        ["flashstatechanged", "phoneevent_commstopped", "linestatechanged", "phoneevent_commstarted"]
    );
    assert_eq!(swapped[0].int("flashtypeid"), 7);
    p.get("b").state = LegState::Ended(EndCause::Hangup);
    p.get("u2").state = LegState::Ended(EndCause::OtherGone);
    let lost = p.tell();
    assert_eq!((lost[0].name(), lost[0].int("flashtypeid")), ("flashstatechanged", 4));
}

#[test]
fn who_is_put_on_hold_is_told_and_keeps_the_talk() {
    let mut p = Phone::new();
    p.leg("u", End::Inside("101".into()), LegState::Up);
    p.leg("b", End::Inside("102".into()), LegState::Up);
    p.talk("t1", ["u", "b"]);
    p.get("b").held = true;
    let held = p.tell();
    assert_eq!(Phone::names(&held), ["flashstatechanged", "phoneevent_commstopped", "linestatechanged"]);
    assert_eq!(held[0].int("flashtypeid"), 11);
    let line = p.line();
    assert!(line.json("abonent").contains(r#""iswaitinginflash":true"#), "{line:?}");
    assert_eq!(line.text("linestatestr"), "lsFlash");
    let back = p.talk("t2", ["u", "b"]);
    assert_eq!(Phone::names(&back), ["linestatechanged", "phoneevent_commstarted"]);
    p.get("b").held = true;
    p.tell();
    (p.get("b").state, p.get("u").state) = (LegState::Ended(EndCause::Hangup), LegState::Ended(EndCause::OtherGone));
    let dropped = p.tell();
    assert_eq!((dropped[0].name(), dropped[0].int("flashtypeid")), ("flashstatechanged", 13));
}

#[test]
fn a_conference_is_told_by_its_composition_first_and_to_those_alone_who_asked() {
    const ID: &str = "7a0d7c11-0000-4000-8000-000000000001";
    let mut p = Phone::new();
    p.leg("u", End::Inside("101".into()), LegState::Up);
    p.leg("b", End::Inside("102".into()), LegState::Up);
    p.talk("t1", ["u", "b"]);
    let Act::Widen { .. } = p.acts("buildconferencefromcommutation", "") else { panic!("no conference") };
    let fact = ConferenceFact { id: ConferenceId(ID.into()), call: call(), seq: 1, room: 42, ..Default::default() };
    p.w.phone(Event::Facts(vec![Fact::Conference(fact.clone())]));
    for id in ["u", "b"] {
        p.get(id).place = Place::Conference(ConferenceId(ID.into()));
    }
    p.get("u").role.creator = true;
    let made = p.tell();
    assert_eq!(Phone::names(&made), ["phoneevent_commstopped", "linestatechanged", "phoneevent_commstarted"]);
    assert_eq!((made[2].json("isconference"), made[2].text("confid")), ("true".into(), ID.into()));
    let line = p.line();
    assert!(line.json("abonent").contains(&format!(r#""conferenceid":"{ID}""#)), "{line:?}");
    p.say("getconferenceinfo", &format!(r#""conferenceid":"{ID}""#));
    let info = p.w.expect(p.tab, "getconferenceinforesult");
    assert!(info.json("conference").contains(r#""isghost":false"#), "{info:?}");
    assert_eq!(info.json("competitors").matches("InConference").count(), 2, "{info:?}");

    // Nobody asked to be told: nothing comes. Then somebody does.
    p.leg("c", End::Inside("103".into()), LegState::Ringing).place = Place::Conference(ConferenceId(ID.into()));
    assert_eq!(Phone::names(&p.tell()), Vec::<String>::new());
    p.say("confhandleevent", &format!(r#""conferenceid":"{ID}","eventtype":"competitors","handle":true"#));
    assert_eq!(p.w.expect(p.tab, "confhandleeventresult").int("result"), 1);
    p.get("c").state = LegState::Up;
    assert_eq!(Phone::names(&p.tell()), ["confcompetitorstatechanged"]);
    p.get("c").state = LegState::Ended(EndCause::Hangup);
    let left = p.tell();
    assert_eq!(Phone::names(&left), ["confcompositionchanged", "confcompetitorstatechanged"]);
    assert!(left[1].json("eventinfo").contains("Exited"), "{left:?}");

    assert_eq!(
        p.acts("confdisconnectcompetitor", &format!(r#""conferenceid":"{ID}","competitor":{{"competitorid":"b"}}"#)),
        Act::Kick { id: ConferenceId(ID.into()), leg: LegId("b".into()) }
    );
    p.refused(
        "confdisconnectcompetitor",
        &format!(r#""conferenceid":"{ID}","competitor":{{"competitorid":"x"}}"#),
        59014,
        "competitorid",
    );
    assert_eq!(
        p.acts("invitetoconference", &format!(r#""conferenceid":"{ID}","competitors":[{{"number":"79001112233"}}]"#)),
        Act::Invite { id: ConferenceId(ID.into()), members: vec!["79001112233".into()] }
    );
    p.refused("invitetoconference", &format!(r#""conferenceid":"{ID}","competitors":[]"#), 59002, "nobody");
    p.refused(
        "invitetoconference",
        &format!(r#""conferenceid":"{ID}","competitors":[{{"userid":"nobody"}}]"#),
        59014,
        "competitors[0].userid",
    );
    assert_eq!(
        p.acts("exitconference", &format!(r#""conferenceid":"{ID}""#)),
        Act::Leave { id: ConferenceId(ID.into()) }
    );
    // Known clients throw without a list.
    p.say("getconferencecompetitors", r#""conferenceid":"nothing""#);
    let none = p.w.expect(p.tab, "getconferencecompetitorsresult");
    none.failed(59008, "nothing");
    assert_eq!(none.json("competitorlist"), "[]");
    // Who is not in it sees nothing of it.
    let other = p.w.agent("petrov", Format::Json);
    p.get("b").state = LegState::Ended(EndCause::Kicked);
    p.tell();
    p.w.say(other, &format!(r#"["getconferenceinfo",{{"qid":1,"conferenceid":"{ID}"}}]"#));
    assert_eq!(p.w.expect(other, "getconferenceinforesult").int("result"), 1, "who was in it may still look");
    p.w.phone(Event::Facts(vec![Fact::Conference(ConferenceFact { over: true, seq: 2, ..fact })]));
    p.w.say(other, &format!(r#"["getconferenceinfo",{{"qid":2,"conferenceid":"{ID}"}}]"#));
    p.w.expect(other, "getconferenceinforesult").failed(59008, ID);
}
