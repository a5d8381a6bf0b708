//! Conferences and listening in. `proto-spec/methods/conference.md`.

use crate::calls::{ConferenceView, Phase};
use crate::hub::Hub;
use crate::hub::route::{Caller, Handled};
use crate::hub::rpc::phone::{ONLY_LISTENS, dialled, wrong_state};
use crate::hub::user::UserIx;
use crate::message::{Body, CallError, Code, Text, Value};
use crate::method::Typed;
use crate::method::conference::{
    AttachAsGhost, ConfDisconnectCompetitor, ConfHandleEvent, ConfSetGhostMode, ConfSetVoiceParams,
    CreateNewConference, GhostMode, InviteToConference, Invitee,
};
use crate::telephony::{self, Act, ConferenceId};

/// Most members that can be invited at once.
const MOST_INVITED: usize = 64;
/// The longest name and description of a conference.
const LONGEST_NAME: usize = 256;

impl Hub {
    pub(in crate::hub) fn create_conference(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let wanted = CreateNewConference::from_body(body)?;
        let line = &self.users[user].line;
        if !matches!(line.phase, Phase::Idle | Phase::Alone) || line.flashed.is_some() {
            return Err(wrong_state(line, "expected a free phone"));
        }
        let conference = wanted.conference;
        let id = guid("conference.id", &conference.id)?;
        if self.calls.conference_ever(&id).is_some() {
            return Err(CallError::new(Code::BadRequest, "conference.id is in use, expected a new GUID"));
        }
        let room = conference.room.unwrap_or(0);
        if !(0..=10_000).contains(&room) {
            return Err(CallError::new(Code::BadRequest, format!("conference.room is {room}, expected 0 to 10000")));
        }
        let (name, description) = (conference.name.unwrap_or_default(), conference.description.unwrap_or_default());
        for (field, text) in [("name", &name), ("description", &description)] {
            if text.len() > LONGEST_NAME {
                let detail = format!("conference.{field} has {} bytes, expected at most {LONGEST_NAME}", text.len());
                return Err(CallError::new(Code::BadRequest, detail));
            }
        }
        let members = self.invited(user, &wanted.competitors)?;
        if members.is_empty() {
            return Err(CallError::new(Code::BadRequest, "competitors names nobody but the user"));
        }
        let record = conference.record.unwrap_or(false);
        let act = Act::Confer { id, name, description, room, record, members };
        self.act(caller, "createnewconference", user, act)
    }

    pub(in crate::hub) fn build_conference(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        let line = &self.users[user].line;
        if !matches!(line.phase, Phase::Talking(_)) {
            return Err(wrong_state(line, "only a talk becomes a conference"));
        }
        let id = self.ids.guid();
        // The room is for people to say; any will do that the id gives.
        let room = id.bytes().fold(0_i64, |sum, b| (sum * 31 + i64::from(b)) % 10_001);
        self.act(caller, "buildconferencefromcommutation", user, Act::Widen { id: ConferenceId(id), room })
    }

    pub(in crate::hub) fn invite(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let wanted = InviteToConference::from_body(body)?;
        let view = self.own_conference(user, &wanted.conferenceid)?;
        if self.is_spy(&view, user) {
            return Err(wrong_state(&self.users[user].line, ONLY_LISTENS));
        }
        let members = self.invited(user, &wanted.competitors)?;
        if members.is_empty() {
            return Err(CallError::new(Code::BadRequest, "competitors names nobody but the user"));
        }
        if let Some(there) = members.iter().find(|n| view.member_at(n).is_some()) {
            return Err(CallError::new(Code::NumberNotFound, format!("{there} is in the conference already")));
        }
        self.act(caller, "invitetoconference", user, Act::Invite { id: view.about.id, members })
    }

    pub(in crate::hub) fn can_connect(&self, caller: &Caller) -> Handled {
        Ok(Some(Body::new().with("canconnecttogather", self.can_take_in(self.acting(caller)?))))
    }

    pub(in crate::hub) fn connect_together(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        if !self.can_take_in(user) {
            return Err(wrong_state(&self.users[user].line, "expected a conference and somebody on hold"));
        }
        self.act(caller, "connecttogathertoconference", user, Act::TakeIn)
    }

    fn can_take_in(&self, user: UserIx) -> bool {
        let line = &self.users[user].line;
        matches!(line.phase, Phase::Conferring(_)) && line.flashed.as_ref().is_some_and(|p| p.conference.is_none())
    }

    pub(in crate::hub) fn conference_info(&self, caller: &Caller, body: &Body) -> Handled {
        let (user, view) = self.seen_conference(caller, body)?;
        let body = Body::new().with("conference", self.about_conference(&view, user));
        Ok(Some(body.with("competitors", self.competitors(&view, user))))
    }

    pub(in crate::hub) fn conference_competitors(&self, caller: &Caller, body: &Body) -> Handled {
        let list = match self.seen_conference(caller, body) {
            Ok((user, view)) => Body::new().with("competitorlist", self.competitors(&view, user)),
            // Known clients throw without a list, whatever else the reply says.
            Err(error) => error.body(None).with("competitorlist", Vec::<Value>::new()),
        };
        Ok(Some(list))
    }

    pub(in crate::hub) fn throw_out(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let wanted = ConfDisconnectCompetitor::from_body(body)?;
        let view = self.own_conference(user, &wanted.conferenceid)?;
        let id = wanted.competitor.competitorid.to_ascii_lowercase();
        let Some(member) = view.member(&id).filter(|m| m.state.is_present() && m.spied.is_none()) else {
            return Err(CallError::new(Code::NotFound, "competitor.competitorid is no member of the conference"));
        };
        let own = view.member_at(&self.users[user].account.number);
        if own.is_some_and(|own| own.leg == member.leg) {
            return self.act(caller, "confdisconnectcompetitor", user, Act::Leave { id: view.about.id });
        }
        if !own.is_some_and(|own| own.creator) {
            return Err(CallError::new(Code::AccessDenied, "only who made the conference throws members out"));
        }
        let act = Act::Kick { leg: member.leg.clone(), id: view.about.id.clone() };
        self.act(caller, "confdisconnectcompetitor", user, act)
    }

    pub(in crate::hub) fn exit_conference(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let view = self.own_conference(user, &body.text("conferenceid").unwrap_or_default())?;
        self.act(caller, "exitconference", user, Act::Leave { id: view.about.id })
    }

    pub(in crate::hub) fn handle_conference(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ConfHandleEvent::from_body(body)?;
        if wanted.eventtype != "competitors" {
            let detail = format!("eventtype is {:?}, expected \"competitors\"", &*wanted.eventtype);
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let user = self.acting(caller)?;
        let known = self.calls.conference_ever(&ConferenceId(wanted.conferenceid.to_ascii_lowercase().into()));
        let view = match known {
            // Known clients leave first and then ask for no more events.
            Some(view) if !wanted.handle || !view.about.over => view,
            _ if !wanted.handle => return Ok(Some(Body::new())),
            _ => return Err(no_conference(&wanted.conferenceid)),
        };
        if wanted.handle && !self.may_look(caller, user, &view) {
            return Err(no_conference(&wanted.conferenceid));
        }
        if !self.watch(caller.peer, user, caller.tab.clone(), &view, wanted.handle) {
            return Err(CallError::new(Code::TooManyRequests, "too many connections follow this conference"));
        }
        Ok(Some(Body::new()))
    }

    pub(in crate::hub) fn attach_as_ghost(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let wanted = AttachAsGhost::from_body(body)?.ghostedid;
        let Some(target) = self.users.by_id(&wanted) else {
            return Err(CallError::new(Code::NotFound, "ghostedid names no user"));
        };
        if !self.is_subordinate(target, user) {
            let detail = format!("{} is no subordinate", self.users[target].account.login);
            return Err(CallError::new(Code::NotSubordinate, detail));
        }
        let line = &self.users[user].line;
        if !matches!(line.phase, Phase::Idle | Phase::Alone) || line.flashed.is_some() {
            return Err(wrong_state(line, "expected a free phone"));
        }
        if !self.users[target].line.talks() {
            let detail = format!("{} does not talk", self.users[target].account.login);
            return Err(CallError::new(Code::InvalidLineState, detail));
        }
        let id = ConferenceId(self.ids.guid());
        let target = self.users[target].account.number.clone();
        self.act(caller, "attachasghost", user, Act::Spy { id, target })
    }

    pub(in crate::hub) fn ghost_mode(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ConfSetGhostMode::from_body(body)?;
        let mode = match wanted.ghostmode {
            GhostMode::Monitor => telephony::GhostMode::Monitor,
            GhostMode::Conference => telephony::GhostMode::Conference,
            GhostMode::Help => telephony::GhostMode::Help,
        };
        let (user, id) = self.spied_on(caller, &wanted.conferenceid)?;
        self.act(caller, "confsetghostmode", user, Act::SpyMode { id, mode, target: None })
    }

    pub(in crate::hub) fn voice_params(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ConfSetVoiceParams::from_body(body)?;
        let (user, id) = self.spied_on(caller, &wanted.conferenceid)?;
        let view = self.own_conference(user, &id.0)?;
        let competitor = wanted.competitor.competitorid.to_ascii_lowercase();
        let Some(member) = view.member(&competitor).filter(|m| m.spied.is_some()) else {
            return Err(CallError::new(Code::NotFound, "competitor.competitorid is nobody who is listened to"));
        };
        let heard = wanted.competitor.ghosthelp;
        let mode = if heard { telephony::GhostMode::Help } else { telephony::GhostMode::Monitor };
        let target = heard.then(|| member.leg.clone());
        self.act(caller, "confsetvoiceparams", user, Act::SpyMode { id, mode, target })
    }

    /// The conference in which the user listens in.
    fn spied_on(&self, caller: &Caller, id: &Text) -> Result<(UserIx, ConferenceId), CallError> {
        let user = self.phone_of(caller)?;
        let view = self.own_conference(user, id)?;
        if !self.is_spy(&view, user) {
            return Err(CallError::new(Code::InvalidLineState, "the user does not listen in to this conference"));
        }
        Ok((user, view.about.id))
    }

    /// A conference in which the user is.
    fn own_conference(&self, user: UserIx, id: &Text) -> Result<ConferenceView, CallError> {
        let view = self.calls.conference(&id.to_ascii_lowercase());
        let view = view.filter(|v| v.member_at(&self.users[user].account.number).is_some());
        view.ok_or_else(|| no_conference(id))
    }

    /// A conference at which the caller may look.
    fn seen_conference(&self, caller: &Caller, body: &Body) -> Result<(UserIx, ConferenceView), CallError> {
        let user = self.acting(caller)?;
        let id = body.text("conferenceid").unwrap_or_default();
        let view = self.calls.conference(&id.to_ascii_lowercase()).filter(|v| self.may_look(caller, user, v));
        Ok((user, view.ok_or_else(|| no_conference(&id))?))
    }

    /// Whoever is or was in a conference may look at it, and who looks after somebody who is.
    fn may_look(&self, _caller: &Caller, user: UserIx, view: &ConferenceView) -> bool {
        view.members.iter().any(|m| {
            let other = self.users.by_number(&m.party.number).filter(|_| !m.party.outside);
            other.is_some_and(|other| other == user || self.is_subordinate(other, user))
        })
    }

    /// The numbers of those who are invited, without the user's own and without doubles.
    fn invited(&self, user: UserIx, invitees: &[Invitee]) -> Result<Vec<Text>, CallError> {
        if invitees.len() > MOST_INVITED {
            let detail = format!("competitors has {} members, expected at most {MOST_INVITED}", invitees.len());
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let mut numbers = Vec::new();
        for (at, invitee) in invitees.iter().enumerate() {
            let known = |found: Option<UserIx>, field: &str| {
                let user = found.ok_or_else(|| {
                    CallError::new(Code::NotFound, format!("competitors[{at}].{field} names no user"))
                })?;
                let number = self.users[user].account.number.clone();
                if number.is_empty() {
                    let detail = format!("competitors[{at}]: {} has no number", self.users[user].account.login);
                    return Err(CallError::new(Code::NumberNotFound, detail));
                }
                Ok(number)
            };
            let full = |text: &Option<Text>| text.clone().filter(|t| !t.is_empty());
            let number = if let Some(login) = full(&invitee.userlogin) {
                known(self.users.by_login(&login), "userlogin")?
            } else if let Some(id) = full(&invitee.userid) {
                known(self.users.by_id(&id), "userid")?
            } else if let Some(number) = full(&invitee.number) {
                dialled(&format!("competitors[{at}].number"), &number)?
            } else {
                let detail = format!("competitors[{at}] names nobody, expected userlogin, userid or number");
                return Err(CallError::new(Code::BadRequest, detail));
            };
            if number != self.users[user].account.number && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Ok(numbers)
    }
}

fn no_conference(id: &str) -> CallError {
    let shown: String = id.chars().take(64).collect();
    CallError::new(Code::ConferenceNotFound, format!("conferenceid {shown:?}"))
}

/// A GUID that a client made: 32 hex digits, with or without dashes and braces; in lower case with dashes.
fn guid(field: &str, text: &str) -> Result<ConferenceId, CallError> {
    let hex: String = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect::<String>().to_ascii_lowercase();
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        let shown: String = text.chars().take(64).collect();
        return Err(CallError::new(Code::BadRequest, format!("{field}: found {shown:?}, expected a GUID")));
    }
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(ConferenceId(parts.join("-").into()))
}
