//! How open forms outlive the node: what is kept of them, and how they come back.

use std::time::Duration;

use crate::hub::Hub;
use crate::hub::declaration::Parameter;
use crate::hub::dynamic::chain_of;
use crate::hub::output::StoredForm;
use crate::hub::settings::FormKind;
use crate::hub::timer::Timer;
use crate::message::{Object, Text, Value};
use crate::telephony::CallId;

use super::Form;

impl Hub {
    pub(super) fn stored(&self, id: &Text, form: &Form) -> StoredForm {
        let list =
            |parameters: &[Parameter]| Value::Array(parameters.iter().map(|p| Value::Object(p.to_object())).collect());
        let body = Object::new()
            .with("name", form.name.clone())
            .with("caption", form.caption.clone())
            .with("chainid", chain_of(form.call.as_ref()))
            .with("kind", form.kind.word())
            .with("one", form.one)
            .with("since", form.since_ms)
            .with("callerid", form.party.0.clone())
            .with("callername", form.party.1.clone())
            .with("input", form.input.clone())
            .with("shown", list(&form.shown_input))
            .with("output", form.output.as_ref().map(|o| list(o)));
        StoredForm {
            id: id.clone(),
            login: self.users[form.user].account.login.clone(),
            expires_ms: form.expires_ms,
            body: (self.settings.notation.write)(&body),
        }
    }

    /// Puts an open form back that a store kept. Its call and its scenario are gone: only an answer, a request or its time
    /// ends it now. False when the record cannot be read or its user is gone.
    pub fn restore_form(&mut self, stored: &StoredForm) -> bool {
        let Some(user) = self.users.by_login(&stored.login) else { return false };
        let Some(body) = (self.settings.notation.read)(&stored.body) else { return false };
        let text = |name: &str| body.get(name).and_then(Value::to_text).unwrap_or_default();
        let list = |name: &str| body.get(name).and_then(Value::as_array).map(Parameter::from_values);
        let left = stored.expires_ms.saturating_sub(self.wall(self.now));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let key = self.timers.set(self.now + left, Timer::FormExpires(stored.id.clone()));
        let chain = text("chainid");
        self.forms.next += 1;
        let form = Form {
            name: text("name"),
            caption: text("caption"),
            user,
            call: (!chain.is_empty()).then_some(CallId(chain)),
            kind: FormKind::parse(&text("kind")).unwrap_or_default(),
            one: body.get("one").and_then(Value::to_bool).unwrap_or(false),
            input: body.get("input").and_then(Value::as_object).cloned().unwrap_or_default(),
            shown_input: list("shown").unwrap_or_default(),
            output: list("output"),
            close_on: Vec::new(),
            run: None,
            order: self.forms.next,
            since_ms: body.get("since").and_then(Value::to_i64).unwrap_or_default(),
            expires_ms: stored.expires_ms,
            key,
            tabs: Vec::new(),
            links: Vec::new(),
            tab: None,
            party: (text("callerid"), text("callername")),
        };
        self.forms.open.insert(stored.id.clone(), form);
        true
    }
}
