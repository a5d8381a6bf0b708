//! A CRM's tunnel: pages without a connection of their own, whose messages their CRM forwards on its link, and to whom it hands what
//! comes back, each page by its `tabid` or by its person.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ctigate::proto::message::Envelope;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::channel::text;
use crate::ledger::Ledger;

/// What a CRM's host gives its pages: the way through its newest link, while there is one.
#[derive(Clone, Default)]
pub(crate) struct Relay(Rc<RefCell<Option<Pages>>>);

impl Relay {
    /// The CRM has introduced itself on another connection. Whoever came through an older one comes again.
    pub(crate) fn open(&self, pages: &Pages) {
        if let Some(older) = self.0.replace(Some(pages.clone())) {
            older.close();
        }
    }

    /// A page comes. `None`: the link is down.
    pub(crate) fn enter(&self, tab: &str, login: &str) -> Option<Tunnel> {
        let relay = self.0.borrow();
        let pages = relay.as_ref()?;
        let mut all = pages.all.borrow_mut();
        let (to_page, heard) = unbounded_channel();
        all.as_mut()?.insert(tab.to_owned(), (login.to_owned(), to_page));
        Some(Tunnel { tab: tab.to_owned(), said: pages.said.clone(), heard, declared: Rc::clone(&pages.declared) })
    }
}

/// By `tabid`: whose page, and what it hears.
type ByTab = BTreeMap<String, (String, UnboundedSender<Envelope>)>;

/// The pages behind one connection of a link.
#[derive(Clone)]
pub(crate) struct Pages {
    all: Rc<RefCell<Option<ByTab>>>,
    said: UnboundedSender<String>,
    /// Whether the CRM has said which forms it has.
    declared: Rc<Cell<bool>>,
}

impl Pages {
    /// Nobody yet; and what they are going to say.
    pub(crate) fn new() -> (Self, UnboundedReceiver<String>) {
        let (said, saying) = unbounded_channel();
        (Self { all: Rc::new(RefCell::new(Some(ByTab::new()))), said, declared: Rc::default() }, saying)
    }

    pub(crate) fn declare(&self) {
        self.declared.set(true);
    }

    /// The connection is over, and with it every page's way.
    pub(crate) fn close(&self) {
        self.all.borrow_mut().take();
    }

    /// Hands a message on. One that names nobody is for everybody, which no more than the states of numbers are.
    pub(crate) fn hand(&self, message: &Envelope, ledger: &Ledger) {
        let all = self.all.borrow();
        let Some(all) = all.as_ref() else { return };
        let (tab, login) = (text(message, "tabid"), text(message, "userlogin"));
        // A known CRM picks the page by either name. A refusal may name whom the call named.
        let as_asked = &*message.name == "pong" || message.body.int("result") == Some(0);
        if !as_asked && login.is_empty() != text(message, "userid").is_empty() {
            ledger.fault(format!("named by half: {message:?}"));
        }
        if login.is_empty() && &*message.name != "pbxnumberstatechanged" {
            return ledger.fault(format!("whose is this: {message:?}"));
        }
        for (name, (whose, page)) in all {
            let theirs = if tab.is_empty() { login.is_empty() || *whose == login } else { *name == tab };
            if theirs && !login.is_empty() && *whose != login {
                ledger.fault(format!("the page {name} of {whose} is told {message:?}"));
            } else if theirs {
                // It may just have been closed.
                let _ = page.send(message.clone());
            }
        }
    }
}

/// A page's end of it.
pub(crate) struct Tunnel {
    tab: String,
    said: UnboundedSender<String>,
    heard: UnboundedReceiver<Envelope>,
    declared: Rc<Cell<bool>>,
}

impl Tunnel {
    pub(crate) fn say(&self, json: &str) {
        // That the link is gone is heard.
        let _ = self.said.send(json.replacen('{', &format!(r#"{{"tabid":"{}","#, self.tab), 1));
    }

    pub(crate) fn shows_cards(&self) -> bool {
        self.declared.get()
    }

    /// `None`: the link is gone. Cancel safe.
    pub(crate) async fn hear(&mut self) -> Option<Envelope> {
        self.heard.recv().await
    }
}
