//! Files of people: the temporary passwords that HTTP takes, what was uploaded by whom, and photos.
//! `proto-spec/methods/file.md`, `proto-spec/methods/user.md`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::Time;
use crate::message::{Body, CallError, Code, Object, PeerId, Text, Value};
use crate::method::file::GetTempHttpPass;
use crate::method::user::SetMyUserPhoto;
use crate::method::{Right, Typed};

use super::archive::{Fetch, Photo, Recording};
use super::fetch::Then;
use super::input::{By, Ticket, Uploaded};
use super::output::{Answer, Kept, Output, Record};
use super::route::{Caller, Handled};
use super::subscription::Event;
use super::user::UserIx;
use super::{Hub, Peer, Rights};

/// How long a temporary password lives.
const LIFE: Duration = Duration::from_secs(600);
/// Most temporary passwords of one user; the oldest goes when one more is made.
const MOST_PASSES: usize = 32;
/// Whose a temporary password is: a user's, or a link's own.
type Owner = (Option<UserIx>, Option<usize>);

/// How many uploads of a user are remembered.
const MOST_UPLOADS: usize = 64;

/// Temporary passwords, uploads and photos.
#[derive(Debug, Default)]
pub(super) struct Files {
    passes: BTreeMap<Text, Pass>,
    made: u64,
    /// What each user uploaded: the path that was answered and the virtual path of the file, oldest first.
    uploads: BTreeMap<UserIx, VecDeque<(Text, Text)>>,
    photos: BTreeMap<UserIx, Photo>,
}

/// One temporary password.
#[derive(Debug)]
struct Pass {
    /// Who asked for it, with the rights of that moment.
    caller: Caller,
    copy: bool,
    until: Time,
    /// The higher, the newer.
    made: u64,
    /// Whether an upload was made with it.
    used: bool,
}

impl Files {
    /// How many temporary passwords there are.
    pub(super) fn len(&self) -> usize {
        self.passes.len()
    }

    pub(super) fn sweep(&mut self, now: Time) {
        self.passes.retain(|_, pass| pass.until > now);
    }

    /// Passwords that a peer asked for still work when it is gone, but it hears of nothing.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.passes.values_mut().filter(|pass| pass.caller.peer == peer).for_each(|pass| pass.copy = false);
    }

    /// All passwords that a link asked for end.
    pub(super) fn end_passes_of_link(&mut self, link: usize) {
        self.passes.retain(|_, pass| pass.caller.link != Some(link));
    }

    /// Nothing of a user stays.
    pub(super) fn forget(&mut self, user: UserIx) {
        self.end_passes(user);
        self.uploads.remove(&user);
        self.photos.remove(&user);
    }

    /// All passwords of a user end.
    pub(super) fn end_passes(&mut self, user: UserIx) {
        self.passes.retain(|_, pass| pass.caller.user != Some(user));
    }
}

impl Hub {
    pub(super) fn temporary_password(&mut self, caller: &Caller, body: &Body) -> Handled {
        let owner = owner(caller);
        let copy = GetTempHttpPass::from_body(body)?.responsetowebsock.unwrap_or(false);
        self.files.sweep(self.now);
        let own = || self.files.passes.iter().filter(|(_, pass)| self::owner(&pass.caller) == owner);
        if own().count() >= MOST_PASSES
            && let Some(oldest) = own().min_by_key(|(_, pass)| pass.made).map(|(password, _)| password.clone())
        {
            self.files.passes.remove(&oldest);
        }
        let password = self.ids.secret();
        self.files.made += 1;
        let made = self.files.made;
        let pass = Pass { caller: caller.to_keep(), copy, until: self.now + LIFE, made, used: false };
        self.files.passes.insert(password.clone(), pass);
        Ok(Some(Body::new().with("password", password)))
    }

    fn pass(&mut self, password: &str) -> Result<&mut Pass, CallError> {
        let now = self.now;
        let pass = self.files.passes.get_mut(password).filter(|pass| pass.until > now);
        pass.ok_or_else(|| CallError::new(Code::NotAuthorized, "temppass is no temporary password, or an old one"))
    }

    /// Somebody begins an upload.
    pub(super) fn upload_begins(&mut self, ticket: Ticket, password: &str) {
        let answer = match self.pass(password) {
            Ok(pass) if pass.used => {
                Answer::Refused(CallError::new(Code::NotAuthorized, "temppass was used for an upload already"))
            }
            Ok(pass) => {
                pass.used = true;
                Answer::Done
            }
            Err(error) => Answer::Refused(error),
        };
        self.out.push_back(Output::Answer { ticket, answer });
    }

    /// An upload was answered: whoever asked for the password may want a copy, and the file is the user's.
    pub(super) fn upload_ended(&mut self, ticket: Ticket, uploaded: Uploaded) {
        self.out.push_back(Output::Answer { ticket, answer: Answer::Done });
        let Uploaded { password, response, content, paths } = uploaded;
        let Ok(pass) = self.pass(&password) else { return };
        let (copy, caller) = (pass.copy, pass.caller.clone());
        if let (Some(paths), Some(user)) = (paths, caller.user) {
            let own = self.files.uploads.entry(user).or_default();
            if own.len() >= MOST_UPLOADS {
                own.pop_front();
            }
            own.push_back(paths);
        }
        let event = "httpresponsecopy";
        let hears = match self.peers.get(&caller.peer) {
            Some(Peer::Tab(tab)) => tab.hears(Event::of(event)),
            Some(Peer::Link(link)) => self.link_hears(*link, caller.user, event) == Some(caller.peer),
            Some(Peer::Service(_)) | None => false,
        };
        if copy && hears {
            let identity = caller.user.map(|user| self.identity(user)).unwrap_or_default();
            self.fan(&[caller.peer], event, |qid| {
                let mut body = Body::new().with("qid", qid);
                identity.into_iter().for_each(|(name, value)| body.set(name, value));
                body.with_some("tabid", caller.tab)
                    .with("response", response)
                    .with("password", password)
                    .with("content", content)
            });
        }
    }

    /// Somebody wants a recording: by a temporary password, or as a user whose own password was checked.
    pub(super) fn recording_wanted(&mut self, ticket: Ticket, link: Text, by: By) {
        let caller = match by {
            By::Pass(password) => self.pass(&password).map(|pass| pass.caller.clone()),
            By::User(login) => self.program(ticket, &login).map(|(caller, _)| caller),
        };
        let caller = caller.and_then(|caller| match caller.rights.has(Right::Journal) {
            true => Ok(Caller {
                peer: PeerId(0),
                ask: Some(ticket),
                link: caller.link.filter(|_| caller.user.is_none()),
                ..caller
            }),
            false => Err(CallError::new(Code::AccessDenied, "the right journal is missing")),
        });
        // A fax can be read before its conversation is over and in the ledger.
        let fax = self.calls.fax_under(&link).map(|(file, inside)| Recording { file, inside });
        let given = caller.and_then(|c| match fax {
            Some(fax) => self.recording_found(&c, Some(fax)),
            None => self.fetch(&c, "downloadrecordbylink", Fetch::Recording { link }, Then::Recording),
        });
        if let Err(error) = given {
            self.out.push_back(Output::Answer { ticket, answer: Answer::Refused(error) });
        }
    }

    pub(super) fn set_photo(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let path = SetMyUserPhoto::from_body(body)?.filepath.replace('\\', "/");
        let own = self.files.uploads.get(&user).and_then(|own| own.iter().rev().find(|(said, _)| **said == *path));
        let Some((_, file)) = own.cloned() else {
            return Err(CallError::new(Code::NotFound, "filepath is no path that an upload of this user returned"));
        };
        let old = self.files.photos.get(&user).cloned();
        self.fetch(caller, "setmyuserphoto", Fetch::Photo { file, old }, Then::Photo { user })
    }

    pub(super) fn photo_made(&mut self, user: UserIx, photo: Photo) -> Handled {
        let body = Object::new()
            .with("link", photo.link.clone())
            .with("small", photo.small.clone())
            .with("large", photo.large.clone());
        let body = Some((self.settings.notation.write)(&body));
        let key = self.users[user].account.login.clone();
        self.out.push_back(Output::Record(Record::Kept(Kept { kind: "photo", key, body })));
        self.files.photos.insert(user, photo);
        Ok(Some(Body::new()))
    }

    pub(super) fn own_photo(&self, caller: &Caller) -> Handled {
        let photo = self.files.photos.get(&self.acting(caller)?).cloned().unwrap_or_default();
        Ok(Some(Body::from(links(photo))))
    }

    pub(super) fn photos(&self) -> Handled {
        let here = self.files.photos.iter().filter(|(user, _)| !self.users[**user].is_gone());
        let all = here.map(|(user, photo)| {
            let mut all = Object::new().with("id", self.users[*user].account.id.clone());
            links(photo.clone()).into_iter().for_each(|(name, link)| all.set(name, link));
            Value::Object(all)
        });
        Ok(Some(Body::new().with("links", all.collect::<Vec<_>>())))
    }

    /// Gives a user a photo that is not kept: the one of the configuration. To be called before [`Self::restore_kept`].
    pub fn set_photo_of(&mut self, login: &str, photo: Photo) {
        if let Some(user) = self.users.by_login(login) {
            self.files.photos.insert(user, photo);
        }
    }

    /// Puts a photo back that a store kept.
    pub(super) fn restore_photo(&mut self, login: &str, kept: &Object) -> bool {
        let Some(user) = self.users.by_login(login) else { return false };
        let text = |name: &str| kept.get(name).and_then(Value::to_text).unwrap_or_default();
        let photo = Photo { link: text("link"), small: text("small"), large: text("large") };
        self.files.photos.insert(user, photo);
        true
    }

    /// A program that acts by HTTP with the password of a user.
    pub(super) fn program(&self, ticket: Ticket, login: &str) -> Result<(Caller, UserIx), CallError> {
        let user = self.users.by_login(login).ok_or_else(|| CallError::new(Code::NotAuthorized, "no such user"))?;
        let rights = self.users[user].account.rights;
        Ok((Caller { user: Some(user), rights, ..self.operator(ticket) }, user))
    }

    /// Somebody outside who may do everything.
    pub(super) fn operator(&self, ticket: Ticket) -> Caller {
        Caller {
            peer: PeerId(0),
            user: None,
            link: None,
            qid: None,
            tab: None,
            rights: Rights::of(&Right::ALL),
            ask: Some(ticket),
            since: self.now,
        }
    }
}

fn owner(caller: &Caller) -> Owner {
    (caller.user, caller.link.filter(|_| caller.user.is_none()))
}

fn links(photo: Photo) -> Object {
    Object::new().with("link", photo.link).with("link32x32", photo.small).with("link96x96", photo.large)
}
