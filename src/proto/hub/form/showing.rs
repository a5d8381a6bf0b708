//! Where a form shows: tabs, links, one place or all; what each is told when it opens there and when it is over.

use crate::hub::declaration::Parameter;
use crate::hub::dynamic::chain_of;
use crate::hub::settings::FormKind;
use crate::hub::user::UserIx;
use crate::hub::{Hub, Peer};
use crate::message::{Body, Envelope, Object, PeerId, Text, Value};

use super::Form;

impl Hub {
    /// Shows a form wherever it should show and does not yet.
    pub(super) fn show_form(&mut self, id: &Text) {
        let Some(form) = self.forms.open.get(id) else { return };
        let event = opening_event(form.kind);
        let tabs: Vec<PeerId> =
            self.tabs_hearing(form.user, event).into_iter().filter(|t| !form.tabs.contains(t)).collect();
        let shows = |l: &usize| {
            let link = &self.links[*l];
            link.peer.is_some()
                && link.has_user(form.user)
                && link.reaches(form.user)
                && link.form(&form.name).is_some()
        };
        let links: Vec<usize> = (0..self.links.len()).filter(shows).filter(|l| !form.links.contains(l)).collect();
        let (one, before) = (form.one, form.shown());
        if !one {
            self.show_in_tabs(id, &tabs);
            links.into_iter().for_each(|l| self.show_on_link(id, l, None));
        } else if before == 0 {
            self.show_in_one(id, &tabs, &links);
        }
        if self.forms.open.get(id).is_some_and(|form| form.shown() > before) {
            self.trace_places(id, event);
        }
    }

    /// Where the focus was last, else the newest tab.
    fn show_in_one(&mut self, id: &Text, tabs: &[PeerId], links: &[usize]) {
        let Some(user) = self.forms.open.get(id).map(|f| f.user) else { return };
        let direct = tabs.iter().filter_map(|peer| match self.peers.get(peer) {
            Some(Peer::Tab(t)) => Some(((t.focus, t.since_ms), Ok(*peer))),
            _ => None,
        });
        let tunnelled = links.iter().flat_map(|l| {
            let known = self.links[*l].tunnel.get(&user).map(|t| &t.tabs[..]).unwrap_or_default();
            let mut known: Vec<_> =
                known.iter().map(|t| ((t.focus, t.since_ms), Err((*l, Some(t.id.clone()))))).collect();
            let listed = self.links[*l].active.get(&user).into_iter().flatten();
            known.extend(listed.map(|t| ((None, 0), Err((*l, Some(t.clone()))))));
            if known.is_empty() { vec![((None, 0), Err((*l, None)))] } else { known }
        });
        match direct.chain(tunnelled).max_by_key(|(rank, _)| *rank).map(|(_, place)| place) {
            Some(Ok(peer)) => self.show_in_tabs(id, &[peer]),
            Some(Err((link, tab))) => self.show_on_link(id, link, tab.filter(|t| !t.is_empty())),
            None => {}
        }
    }

    fn show_in_tabs(&mut self, id: &Text, tabs: &[PeerId]) {
        let Some(form) = self.forms.open.get_mut(id) else { return };
        form.tabs.extend(tabs);
        let Some(form) = self.forms.open.get(id) else { return };
        let (event, mut body) = (opening_event(form.kind), self.card(id, form).body);
        self.fan(tabs, event, |qid| {
            body.set("qid", qid);
            body
        });
    }

    /// The event that opens the card of a form in a tab, but for its qid.
    pub(super) fn card(&self, id: &Text, form: &Form) -> Envelope {
        let mut body = self.identity_body(form.user);
        body.set("cardid", id.clone());
        body.set("chainid", chain_of(form.call.as_ref()));
        let left = (form.expires_ms - self.wall(self.now)).max(0);
        match form.kind {
            FormKind::Reserve | FormKind::Confirm => {
                body.set("taskid", id.clone());
                body.set("taskname", form.caption.clone());
                body.set("timeoutms", left);
                if form.kind == FormKind::Confirm {
                    body.set("callerid", form.party.0.clone());
                    body.set("callername", form.party.1.clone());
                    body.set("fields", form.fields());
                }
            }
            FormKind::Dialog | FormKind::Stop => {
                body.set("formid", id.clone());
                body.set("formname", form.name.clone());
                body.set("caption", form.caption.clone());
                body.set("timeoutms", left);
                body.set("fields", form.fields());
                if form.kind == FormKind::Stop {
                    body.set("results", Vec::new());
                }
            }
        }
        Envelope::new(opening_event(form.kind), body)
    }

    fn show_on_link(&mut self, id: &Text, link: usize, tab: Option<Text>) {
        let Some(peer) = self.links[link].peer else { return };
        let qid = self.call_qid();
        let Some(form) = self.forms.open.get_mut(id) else { return };
        if !form.links.contains(&link) {
            form.links.push(link);
        }
        if form.one {
            form.tab.clone_from(&tab);
        }
        let account = &self.users[form.user].account;
        let body = Body::new()
            .with("qid", qid)
            .with("formid", id.clone())
            .with("name", form.name.clone())
            .with("userid", account.id.clone())
            .with("userlogin", account.login.clone())
            .with("chainid", chain_of(form.call.as_ref()))
            .with("inputparameters", form.input.clone())
            .with_some("tabid", tab);
        self.send(peer, Envelope::new("showform", body));
    }

    /// A tab has come, or hears cards now: it is shown what is open.
    pub(in crate::hub) fn show_forms_in_tab(&mut self, user: UserIx, _tab: PeerId) {
        for id in self.forms.of_user(user) {
            self.show_form(&id);
        }
    }

    /// A link offers forms, or somebody came in through it: that person's forms are told again for the tab, empty for all of them.
    pub(in crate::hub) fn show_forms_on_link(&mut self, link: usize, newcomer: Option<(UserIx, &Text)>) {
        let ids: Vec<Text> = self.forms.list().into_iter().map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(form) = self.forms.open.get(&id) else { continue };
            let told = form.links.contains(&link);
            match newcomer {
                Some((user, tab)) if user == form.user && told && !form.one => {
                    self.show_on_link(&id, link, Some(tab.clone()).filter(|t| !t.is_empty()));
                }
                _ => self.show_form(&id),
            }
        }
    }

    pub(in crate::hub) fn form_tab_gone(&mut self, user: UserIx, peer: PeerId) {
        for id in self.forms.of_user(user) {
            if let Some(form) = self.forms.open.get_mut(&id) {
                form.tabs.retain(|t| *t != peer);
            }
            self.show_form(&id);
        }
    }

    /// A tab of the user behind the link has left, or the user has: a form that showed there alone moves to another place.
    pub(in crate::hub) fn forms_tab_left(&mut self, link: usize, user: UserIx) {
        for id in self.forms.of_user(user) {
            let Some(form) = self.forms.open.get_mut(&id) else { continue };
            let l = &self.links[link];
            let there = match &form.tab {
                Some(tab) => l.has_tab(user, tab),
                None => l.reaches(user),
            };
            if !form.one || there || !form.links.contains(&link) {
                continue;
            }
            form.links.clear();
            form.tab = None;
            self.close_on_link(&id, user, link, "moved");
            self.show_form(&id);
        }
    }

    /// The link went down or was replaced: what it showed is to be shown again.
    pub(in crate::hub) fn forms_forget_link(&mut self, link: usize) {
        for form in self.forms.open.values_mut() {
            form.links.retain(|l| *l != link);
        }
    }

    pub(super) fn close_on_link(&mut self, id: &Text, user: UserIx, link: usize, reason: &'static str) {
        let Some(peer) = self.links[link].peer else { return };
        let qid = self.call_qid();
        let mut body = Body::new().with("qid", qid).with("formid", id.clone());
        self.identity(user).into_iter().for_each(|(n, v)| body.set(n, v));
        body.set("reason", reason);
        self.send(peer, Envelope::new("closeform", body));
    }

    /// The forms of a user that are open now, oldest first, as `statereset` tells them.
    pub(in crate::hub) fn open_forms(&self, user: UserIx) -> Vec<Value> {
        let account = &self.users[user].account;
        let of_user = self.forms.list().into_iter().filter(|(_, form)| form.user == user);
        of_user
            .map(|(id, form)| {
                Object::new()
                    .with("formid", id.clone())
                    .with("name", form.name.clone())
                    .with("userid", account.id.clone())
                    .with("userlogin", account.login.clone())
                    .with("chainid", chain_of(form.call.as_ref()))
                    .with("inputparameters", form.input.clone())
                    .into()
            })
            .collect()
    }

    pub(super) fn identity_body(&self, user: UserIx) -> Body {
        let mut body = Body::new().with("qid", "");
        self.identity(user).into_iter().for_each(|(n, v)| body.set(n, v));
        body
    }
}

impl Form {
    /// The fields of a card: declared and given input to read, output to fill in.
    fn fields(&self) -> Vec<Value> {
        let field = |p: &Parameter, value: Value, readonly: bool| {
            Value::Object(
                Object::new()
                    .with("name", p.name.clone())
                    .with("type", p.kind.type_word())
                    .with("caption", p.caption.clone())
                    .with("value", value)
                    .with("readonly", readonly)
                    .with("required", !readonly && p.required),
            )
        };
        let input = self
            .shown_input
            .iter()
            .map(|p| field(p, self.input.get(&p.name).cloned().unwrap_or_else(|| "".into()), true));
        let output = self.output.iter().flatten().map(|p| field(p, "".into(), false));
        input.chain(output).collect()
    }
}

/// The event that opens a card of this kind in a direct tab.
pub(super) const fn opening_event(kind: FormKind) -> &'static str {
    match kind {
        FormKind::Reserve => "dlgcard_showreserve",
        FormKind::Confirm => "dlgcard_showconfirm",
        FormKind::Dialog => "dlgcard_showformdialog",
        FormKind::Stop => "dlgcard_showformstop",
    }
}
