//! Users and numbers. `proto-spec/methods/user.md`.

use std::collections::BTreeSet;

use crate::message::{Body, Object, Value};

use crate::hub::Hub;
use crate::hub::ids::ZERO_GUID;
use crate::hub::route::{Caller, Handled};
use crate::hub::user::UserIx;

impl Hub {
    pub(in crate::hub) fn my_info(&self, caller: &Caller) -> Handled {
        let user = self.acting(caller)?;
        let account = &self.users[user].account;
        Ok(Some(
            Body::new()
                .with("userid", account.id.clone())
                .with("userlogin", account.login.clone())
                .with("username", account.name.clone())
                .with("mainpbxnumber", account.number.clone())
                .with("hasline", !account.number.is_empty())
                .with("lineid", account.number_id.clone())
                .with("linenumber", format!("{:0>5}", account.number))
                .with("isoperator", self.users[user].at_queue),
        ))
    }

    pub(in crate::hub) fn user_state(&self, caller: &Caller) -> Handled {
        let user = self.acting(caller)?;
        let mut body = Body::from(self.identity(user));
        for (name, value) in self.state_block(user) {
            body.set(name, value);
        }
        Ok(Some(body))
    }

    /// Every number: first those of people in the order of the accounts, then those of queues and groups.
    pub(in crate::hub) fn numbers(&self) -> Body {
        let people = self.users.iter().filter(|(_, u)| !u.account.number.is_empty()).map(|(_, u)| {
            Object::new()
                .with("number", u.account.number.clone())
                .with("id", u.account.number_id.clone())
                .with("caption", u.account.name.clone())
                .with("state", u.state())
                .with("departmentid", u.account.department_id.clone())
                .with("department", u.account.department.clone())
        });
        let groups = self.settings.numbers.iter().map(|g| {
            Object::new()
                .with("number", g.number.clone())
                .with("id", g.id.clone())
                .with("caption", g.name.clone())
                .with("state", 1)
                .with("departmentid", ZERO_GUID)
                .with("department", "")
        });
        Body::new().with("numbers", people.chain(groups).map(Value::Object).collect::<Vec<_>>())
    }

    pub(in crate::hub) fn user_numbers(&self, caller: &Caller) -> Body {
        let named = caller.user.map(|u| &self.users[u].account.subordinates[..]).unwrap_or_default();
        let subordinates: BTreeSet<UserIx> = named.iter().filter_map(|login| self.users.by_login(login)).collect();
        let users = self.users.iter().map(|(ix, u)| {
            let numbers: Vec<Value> =
                if u.account.number.is_empty() { Vec::new() } else { vec![(&u.account.number).into()] };
            Value::Object(
                Object::new()
                    .with("id", u.account.id.clone())
                    .with("name", u.account.name.clone())
                    .with("main", u.account.number.clone())
                    .with("nums", numbers)
                    .with("sub", i64::from(subordinates.contains(&ix))),
            )
        });
        Body::new().with("users", users.collect::<Vec<_>>())
    }
}
