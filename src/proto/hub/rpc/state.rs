//! What a person says of itself. `proto-spec/methods/user.md`.

use crate::hub::Hub;
use crate::hub::route::{Caller, Handled};
use crate::message::{Body, Object, Value};

impl Hub {
    pub(in crate::hub) fn set_user_state(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        self.choose(user, body)?;
        self.user_state(caller)
    }

    pub(in crate::hub) fn call_centre(&mut self, caller: &Caller, on: bool) -> Handled {
        let user = self.acting(caller)?;
        self.choose(user, &Body::new().with("oncallcenter", on))?;
        Ok(Some(Body::new()))
    }

    pub(in crate::hub) fn break_reasons(&self) -> Handled {
        let items = self.settings.breaks.iter();
        let items = items.map(|b| Value::Object(Object::new().with("id", b.id).with("name", b.name.clone())));
        Ok(Some(Body::new().with("items", items.collect::<Vec<_>>())))
    }
}
