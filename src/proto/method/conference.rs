//! Conferences, and listening in.

use crate::message::Text;

use super::call::Abonent;
use super::define::{Right, call, choice, event, messages, records, reply};

messages! {
    /// Makes a conference and invites the first members.
    CreateNewConference: call("createnewconference").by_both().replied("createnewconferenceresult").right(Right::Conference) => {
        /// The conference, with the id the client chose.
        conference: Conference,
        /// Who takes part; the caller is the first.
        competitors: Vec<Invitee>,
    }

    /// The conference is made.
    CreateNewConferenceResult: reply("createnewconferenceresult").to_both() => {}

    /// Makes the present talk a conference. `phoneevent_commstarted` with `confid` follows within two seconds.
    BuildConference: call("buildconferencefromcommutation").by_both().replied("buildconferencefromcommutationresult").right(Right::Conference) => {}

    /// The conference is being made.
    BuildConferenceResult: reply("buildconferencefromcommutationresult").to_both() => {}

    /// Invites more members.
    InviteToConference: call("invitetoconference").by_both().replied("invitetoconferenceresult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
        /// Whom.
        competitors: Vec<Invitee>,
    }

    /// They are being called.
    InviteToConferenceResult: reply("invitetoconferenceresult").to_both() => {}

    /// Asks whether the held party can be taken into the present conference.
    CheckCanConnect: call("checkcanconnecttogathertoconference").by_both().replied("checkcanconnecttogathertoconferenceresult").right(Right::Conference) => {}

    /// Whether the held party can be taken in.
    CheckCanConnectResult: reply("checkcanconnecttogathertoconferenceresult").to_both() => {
        /// Whether it can.
        canconnecttogather: bool,
    }

    /// Takes the held party into the present conference.
    ConnectTogether: call("connecttogathertoconference").by_both().replied("connecttogathertoconferenceresult").right(Right::Conference) => {}

    /// The held party is in.
    ConnectTogetherResult: reply("connecttogathertoconferenceresult").to_both() => {}

    /// Asks for a conference and its members.
    GetConferenceInfo: call("getconferenceinfo").by_both().replied("getconferenceinforesult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
    }

    /// The conference and its members.
    GetConferenceInfoResult: reply("getconferenceinforesult").to_both() => {
        /// The conference.
        conference: Conference,
        /// Its members.
        competitors: Vec<Abonent>,
    }

    /// Asks for the members of a conference.
    GetConferenceCompetitors: call("getconferencecompetitors").by_both().replied("getconferencecompetitorsresult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
    }

    /// The members.
    GetConferenceCompetitorsResult: reply("getconferencecompetitorsresult").to_both() => {
        /// Every member. Known clients throw without it.
        competitorlist: Vec<Abonent>,
    }

    /// Throws a member out.
    ConfDisconnectCompetitor: call("confdisconnectcompetitor").by_both().replied("confdisconnectcompetitorresult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
        /// Which member.
        competitor: Competitor,
    }

    /// The member is out.
    ConfDisconnectCompetitorResult: reply("confdisconnectcompetitorresult").to_both() => {}

    /// Leaves a conference.
    ExitConference: call("exitconference").by_both().replied("exitconferenceresult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
    }

    /// Left.
    ExitConferenceResult: reply("exitconferenceresult").to_both() => {}

    /// Switches the events of one conference on or off for this connection.
    ConfHandleEvent: call("confhandleevent").by_both().replied("confhandleeventresult").right(Right::Conference) => {
        /// Which conference.
        conferenceid: Text,
        /// Which events: `competitors` is the only known kind.
        eventtype: Text,
        /// On or off.
        handle: bool,
    }

    /// Switched.
    ConfHandleEventResult: reply("confhandleeventresult").to_both() => {}

    /// Begins to listen in to a subordinate, unheard.
    AttachAsGhost: call("attachasghost").by_both().replied("attachasghostresult").right(Right::Ghost) => {
        /// Whom: the user's id.
        ghostedid: Text,
    }

    /// Listens in.
    AttachAsGhostResult: reply("attachasghostresult").to_both() => {}

    /// Changes how the listener takes part.
    ConfSetGhostMode: call("confsetghostmode").by_both().replied("confsetghostmoderesult").right(Right::Ghost) => {
        /// Which conference.
        conferenceid: Text,
        /// How.
        ghostmode: GhostMode,
    }

    /// Changed.
    ConfSetGhostModeResult: reply("confsetghostmoderesult").to_both() => {}

    /// Changes whom the listener speaks to.
    ConfSetVoiceParams: call("confsetvoiceparams").by_both().replied("confsetvoiceparamsresult").right(Right::Ghost) => {
        /// Which conference.
        conferenceid: Text,
        /// Which member, and whether the listener speaks to them.
        competitor: GhostCompetitor,
    }

    /// Changed.
    ConfSetVoiceParamsResult: reply("confsetvoiceparamsresult").to_both() => {}

    /// Members have come or gone. Sent before `confcompetitorstatechanged` where both are due.
    ConfCompositionChanged: event("confcompositionchanged").to_both().subscribed() => {
        /// What happened.
        eventinfo: Composition,
    }

    /// A member has changed their state.
    ConfCompetitorStateChanged: event("confcompetitorstatechanged").to_both().subscribed() => {
        /// What happened.
        eventinfo: CompetitorChange,
    }
}

choice! {
    /// How a listener takes part.
    GhostMode {
        /// Hears, unheard by all.
        Monitor = "monitor",
        /// Is heard by all.
        Conference = "conference",
        /// Is heard by the subordinate alone.
        Help = "help",
    }
}

records! {
    /// A conference.
    Conference = "conference" {
        /// Its id, a GUID.
        id: Text,
        /// Its room, 0 to 10000.
        room: Option<i64>,
        /// Its name.
        name: Option<Text>,
        /// What it is about.
        description: Option<Text>,
        /// Who may come in: `free`.
        accessmode: Option<Text>,
        /// Whether one speaks and the others listen.
        isselector: Option<bool>,
        /// Whether it is recorded.
        record: Option<bool>,
        /// Who may fetch the recording: `selected`.
        recordrights: Option<Text>,
        /// Whether every member may invite.
        everyonecaninvite: Option<bool>,
        /// Whether the members see each other.
        canvieweachother: Option<bool>,
        /// Whether the user listens in here: then known clients show those who are listened to, and the user.
        isghost: Option<bool>,
        /// How the user listens in: `monitor`, `help` or `conference` (ctigate).
        ghostmode: Option<Text>,
    }

    /// Somebody to be invited; one member says who.
    Invitee = "invitee" {
        /// By login.
        userlogin: Option<Text>,
        /// By id.
        userid: Option<Text>,
        /// By number.
        number | "intnumber": Option<Text>,
    }

    /// A member of a conference, by id.
    Competitor = "competitor" {
        /// The member's id.
        competitorid: Text,
    }

    /// A member of a conference, and whether the listener speaks to them.
    GhostCompetitor = "ghostcompetitor" {
        /// The member's id.
        competitorid: Text,
        /// Whether the listener is heard by this member.
        ghosthelp: bool,
    }

    /// The members of a conference after a change.
    Composition = "composition" {
        /// Which conference.
        conferenceid: Text,
        /// Every member.
        competitorlist: Vec<Abonent>,
    }

    /// One member of a conference after a change.
    CompetitorChange = "competitorchange" {
        /// Which conference.
        conference: ConferenceRef,
        /// The member, with `confstatestr`.
        competitor: Abonent,
    }

    /// A conference, by id.
    ConferenceRef = "conferenceref" {
        /// Its id.
        id: Text,
    }
}
