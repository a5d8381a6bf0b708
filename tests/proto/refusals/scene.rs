//! How things stand when a call is said: ivanov's phone in every state, and what he has or lacks besides. Nobody else acts.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::input::{Ask, Uploaded};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::settings::{Account, FormKind, Procedure, Settings};
use ctigate_proto::message::{Format, Object, Text};
use ctigate_proto::telephony::{
    CallFact, CallId, ConferenceFact, ConferenceId, End, EndCause, Event, Fact, FormOrder, Ghost, GhostMode, LegFact,
    LegId, LegState, Parties, Place, Role, Sequence, TalkId,
};

use crate::world::{P, World, rule, settings};

pub(super) const CHAIN: &str = "c0ffee00-0000-4000-8000-000000000001";
pub(super) const CONFERENCE: &str = "7a0d7c11-0000-4000-8000-000000000001";
pub(super) const IVANOV: &str = crate::world::IVANOV;
pub(super) const PETROV: &str = "3f0a7c11-0000-4000-8000-000000000102";
pub(super) const SIDOROVA: &str = "3f0a7c11-0000-4000-8000-000000000103";
/// Somebody without a phone.
pub(super) const ROBOT: &str = "3f0a7c11-0000-4000-8000-000000000104";

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    // ---- the line of ivanov
    Idle,
    /// A call from outside rings.
    Ring,
    /// The phone rings for a call of his own.
    BackRing,
    /// The other is dialled first.
    Planned,
    /// He waits for petrov to answer.
    Waiting,
    Queued,
    Menu,
    /// With somebody outside.
    Talk,
    /// petrov has put him on hold.
    OnHold,
    /// He has put the only talk on hold.
    Held,
    /// A talk, and another on hold.
    Consult,
    /// Petrov is dialled, and a talk is on hold.
    Consulting,
    /// A conference of his own with petrov and somebody outside.
    Confer,
    /// A conference of petrov's.
    Member,
    /// A conference, and somebody on hold.
    ConferHeld,
    /// The handset is up and nobody is there.
    Alone,
    /// He listens in to petrov.
    Spy,

    // ---- other phones
    /// His own cannot be reached.
    Unreachable,
    /// He has none.
    NoNumber,
    PetrovTalks,
    SidorovaTalks,
    /// Petrov and somebody outside are in a conference without him.
    OthersConfer,
    /// A conference of his own that is over.
    PastConference,

    // ---- what he has
    PastCall,
    /// A call of his that the ledger alone knows.
    LongPastCall,
    /// One of sidorova's.
    OthersPastCall,
    /// A chat with petrov, and a text in it.
    Chat,
    /// A chat of petrov's in which he is.
    PetrovsChat,
    /// A chat of others.
    OthersChat,
    Card,
    ConfirmCard,
    ReserveCard,
    /// A card that another tab of his has answered.
    AnsweredCard,
    PetrovsCard,
    Uploaded,
    OneRule,
    AllRules,
    /// Five times he gave a wrong old password.
    Guessed,

    // ---- the CRM
    /// It speaks, for itself.
    CrmItself,
    Crm,
    /// His tab was asked to carry out a method.
    Serving,
    /// Two were, and the other was first.
    Served,
    /// Another's tab was.
    OthersServe,
    /// He waits for the CRM.
    Asking,

    // ---- what is outside says nothing
    DumbStore,
    DumbExchange,
}

/// All states of a line.
pub(super) const LINES: [Scene; 17] = [
    Scene::Idle,
    Scene::Ring,
    Scene::BackRing,
    Scene::Planned,
    Scene::Waiting,
    Scene::Queued,
    Scene::Menu,
    Scene::Talk,
    Scene::OnHold,
    Scene::Held,
    Scene::Consult,
    Scene::Consulting,
    Scene::Confer,
    Scene::Member,
    Scene::ConferHeld,
    Scene::Alone,
    Scene::Spy,
];

/// A world with ivanov in it, who may do everything.
pub(super) struct Office {
    pub(super) w: World,
    pub(super) tab: P,
    /// What the fields of a row name by `$`.
    given: Vec<(&'static str, String)>,
}

/// The people: ivanov looks after petrov; robot has no phone.
pub(super) fn people() -> Settings {
    let mut s = settings();
    s.accounts[0].rights = Rights::role("admin").expect("a role");
    s.accounts[0].role = "admin".into();
    s.accounts[0].subordinates = vec!["petrov".into()];
    s.accounts.push(Account {
        id: ROBOT.into(),
        login: "robot".into(),
        name: "robot".into(),
        role: "integrator".into(),
        rights: Rights::role("integrator").expect("a role"),
        ..Account::default()
    });
    let procedure = |name: &'static str, roles: &[&'static str]| Procedure {
        name: name.into(),
        roles: roles.iter().map(|r| Text::from_static(r)).collect(),
        parameters: vec!["since".into()],
    };
    s.links[0].rights = Rights::role("admin").expect("a role");
    s.procedures = vec![procedure("everything", &[]), procedure("of_agents", &["agent"])];
    for (name, kind) in [("sure", FormKind::Confirm), ("hold", FormKind::Reserve)] {
        let mut form = rule(name);
        form.kind = kind;
        s.forms.push(form);
    }
    s
}

impl Scene {
    pub(super) fn office(self, format: Format) -> Office {
        self.office_of(people(), format)
    }

    pub(super) fn office_of(self, mut settings: Settings, format: Format) -> Office {
        if self == Self::NoNumber {
            settings.accounts[0].number = Text::new();
        }
        let mut w = World::with(settings);
        let tab = w.agent("ivanov", format);
        let mut office = Office { w, tab, given: Vec::new() };
        let facts = self.facts(office.w.settings.wall_ms);
        if !facts.is_empty() {
            office.w.phone(Event::Facts(facts));
        }
        self.prepare(&mut office, format);
        office.w.heard(office.tab);
        office.w.pbx.clear();
        office
    }

    /// What the telephone system has told.
    fn facts(self, at_ms: i64) -> Vec<Fact> {
        let talk = |id: &'static str| Place::Talk(TalkId(id.into()));
        let conference = || Place::Conference(ConferenceId(CONFERENCE.into()));
        let (ringing, waiting, up) = (LegState::Ringing, LegState::Waiting, LegState::Up);
        let caller = |place| leg("a", outside(), up, place);
        let own = |state, place| leg("u", inside("101"), state, place);
        let second = |state, place| leg("u2", inside("101"), state, place);
        let petrov = |state, place| leg("b", inside("102"), state, place);
        let legs = match self {
            Self::Ring => vec![leg("a", outside(), waiting, Place::None), with(own(ringing, Place::None), "a", "500")],
            Self::BackRing => {
                vec![LegFact { autocall: Some(Sequence::User), toward: "102".into(), ..own(ringing, Place::None) }]
            }
            Self::Planned => {
                let planned = own(LegState::Planned, Place::None);
                vec![LegFact { autocall: Some(Sequence::Abonent), toward: "102".into(), ..planned }]
            }
            Self::Waiting => {
                let own = LegFact { toward: "102".into(), ..own(waiting, Place::None) };
                vec![own, with(petrov(ringing, Place::None), "u", "102")]
            }
            Self::Queued => vec![own(up, Place::Queue("500".into()))],
            Self::Menu => vec![own(up, Place::Menu { name: "Main".into(), routing: true })],
            Self::Talk => vec![caller(talk("t1")), own(up, talk("t1"))],
            Self::OnHold => vec![own(up, talk("t1")), held(petrov(up, talk("t1")))],
            Self::Held => vec![caller(talk("t1")), held(own(up, talk("t1")))],
            Self::Consult => {
                vec![caller(talk("t1")), held(own(up, talk("t1"))), second(up, talk("t2")), petrov(up, talk("t2"))]
            }
            Self::Consulting => vec![
                caller(talk("t1")),
                held(own(up, talk("t1"))),
                LegFact { toward: "102".into(), ..second(waiting, Place::None) },
                with(petrov(ringing, Place::None), "u2", "102"),
            ],
            Self::Confer | Self::PastConference => {
                vec![creator(own(up, conference())), petrov(up, conference()), caller(conference())]
            }
            Self::Member => vec![own(up, conference()), creator(petrov(up, conference()))],
            Self::ConferHeld => vec![
                caller(talk("t1")),
                held(own(up, talk("t1"))),
                creator(second(up, conference())),
                petrov(up, conference()),
            ],
            Self::Alone => vec![own(up, Place::None)],
            Self::Spy => {
                let role = Role { ghost: true, creator: false };
                vec![
                    caller(talk("t1")),
                    petrov(up, talk("t1")),
                    LegFact { role, ..leg("u", inside("101"), up, conference()) },
                ]
            }
            Self::PetrovTalks => vec![caller(talk("t1")), petrov(up, talk("t1"))],
            Self::SidorovaTalks => vec![caller(talk("t1")), leg("s", inside("103"), up, talk("t1"))],
            Self::OthersConfer => vec![creator(leg("s", inside("103"), up, conference())), caller(conference())],
            Self::PastCall | Self::LongPastCall | Self::OthersPastCall => {
                let number = if self == Self::OthersPastCall { "103" } else { "101" };
                let ended = LegState::Ended(EndCause::Hangup);
                let before = [caller(talk("t1")), leg("u", inside(number), up, talk("t1"))];
                let after = before.clone().map(|leg| LegFact { seq: 2, state: ended, ..leg });
                before.into_iter().chain(after).collect()
            }
            _ => return Vec::new(),
        };
        let parties = Parties { caller: "79001112233".into(), caller_name: "ACME".into(), called: "500".into() };
        let mut facts = vec![Fact::Call(CallFact { call: call(), at_ms, parties })];
        if legs.iter().any(|leg| leg.place == conference()) {
            let ghost = (self == Self::Spy).then(|| Ghost { mode: GhostMode::Monitor, target: LegId("b".into()) });
            let id = ConferenceId(CONFERENCE.into());
            let about = ConferenceFact { id, call: call(), seq: 1, at_ms, room: 42, ghost, ..Default::default() };
            facts.push(Fact::Conference(about.clone()));
            if self == Self::PastConference {
                facts.push(Fact::Conference(ConferenceFact { over: true, seq: 2, ..about }));
            }
        }
        facts.extend(legs.into_iter().map(|leg| Fact::Leg(LegFact { at_ms, ..leg })));
        match self {
            Self::PastCall | Self::LongPastCall | Self::OthersPastCall => {
                facts.push(Fact::Over { call: call(), at_ms })
            }
            Self::PastConference => {
                let gone: Vec<_> = facts
                    .iter()
                    .filter_map(|fact| match fact {
                        Fact::Leg(leg) => {
                            let state = LegState::Ended(EndCause::Hangup);
                            Some(Fact::Leg(LegFact { seq: 2, state, ..leg.clone() }))
                        }
                        _ => None,
                    })
                    .collect();
                facts.extend(gone);
            }
            _ => {}
        }
        facts
    }

    /// Everything else.
    fn prepare(self, o: &mut Office, format: Format) {
        let tab = o.tab;
        match self {
            Self::LongPastCall | Self::OthersPastCall => {
                o.w.pass_alive(Duration::from_secs(3600));
                assert_eq!(o.w.hub.sizes().calls, 0);
            }
            Self::Unreachable => o.w.phone(Event::Phone { number: "101".into(), connected: false }),
            Self::Chat | Self::PetrovsChat | Self::OthersChat => {
                let petrov = o.w.agent("petrov", format);
                let (from, to) = match self {
                    Self::Chat => (tab, PETROV),
                    Self::PetrovsChat => (petrov, IVANOV),
                    _ => (petrov, SIDOROVA),
                };
                o.w.say(from, &format!(r#"["chatcreate",{{"qid":1,"members":["{to}"]}}]"#));
                let chat = o.w.expect(from, "chatcreateresult").text("chatid");
                o.w.say(from, &format!(r#"["chatsend",{{"qid":1,"chatid":"{chat}","text":"hello"}}]"#));
                let message = o.w.expect(from, "chatsendresult").text("messageid");
                o.given.extend([("$chat", chat), ("$message", message)]);
            }
            Self::Card => o.open("clientcard", "ivanov"),
            Self::ConfirmCard => o.open("sure", "ivanov"),
            Self::ReserveCard => o.open("hold", "ivanov"),
            Self::PetrovsCard => o.open("clientcard", "petrov"),
            Self::AnsweredCard => {
                let other = o.w.agent("ivanov", format);
                o.open("clientcard", "ivanov");
                let answer = o.filled(r#"["dlgcard_values",{"qid":1,"cardid":"$card","values":{}}]"#);
                o.w.say(other, &answer);
                assert_eq!(o.w.expect(other, "dlgcard_valuesresult").int("result"), 1);
            }
            Self::Uploaded => {
                o.w.say(tab, r#"["gettemphttppass",{"qid":1}]"#);
                let password = Text::from(o.w.expect(tab, "gettemphttppassresult").text("password"));
                o.w.ask(Ask::Upload { password: password.clone() });
                let paths = Some(("/storage/a.png".into(), "/storage/a.png".into()));
                let (response, content) = ("200 OK".into(), Text::new());
                o.w.ask(Ask::Uploaded(Uploaded { password, response, content, paths }));
            }
            Self::OneRule => o.rules(1),
            Self::AllRules => o.rules(64),
            Self::Guessed => {
                for _ in 0..5 {
                    let hash = "0".repeat(32);
                    o.w.say(
                        tab,
                        &format!(r#"["changepassword",{{"qid":1,"oldpwdmd5":"{hash}","newpwdmd5":"{hash}"}}]"#),
                    );
                }
            }
            Self::CrmItself => o.tab = o.w.introduced("crm", format),
            Self::Crm => drop(o.w.introduced("crm", format)),
            Self::Asking => {
                o.w.introduced("crm", format);
                o.execute(tab, "Anything");
            }
            Self::Serving | Self::Served | Self::OthersServe => {
                o.w.introduced("crm", format);
                let asks = if self == Self::OthersServe { o.w.agent("petrov", format) } else { o.w.tab(format) };
                if self != Self::OthersServe {
                    let hash = crate::world::HASH;
                    o.w.say(asks, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{hash}"}}]"#));
                }
                if self == Self::Served {
                    let other = o.w.agent("ivanov", format);
                    o.execute(asks, "ShowHint");
                    let result = o.filled(r#"["methodresult",{"qid":1,"executionid":"$execution","result":1}]"#);
                    o.w.say(other, &result);
                    assert_eq!(o.w.expect(other, "methodresultresult").int("result"), 1);
                } else {
                    o.execute(asks, "ShowHint");
                }
            }
            Self::DumbStore => {
                Self::Chat.prepare(o, format);
                Self::Uploaded.prepare(o, format);
                o.w.dumb = true;
            }
            _ => {}
        }
    }
}

impl Office {
    /// A row's text with what the scene made in it.
    pub(super) fn filled(&self, text: &str) -> String {
        self.given.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn open(&mut self, name: &'static str, user: &'static str) {
        let order =
            FormOrder { name: name.into(), user: user.into(), call: None, parameters: Object::new(), expire: None };
        let ticket = self.w.ask(Ask::OpenForm(order));
        match self.w.answer(ticket) {
            Some(Answer::FormOpened { id }) => self.given.push(("$card", id.to_string())),
            other => panic!("{other:?}"),
        }
    }

    fn rules(&mut self, count: usize) {
        for n in 0..count {
            let rule = format!(r#"{{"id":"rule-{n}","destinationnumber":"102"}}"#);
            self.w.say(self.tab, &format!(r#"["saveredirectrules",{{"qid":1,"redirectrule":{rule}}}]"#));
            assert_eq!(self.w.expect(self.tab, "saveredirectrulesresult").int("result"), 1);
        }
    }

    /// A tab asks for a method; the scene's rows know it by its id.
    fn execute(&mut self, tab: P, method: &str) {
        self.w.say(tab, &format!(r#"["executemethod",{{"qid":1,"name":"{method}","waitresponsems":60000}}]"#));
        let id = self.w.hub.snapshot().executions.first().expect("it goes on").id.to_string();
        self.given.push(("$execution", id));
    }
}

pub(super) fn call() -> CallId {
    CallId(CHAIN.into())
}

fn inside(number: &'static str) -> End {
    End::Inside(number.into())
}

fn outside() -> End {
    End::Outside { number: "79001112233".into(), name: "ACME".into(), line: "07001".into() }
}

fn leg(id: &'static str, end: End, state: LegState, place: Place) -> LegFact {
    LegFact {
        call: call(),
        leg: LegId(id.into()),
        seq: 1,
        at_ms: 0,
        end,
        origin: id == "a",
        state,
        place,
        with: None,
        toward: Text::new(),
        held: false,
        autocall: None,
        role: Role::default(),
    }
}

fn held(leg: LegFact) -> LegFact {
    LegFact { held: true, ..leg }
}

fn creator(leg: LegFact) -> LegFact {
    LegFact { role: Role { creator: true, ghost: false }, ..leg }
}

fn with(leg: LegFact, other: &'static str, toward: &'static str) -> LegFact {
    LegFact { with: Some(LegId(other.into())), toward: toward.into(), ..leg }
}
