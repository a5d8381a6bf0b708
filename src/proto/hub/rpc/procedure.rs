//! Stored procedures, scripts, passwords, and programs that act for people by HTTP. `proto-spec/methods/procedure.md`.

use std::time::Duration;

use crate::Time;
use crate::hub::Hub;
use crate::hub::archive::Fetch;
use crate::hub::fetch::Then;
use crate::hub::input::{Run, Ticket};
use crate::hub::output::{Answer, Output};
use crate::hub::route::{Caller, Handled};
use crate::hub::settings::Procedure;
use crate::hub::user::UserIx;
use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::method::procedure::{ChangePassword, ExecStoredProc, ExecSvcScript};
use crate::method::{self, Right, Typed};
use crate::telephony::Command;

/// What known clients compare when the old password does not fit.
pub const OLD_PASSWORD_IS_WRONG: &str = "old password is wrong";

/// Most parameters of a script, and the longest of them, bytes.
const MOST_PARAMETERS: usize = 64;
const LONGEST_PARAMETER: usize = 4096;
/// How long the end of a script is waited for when nobody says, and at most, seconds.
const SCRIPT_WAIT: (i64, i64) = (30, 3600);
/// So many wrong old passwords of a user within the time, and the next change has to wait.
const WRONG: (usize, Duration) = (5, Duration::from_secs(60));
/// The shortest password, where its strength is to be checked.
const SHORTEST_PASSWORD: usize = 6;

/// What a program may run by HTTP in a user's name.
const RUNNABLE: [&str; 10] = [
    "execsvcscript",
    "getchaincontent",
    "getextendedlineinfo",
    "gettotalqueue",
    "getuserstate",
    "pbxabortcall",
    "pbxautocallabort",
    "pbxautocallstart",
    "pbxmakeflash",
    "setuserstate",
];

impl Hub {
    pub(in crate::hub) fn procedure(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ExecStoredProc::from_body(body)?;
        let name = wanted.procedure.to_lowercase();
        let known = self.settings.procedures.iter().find(|p| *p.name == *name && self.may_run(caller, p));
        let Some(procedure) = known else {
            let shown: String = wanted.procedure.chars().take(64).collect();
            return Err(CallError::new(Code::ProcedureNotAllowed, format!("{shown:?}")));
        };
        let given = wanted.inputparams.map(|m| m.open()).unwrap_or_default();
        let mut input: Vec<(Text, Value)> = procedure.parameters.iter().map(|p| (p.clone(), Value::Null)).collect();
        for (key, value) in given {
            let plain = key.trim_start_matches(['@', ':', '$']).to_lowercase();
            let Some((_, place)) = input.iter_mut().find(|(name, _)| **name == *plain) else {
                let names: Vec<&str> = procedure.parameters.iter().map(|p| &**p).collect();
                let shown: String = key.chars().take(64).collect();
                let detail = format!("inputparams has {shown:?}, expected some of {}", names.join(", "));
                return Err(CallError::new(Code::BadRequest, detail));
            };
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                let detail = format!("inputparams.{plain} is {}, expected a scalar", value.kind());
                return Err(CallError::new(Code::BadRequest, detail));
            }
            *place = value;
        }
        // Who asks is what we know, whatever was given.
        let (id, login) = caller.user.map_or((Text::new(), Text::new()), |user| {
            (self.users[user].account.id.clone(), self.users[user].account.login.clone())
        });
        for (name, value) in [("userid", id), ("userlogin", login)] {
            if let Some((_, place)) = input.iter_mut().find(|(n, _)| **n == *name) {
                *place = Value::String(value);
            }
        }
        let name = procedure.name.clone();
        self.fetch(caller, "execpredefineddbstoredproc", Fetch::Procedure { name, input }, Then::Tables)
    }

    /// Whether somebody may run a procedure: by the role it names or, when it names none, by the right. What comes through a link
    /// needs the right of the link besides.
    fn may_run(&self, caller: &Caller, procedure: &Procedure) -> bool {
        let right = caller.rights.has(Right::Procedures);
        let of_link = caller.link.is_none_or(|l| self.links[l].settings.rights.has(Right::Procedures));
        let by_role = |user: UserIx| procedure.roles.contains(&self.users[user].account.role);
        of_link
            && match caller.user {
                Some(user) if !procedure.roles.is_empty() => by_role(user),
                Some(_) | None => right,
            }
    }

    /// The procedures somebody may run, as `getversion` tells them.
    pub(in crate::hub) fn procedures_of(&self, caller: &Caller) -> Object {
        let mut names = Object::new();
        for procedure in self.settings.procedures.iter().filter(|p| self.may_run(caller, p)) {
            names.set(procedure.name.clone(), 1);
        }
        names
    }

    pub(in crate::hub) fn script(&mut self, caller: &Caller, body: &Body) -> Handled {
        let wanted = ExecSvcScript::from_body(body)?;
        let name = crate::hub::chat::bounded("scriptname", wanted.scriptname, 1, 256)?;
        let parameters = wanted.startparams.map(|p| p.open()).unwrap_or_default();
        if parameters.len() > MOST_PARAMETERS {
            let detail = format!("startparams has {} items, expected at most {MOST_PARAMETERS}", parameters.len());
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let scalar = |(at, value): (usize, &Value)| match value {
            Value::Null => Ok(Text::new()),
            value => value.to_text().filter(|text| text.len() <= LONGEST_PARAMETER).ok_or_else(|| {
                let detail = format!(
                    "startparams[{at}] is {}, expected a scalar of at most {LONGEST_PARAMETER} bytes",
                    value.kind()
                );
                CallError::new(Code::BadRequest, detail)
            }),
        };
        let parameters = parameters.iter().enumerate().map(scalar).collect::<Result<Vec<_>, _>>()?;
        let seconds = wanted.waittimeoutsec.unwrap_or(SCRIPT_WAIT.0);
        if !(1..=SCRIPT_WAIT.1).contains(&seconds) {
            let detail = format!("waittimeoutsec is {seconds}, expected 1 to {}", SCRIPT_WAIT.1);
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let wait = wanted.waitresponse.unwrap_or(false).then(|| Duration::from_secs(seconds.unsigned_abs()));
        let reply = Body::new().with("started", true);
        // Whether it can begin at all is said at once; its end may take as long as was asked for.
        let patience = wait.unwrap_or(Duration::from_secs(10));
        let order = self.begin_order(caller, "execsvcscript", reply, patience)?;
        self.out.push_back(Output::Pbx(Box::new(Command::Script { order, name, parameters, wait })));
        Ok(None)
    }

    pub(in crate::hub) fn change_password(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let wanted = ChangePassword::from_body(body)?;
        let hash = |field: &str, text: &Text| {
            let fits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let detail = || format!("{field} has {} bytes, expected 32 hex digits", text.len());
            if fits { Ok(()) } else { Err(CallError::new(Code::BadRequest, detail())) }
        };
        hash("newpwdmd5", &wanted.newpwdmd5.0)?;
        if let Some(new) = &wanted.newpwd
            && new.0.chars().count() < SHORTEST_PASSWORD
        {
            let detail = format!("newpwd is shorter than {SHORTEST_PASSWORD} characters");
            return Err(CallError::new(Code::BadRequest, detail));
        }
        if hash("oldpwdmd5", &wanted.oldpwdmd5.0).is_err() {
            return Err(CallError::bare(OLD_PASSWORD_IS_WRONG));
        }
        let now = self.now;
        let tries = &mut self.users[user].password_tries;
        tries.retain(|at: &Time| now.since(*at) < WRONG.1);
        if tries.len() >= WRONG.0 {
            let detail = format!("{} wrong passwords within a minute, try again later", WRONG.0);
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        tries.push(now);
        let login = self.users[user].account.login.clone();
        let (old, new) = (wanted.oldpwdmd5.0.to_ascii_lowercase(), wanted.newpwdmd5.0.to_ascii_lowercase());
        let fetch = Fetch::Password { login, old: old.into(), new: new.into() };
        self.fetch(caller, "changepassword", fetch, Then::Password { user })
    }

    /// The password is another now: everybody who came in by the old one goes, but for whoever changed it.
    pub(in crate::hub) fn password_changed(&mut self, caller: &Caller, user: UserIx) -> Handled {
        self.users[user].password_tries.clear();
        self.free_to_act(user);
        let own = self.session_of(caller);
        for hash in self.sessions_of(user) {
            if own.as_ref() != Some(&hash) {
                self.end_session(&hash);
            }
        }
        self.files.end_passes(user);
        Ok(Some(Body::new()))
    }

    /// The user need not change the password any more: tabs that heard nothing are told how things are.
    pub(in crate::hub) fn free_to_act(&mut self, user: UserIx) {
        if !std::mem::take(&mut self.users[user].account.must_change_password) {
            return;
        }
        for tab in self.users[user].tabs.clone() {
            self.events_lost(tab);
            self.show_forms_in_tab(user, tab);
        }
        self.deliver_texts(user);
    }

    /// Ends every session of a user, because an administrator wants it or because the password was changed outside.
    pub(in crate::hub) fn end_sessions(&mut self, login: &str, password_changed: bool) -> Answer {
        let Some(user) = self.users.by_login(login) else {
            return Answer::Refused(CallError::new(Code::NotFound, "no such user"));
        };
        if password_changed {
            self.free_to_act(user);
        }
        for hash in self.sessions_of(user) {
            self.end_session(&hash);
        }
        self.files.end_passes(user);
        Answer::Done
    }

    /// A program runs a method in a user's name.
    pub(in crate::hub) fn run(&mut self, ticket: Ticket, run: Run) {
        let Run { login, user, handed_on, method, body } = run;
        let prepared = self.program_for(ticket, &login, &user, handed_on, &method);
        match prepared.and_then(|(caller, message)| Ok((self.call_as(&caller, message, body)?, caller))) {
            Ok((Some(body), caller)) => self.succeed(&caller, &method, body),
            Ok((None, _)) => {}
            Err(error) => self.out.push_back(Output::Answer { ticket, answer: Answer::Refused(error) }),
        }
    }

    fn program_for(
        &self,
        ticket: Ticket,
        login: &str,
        user: &str,
        handed_on: bool,
        method: &str,
    ) -> Result<(Caller, &'static method::Message), CallError> {
        let (mut caller, program) = match login {
            "" => (self.operator(ticket), None),
            login => {
                let (caller, program) = self.program(ticket, login)?;
                (caller, Some(program))
            }
        };
        if !caller.rights.has(Right::WebApi) {
            return Err(CallError::new(Code::AccessDenied, "the right webapi is missing"));
        }
        let message = method::find(method).filter(|m| RUNNABLE.contains(&m.name));
        let message = message.ok_or_else(|| CallError::new(Code::UnknownMethod, method.to_owned()))?;
        if !user.is_empty() {
            let by_number = || self.users.by_number(user);
            let found = self.users.by_id(user).or_else(|| self.users.by_login(user)).or_else(by_number);
            let found = found.ok_or_else(|| {
                CallError::new(Code::NotFound, "user names no user, expected an id, a login or a number")
            })?;
            let calls = message.right == Some(Right::Call);
            let by_program = handed_on || program.is_some();
            if calls && by_program && Some(found) != program && !self.users[found].account.api_calls {
                let detail = format!("programs may not call for {}: api_call_enabled", self.users[found].account.login);
                return Err(CallError::new(Code::AccessDenied, detail));
            }
            caller.user = Some(found);
        }
        Ok((caller, message))
    }
}
