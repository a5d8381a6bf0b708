//! Orders to the telephone system whose end somebody waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{Body, CallError, Code, PeerId, Qid, Text};
use crate::telephony::{Act, Command, OrderId, Refusal};

use super::Hub;
use super::output::{Notice, Output};
use super::route::{Caller, Handled};
use super::timer::{Key, Timer};
use super::trace::{About, What, act_word};
use super::user::UserIx;

/// How long the telephone system may take to say whether it did as it was told.
const ORDER_WAIT: Duration = Duration::from_secs(10);

/// Orders that go on, by their id.
#[derive(Debug, Default)]
pub(super) struct Orders {
    open: BTreeMap<OrderId, Order>,
    last: u64,
}

#[derive(Debug)]
struct Order {
    caller: Caller,
    /// The method, for the name of the reply.
    method: Text,
    /// What a good reply says.
    reply: Body,
    key: Key,
}

impl Orders {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a call of this peer waits.
    pub(super) fn any_of(&self, peer: PeerId) -> bool {
        self.open.values().any(|order| order.caller.peer == peer)
    }
}

impl Hub {
    /// A person wants something of the own phone. The reply follows when the telephone system has said yes or no.
    pub(super) fn act(&mut self, caller: &Caller, method: &'static str, user: UserIx, act: Act) -> Handled {
        self.act_with(caller, method, user, act, Body::new())
    }

    /// The same, with what a good reply says.
    pub(super) fn act_with(
        &mut self,
        caller: &Caller,
        method: &'static str,
        user: UserIx,
        act: Act,
        reply: Body,
    ) -> Handled {
        let number = self.users[user].account.number.clone();
        let order = self.begin_order(caller, method, reply, ORDER_WAIT)?;
        self.step(About::user(user), What::Ordered { number: number.clone(), act: act_word(&act) });
        self.out.push_back(Output::Pbx(Box::new(Command::Phone { order, number, act })));
        Ok(None)
    }

    /// Notes an order; its number goes into the command.
    pub(super) fn begin_order(
        &mut self,
        caller: &Caller,
        method: &'static str,
        reply: Body,
        wait: Duration,
    ) -> Result<OrderId, CallError> {
        let most = match caller.link {
            Some(_) => self.settings.limits.in_flight_link,
            None => self.settings.limits.in_flight_tab,
        };
        let open = self.orders.open.values().filter(|o| o.caller.peer == caller.peer).count();
        if open >= most {
            let detail = format!("{open} orders to the telephone system wait for an answer already");
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        self.orders.last += 1;
        let order = OrderId(self.orders.last);
        let key = self.timers.set(self.now + wait, Timer::Order(order));
        self.out.push_back(Output::Notice(Notice::Ordered {
            order: order.0,
            peer: caller.ask.is_none().then_some(caller.peer),
            qid: caller.qid.as_ref().and_then(Qid::to_text).unwrap_or_default(),
            who: self.who(caller),
            method,
        }));
        let (caller, method) = (caller.to_keep(), Text::from_static(method));
        self.orders.open.insert(order, Order { caller, method, reply, key });
        Ok(order)
    }

    /// The telephone system says how it went.
    pub(super) fn order_done(&mut self, order: OrderId, result: Result<(), Refusal>) {
        if let Some((order, result)) = self.take_order(order, result) {
            match result {
                Ok(()) => self.succeed(&order.caller, &order.method, order.reply),
                Err(error) => self.fail(&order.caller, &order.method, &error),
            }
        }
    }

    /// A scenario that was started by name has begun or ended.
    pub(super) fn script_done(&mut self, order: OrderId, result: Result<Text, Refusal>) {
        let (value, result) = match result {
            Ok(value) => (value, Ok(())),
            Err(refusal) => (Text::new(), Err(refusal)),
        };
        if let Some((order, result)) = self.take_order(order, result) {
            match result {
                Ok(()) => self.succeed(&order.caller, &order.method, order.reply.with("returnvalue", value)),
                Err(error) => self.fail(&order.caller, &order.method, &error),
            }
        }
    }

    fn take_order(&mut self, id: OrderId, result: Result<(), Refusal>) -> Option<(Order, Result<(), CallError>)> {
        let order = self.orders.open.remove(&id)?;
        self.timers.cancel(order.key);
        let result = result.map_err(refused);
        self.order_told(id, result.as_ref().err());
        // Who asked may be gone.
        self.listens(&order.caller).then_some((order, result))
    }

    /// The telephone system said nothing.
    pub(super) fn order_unanswered(&mut self, id: OrderId) {
        let Some(order) = self.orders.open.remove(&id) else { return };
        let error = CallError::new(Code::Timeout, "the telephone system did not answer");
        self.order_told(id, Some(&error));
        if self.listens(&order.caller) {
            self.fail(&order.caller, &order.method, &error);
        }
    }

    fn order_told(&mut self, order: OrderId, error: Option<&CallError>) {
        self.out.push_back(Output::Notice(Notice::OrderDone { order: order.0, error: error.cloned() }));
    }
}

fn refused(refusal: Refusal) -> CallError {
    let (code, detail) = match refusal {
        Refusal::NoSuchNumber => (Code::NumberNotFound, "nobody has the number"),
        Refusal::Busy => (Code::NumberNotFound, "the number is busy"),
        Refusal::NoPhone => (Code::PhoneNotConnected, "the phone cannot be reached"),
        Refusal::WrongState => (Code::InvalidLineState, "the call has changed meanwhile"),
        Refusal::NoSuchConference => (Code::ConferenceNotFound, "the conference or the member is gone"),
        Refusal::NoSuchScript => (Code::NotFound, "scriptname names no scenario"),
        Refusal::Unable => (Code::InvalidLineState, "the phone cannot be made to do this"),
        Refusal::Full => (Code::NumberNotFound, "no line is free"),
        Refusal::Down => (Code::PhoneNotConnected, "the telephone system is away"),
    };
    CallError::new(code, detail)
}
