//! Answers to forms: who may give one, whether it fits, and what comes too late.

use crate::hub::Hub;
use crate::hub::declaration;
use crate::hub::route::{Caller, Handled, object_part, required};
use crate::hub::settings::FormKind;
use crate::hub::user::UserIx;
use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::telephony::FormEnd;

use super::{Form, Gone};

impl Hub {
    /// `dlgcard_values` of a tab.
    pub(in crate::hub) fn card_values(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "cardid")?;
        self.answer_form(caller, "cardid", &id, body, &["values"])
    }

    /// `dlgcard_confirm` of a tab.
    pub(in crate::hub) fn card_confirm(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "cardid")?;
        let accept = body
            .flag("accept")
            .ok_or_else(|| CallError::new(Code::BadRequest, "accept is missing, expected true or false"))?;
        let user = self.acting(caller)?;
        let form = self.form_of(user, "cardid", &id)?;
        if form.kind != FormKind::Confirm {
            return Err(CallError::new(
                Code::BadRequest,
                "cardid: this card asks for no confirmation, answer with dlgcard_values",
            ));
        }
        self.finish_answer(caller, user, &id, Object::new().with("accept", accept), Text::new());
        Ok(Some(Body::new().with("cardid", id)))
    }

    /// `formresult` of a CRM, for one of its people.
    pub(in crate::hub) fn form_result(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "formid")?;
        self.answer_form(caller, "formid", &id, body, &["outputparameters", "values"])
    }

    /// `names_it`: the field that names the form; `fields`: those that may hold what is answered.
    fn answer_form(
        &mut self,
        caller: &Caller,
        names_it: &'static str,
        id: &Text,
        body: &Body,
        fields: &[&'static str],
    ) -> Handled {
        let user = match caller.user {
            Some(user) => user,
            // A CRM may leave the user out: the form knows whose it is.
            None => {
                let mine = |f: &&Form| caller.link.is_none_or(|l| self.links[l].has_user(f.user));
                self.forms.open.get(id).filter(mine).map(|f| f.user).ok_or_else(|| self.form_gone(names_it, id))?
            }
        };
        let form = self.form_of(user, names_it, id)?;
        if form.kind == FormKind::Reserve {
            let detail = format!("{names_it}: a reserve card is not answered");
            return Err(CallError::new(Code::BadRequest, detail));
        }
        let Value::Object(mut output) = object_part(body, fields)?.open() else { return Err(Code::BadRequest.into()) };
        if let Some(declared) = &form.output {
            output = declaration::coerce(output, declared);
            declaration::check(&output, declared)
                .map_err(|why| CallError::new(Code::BadRequest, format!("{}: {why}", fields[0])))?;
        }
        let comment = body.text("comment").unwrap_or_default();
        self.finish_answer(caller, user, id, output, comment);
        Ok(Some(Body::new().with(names_it, id.clone())))
    }

    fn finish_answer(&mut self, caller: &Caller, user: UserIx, id: &Text, output: Object, comment: Text) {
        let by = self.users[user].account.login.clone();
        self.end_form(id, FormEnd::Answered { by, output, comment }, Some(caller));
    }

    fn form_of(&self, user: UserIx, names_it: &str, id: &Text) -> Result<&Form, CallError> {
        self.forms.open.get(id).filter(|f| f.user == user).ok_or_else(|| self.form_gone(names_it, id))
    }

    /// Why a form that this field names is not open.
    pub(super) fn form_gone(&self, names_it: &str, id: &Text) -> CallError {
        match self.forms.ended.iter().rev().find(|(_, ended, _)| ended == id) {
            Some((.., Gone::Answered(by))) => CallError::new(Code::AlreadyAnswered, by.clone()),
            Some((.., Gone::Over(how))) => CallError::new(Code::NotFound, format!("{names_it}: {how}")),
            None => CallError::new(Code::NotFound, format!("{names_it}: no such form is open")),
        }
    }
}
