//! Telephone calls: what the line does, what a person may do with it, and what is told about it.

use crate::message::Text;

use super::define::{Right, call, choice, event, messages, records, reply};

messages! {
    /// Asks for the state of one's line: the source from which clients derive everything about calls.
    GetExtendedLineInfo: call("getextendedlineinfo").by_both().replied("getextendedlineinforesult") => {}

    /// The state of the line.
    GetExtendedLineInfoResult: reply("getextendedlineinforesult").to_both() => {
        ..line: LineInfo,
    }

    /// Asks who is on hold.
    GetFlashedAbonentInfo: call("getflashedabonentinfo").by_both().replied("getflashedabonentinforesult") => {}

    /// Who is on hold.
    GetFlashedAbonentInfoResult: reply("getflashedabonentinforesult").to_both() => {
        /// Whether somebody is.
        containsflashed: bool,
        /// Who; without members when nobody is.
        abonent: Abonent,
    }

    /// Dials. In a talk the present party is put on hold first.
    PbxAutoCallStart: call("pbxautocallstart").by_both().replied("pbxautocallstartresult").right(Right::Call) => {
        /// The number to dial.
        number: Text,
        /// Who is called first.
        sequence: Option<Sequence>,
        /// Whether the called phone answers by itself.
        intercom: Option<bool>,
    }

    /// Dialling has begun.
    PbxAutoCallStartResult: reply("pbxautocallstartresult").to_both() => {}

    /// Stops dialling that the gateway does while the user's own phone is still idle.
    PbxAutoCallAbort: call("pbxautocallabort").by_both().replied("pbxautocallabortresult").right(Right::Call) => {}

    /// Dialling has stopped.
    PbxAutoCallAbortResult: reply("pbxautocallabortresult").to_both() => {}

    /// Hangs up, or stops an outgoing call. With somebody on hold it joins the two others and lets the user go.
    PbxAbortCall: call("pbxabortcall").by_both().replied("pbxabortcallresult").right(Right::Call) => {}

    /// Hung up.
    PbxAbortCallResult: reply("pbxabortcallresult").to_both() => {}

    /// Refuses the call that rings.
    PbxDeclineCall: call("pbxdeclinecall").by_both().replied("pbxdeclinecallresult").right(Right::Call) => {}

    /// Refused.
    PbxDeclineCallResult: reply("pbxdeclinecallresult").to_both() => {}

    /// Answers the call that rings, if the phone can do so by itself.
    PbxAnswerCall: call("pbxanswercall").by_both().replied("pbxanswercallresult").right(Right::Call) => {}

    /// The phone was told to answer.
    PbxAnswerCallResult: reply("pbxanswercallresult").to_both() => {}

    /// Puts on hold, swaps, or returns to the held party.
    PbxMakeFlash: call("pbxmakeflash").by_both().replied("pbxmakeflashresult").right(Right::Call) => {
        /// What to do; `switch` when absent.
        mode: Option<FlashMode>,
    }

    /// Done.
    PbxMakeFlashResult: reply("pbxmakeflashresult").to_both() => {}

    /// Hands the present party to a number without asking. With somebody on hold the user returns to them.
    PbxMakeTransfer: call("pbxmaketransfer").by_both().replied("pbxmaketransferresult").right(Right::Call) => {
        /// The number that gets the party.
        transferto: Text,
    }

    /// Handed over.
    PbxMakeTransferResult: reply("pbxmaketransferresult").to_both() => {}

    /// The older name of `pbxmaketransfer`.
    PbxTransferCall: call("pbxtransfercall").by_both().replied("pbxtransfercallresult").right(Right::Call) => {
        /// The number that gets the party.
        transferto | "number": Text,
    }

    /// Handed over.
    PbxTransferCallResult: reply("pbxtransfercallresult").to_both() => {}

    /// Asks what has happened to a call so far.
    GetChainContent: call("getchaincontent").by_both().replied("getchaincontentresult").right(Right::Journal) => {
        /// The call, of the present or the past; absent: the one the user has now.
        chainid: Option<Text>,
    }

    /// What has happened to the call.
    GetChainContentResult: reply("getchaincontentresult").to_both() => {
        /// The call's way.
        content: ChainContent,
    }

    /// Asks for calls of the past.
    GetPbxCallJournal: call("getpbxcalljournal").by_both().replied("getpbxcalljournalresult").right(Right::Journal) => {
        /// Which ones.
        filter: Option<JournalFilter>,
    }

    /// Calls of the past, newest first.
    GetPbxCallJournalResult: reply("getpbxcalljournalresult").to_both() => {
        /// One entry for each talk, and one for each call without a talk.
        data: Vec<JournalEntry>,
    }

    /// The user's line has changed. Sent after the new state is in place: clients ask for it now.
    LineStateChanged: event("linestatechanged").to_both().subscribed() => {
        /// Whose line: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The line's id.
        lineid: Option<Text>,
        /// The line's number.
        linenumber: Option<Text>,
        /// The state by its number.
        linestate: Option<i64>,
        /// The state by its name.
        linestatestr: Text,
        /// The call; the zero GUID when there is none.
        chainid: Text,
    }

    /// Hold has changed on the user's line.
    FlashStateChanged: event("flashstatechanged").to_both().subscribed() => {
        /// Whose line: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The call.
        chainid: Text,
        /// What happened, a number of the table of flash types.
        flashtypeid: i64,
    }

    /// The gateway begins to dial for the user.
    AcmCallStarted: event("phoneevent_acmcallstarted").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// Dialling for the user has ended, whatever came of it.
    AcmCallStopped: event("phoneevent_acmcallstopped").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// The user's phone begins to ring.
    RingStarted: event("phoneevent_ringstarted").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// The user's phone rings no more.
    RingStopped: event("phoneevent_ringstopped").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// The user's call has entered a voice menu.
    IvrStarted: event("phoneevent_ivrstarted").to_both().subscribed() => {
        ..event: PhoneEvent,
        /// Whether the menu routes the call.
        isroutingivr: bool,
    }

    /// The user's call has left the voice menu.
    IvrStopped: event("phoneevent_ivrstopped").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// The user talks. Inside a conference within two seconds of its making.
    CommStarted: event("phoneevent_commstarted").to_both().subscribed() => {
        ..event: PhoneEvent,
        /// The talk's id, a GUID.
        commutationid: Text,
        /// The conference, when `isconference` is true.
        confid: Option<Text>,
    }

    /// The user talks no more.
    CommStopped: event("phoneevent_commstopped").to_both().subscribed() => {
        ..event: PhoneEvent,
        /// The talk's id, a GUID.
        commutationid: Text,
    }

    /// A fax begins.
    FaxStarted: event("phoneevent_faxstarted").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// The fax has ended.
    FaxStopped: event("phoneevent_faxstopped").to_both().subscribed() => {
        ..event: PhoneEvent,
    }

    /// A fax has arrived.
    FaxReceived: event("phoneevent_faxreceived").to_both().subscribed() => {
        ..event: PhoneEvent,
        /// Name of the file.
        filename: Text,
        /// Path under which it can be fetched from the web port, as a recording is.
        filelink: Text,
        /// How many pages it has.
        pages: i64,
    }
}

choice! {
    /// Who is called first.
    Sequence {
        /// The user's own phone, then the number.
        User = "user",
        /// The number, then the user's own phone.
        Abonent = "abonent",
    }

    /// What to do with the two parties.
    FlashMode {
        /// Put the present party on hold; or swap; or take back.
        Switch = "switch",
        /// Drop the present party and return to the held one.
        Abort = "abort",
        /// Dial on at once and drop the second party.
        Next = "next",
    }
}

records! {
    /// The state of a line, whole.
    LineInfo = "lineinfo" {
        /// The line's state by its name.
        linestatestr: Text,
        /// The call; the zero GUID when there is none.
        chainid: Text,
        /// The number that was dialled; stands for a party that has no number of its own.
        calledid: Option<Text>,
        /// Seconds talked so far.
        timertalklensec: Option<i64>,
        /// Whether somebody is on hold.
        isflashing: bool,
        /// Who is on hold: a party, or a conference.
        flashed: Option<Abonent>,
        /// The present party; an object without members when there is none.
        abonent: Abonent,
        /// What the user can and may do now (ctigate): some of `call`, `intercom`, `conference`, `ghost`,
        /// `answer`, `decline`, `stopdialling`, `hangup`, `hold`, `toggle`, `join`, `return`,
        /// `drophold`, `transfer`, `takein`, `invite`, `leave`.
        actions: Option<Vec<Text>>,
    }

    /// A party of a call: on a line, in a conference, or in a queue. Which members there are says what the party is.
    Abonent = "abonent" {
        /// Id as a member of a conference, a GUID.
        competitorid: Option<Text>,
        /// The party's number.
        number: Option<Text>,
        /// The number, when `number` is not known.
        callerid: Option<Text>,
        /// Id of an inside user.
        userid: Option<Text>,
        /// Display name of an inside user.
        username: Option<Text>,
        /// Login of an inside user.
        userlogin: Option<Text>,
        /// Remark on an inside user.
        comment: Option<Text>,
        /// The call.
        chainid: Option<Text>,
        /// Whether the party is outside.
        isextline: Option<bool>,
        /// Short name.
        simplename: Option<Text>,
        /// Name.
        name: Option<Text>,
        /// Display name.
        caption: Option<Text>,
        /// Whether the party is a voice menu.
        isivr: Option<bool>,
        /// The menu's name.
        ivrname: Option<Text>,
        /// Whether the party made the conference.
        iscreator: Option<bool>,
        /// Whether the party leads the conference.
        isdirector: Option<bool>,
        /// Whether the user listens in to this party: told to the listener alone.
        isghost: Option<bool>,
        /// Whether the party is the one the user asked to listen to.
        isghostmajor: Option<bool>,
        /// Whether the party is not shown to others.
        ishidden: Option<bool>,
        /// State as a member of a conference.
        confstatestr: Option<Text>,
        /// Whether the number is being dialled first and the user's own phone is still idle.
        isautocall: Option<bool>,
        /// Whether the user's phone rings.
        isringing: Option<bool>,
        /// `acm_callback`: the ring is the gateway's own, before it dials.
        direction: Option<Text>,
        /// Whether they talk.
        iscommutated: Option<bool>,
        /// Whether the party holds the user.
        iswaitinginflash: Option<bool>,
        /// Whether the line is in a conference.
        isconference: Option<bool>,
        /// Which conference.
        conferenceid: Option<Text>,
        /// The conference's name.
        conferencename: Option<Text>,
        /// The conference's room.
        conferenceroom: Option<i64>,
        /// Whether the party has not answered yet.
        iswaitingforanswer: Option<bool>,
        /// The outside line in use.
        extline: Option<Text>,
    }

    /// What every `phoneevent_…` says.
    PhoneEvent = "phoneevent" {
        /// Whose phone it is: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The call; the same in all its events.
        chainid: Text,
        /// The other party's number.
        callerid: Text,
        /// Its name.
        callername: Option<Text>,
        /// Directory data.
        callerdescription: Option<Text>,
        /// Directory data.
        callercomment: Option<Text>,
        /// Directory data.
        callerinfo: Option<Text>,
        /// Where it comes from: `oktell_pbx` inside, `oktell_ext` outside.
        callerdirection: Option<Text>,
        /// Its line; the zero GUID for a call the gateway made.
        callerlineid: Option<Text>,
        /// Its line's number; `00000` for a call the gateway made.
        callerlinenum: Option<Text>,
        /// Which of the line's connections.
        connectionindex: Option<i64>,
        /// Whether the party is outside.
        isextline: bool,
        /// Whether it is a conference.
        isconference: bool,
        /// Whether the call belongs to a task of the call centre.
        istask: Option<bool>,
        /// Whether a fax goes over the line.
        canfax: Option<bool>,
        /// Whether there is a picture.
        canvideo: Option<bool>,
    }

    /// A call's way through the telephone system.
    ChainContent = "chaincontent" {
        /// The call.
        chainid: Text,
        /// What happened, oldest first.
        trace: Vec<ChainStep>,
    }

    /// One step of a call.
    ChainStep = "chainstep" {
        /// When: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        datetime: Text,
        /// What: `began`, `queued`, `menu`, `ringing`, `ringstopped`, `answered`, `held`, `conference`, `left`, `ended`.
        kind: Text,
        /// The number it happened to.
        number: Option<Text>,
        /// That number's user.
        userid: Option<Text>,
        /// The talk.
        commutationid: Option<Text>,
        /// What it has to do with: the number rung, the queue, the menu, or why it ended (ctigate).
        detail: Option<Text>,
    }

    /// Which calls of the past are wanted; an absent member does not narrow.
    JournalFilter = "journalfilter" {
        /// Only this call.
        idchain: Option<Text>,
        /// Whether calls of the call centre are wanted too.
        showcallcenter: Option<bool>,
        /// From this day on: `YYYY-MM-DD`.
        datestart: Option<Text>,
        /// To this day, which is still meant: `YYYY-MM-DD` (ctigate).
        dateend: Option<Text>,
        /// Only this way: `incoming`, `outgoing` or `internal`.
        connectiontype: Option<Text>,
        /// Only talks of at least so many seconds.
        minduration: Option<i64>,
        /// Only calls from, to or with this number (ctigate).
        number: Option<Text>,
        /// true: only calls without a talk; false: only talks (ctigate).
        missed: Option<bool>,
        /// At most so many entries: 1 to 1000; 200 when absent (ctigate).
        limit: Option<i64>,
        /// How many entries are passed over, from the newest (ctigate).
        offset: Option<i64>,
    }

    /// One talk of the past, or a call without one.
    JournalEntry = "journalentry" {
        /// The call.
        chainid: Text,
        /// The talk; the zero GUID when there was none.
        commutationid: Text,
        /// When it began: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        datetime: Text,
        /// Its length in seconds; 0 when there was no talk.
        duration: i64,
        /// `incoming`, `outgoing` or `internal`.
        connectiontype: Text,
        /// Who called.
        callerid: Text,
        /// Which number was dialled.
        calledid: Text,
        /// The user who talked, or whose phone was tried last.
        userid: Option<Text>,
        /// Their name.
        username: Option<Text>,
        /// How the call went (ctigate): `answered`, `abandoned`, `cancelled`, `noanswer`, `busy`, `refused`, `unreachable`,
        /// `menu`, `failed`.
        outcome: Option<Text>,
        /// Seconds from the call's beginning to its first talk, or to its end (ctigate).
        waitduration: Option<i64>,
        /// The queue in which it waited last (ctigate).
        queue: Option<Text>,
        /// Path of the recording, beginning with `/` and without `?`; absent when there is none.
        recordlink: Option<Text>,
    }
}
