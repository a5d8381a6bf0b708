//! Integration keys.

use ctigate_proto::auth::grant::Scope;
use ctigate_proto::auth::same_login;
use ctigate_proto::message::Text;
use ctigate_proto::method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Desk, Doer, Refused, unix_ms};
use crate::config::{Right, Secret};
use crate::store::ApiKey;

/// What a key is to be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyWish {
    /// Its name.
    pub client_id: String,
    /// Whom it is for.
    pub kind: Kind,
    /// The person of a widget.
    pub login: Option<String>,
    /// The numbers of a service: `100-199,300`; empty: all.
    pub numbers: Option<String>,
    /// What it may do. Nothing named: `call state queue journal users dynamic forms` for a service, `call state queue journal users` for a
    /// widget.
    pub rights: Option<Vec<Right>>,
    /// When it ends, milliseconds since 1970; nothing or 0: never.
    pub expires_ms: Option<i64>,
}

/// Whom a key is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// All people in a range of numbers.
    #[default]
    Service,
    /// One person.
    Widget,
}

impl Desk {
    /// All keys, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, Refused> {
        Ok(self.store.keys().await?)
    }

    /// Makes a key and gives it, once.
    ///
    /// # Errors
    /// [`Refused::Conflict`] when the name is taken, [`Refused::Unfit`].
    pub async fn add_key(&self, wish: KeyWish, doer: &Doer) -> Result<Secret, Refused> {
        self.refresh().await?;
        let now_ms = unix_ms();
        let KeyWish { client_id: client, kind, login, numbers, rights, expires_ms } = wish;
        let sign = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if client.is_empty() || client.len() > 64 || !client.chars().all(sign) {
            let found = client.escape_debug();
            return Err(Refused::unfit(format!(
                "client_id: found \"{found}\", expected 1 to 64 ASCII letters, digits or signs of ._-"
            )));
        }
        let login = login.filter(|login| !login.is_empty());
        let numbers = numbers.filter(|numbers| !numbers.is_empty());
        let scope = match (kind, login, numbers) {
            (Kind::Service, None, numbers) => {
                let numbers = numbers.unwrap_or_default().parse();
                Scope::Service(numbers.map_err(|why| Refused::unfit(format!("numbers: {why}")))?)
            }
            (Kind::Service, Some(_), _) => {
                return Err(Refused::unfit(
                    "login: a service is for all people in its numbers; a widget is for one person",
                ));
            }
            (Kind::Widget, None, _) => return Err(Refused::unfit("login: a widget needs the login of its person")),
            (Kind::Widget, Some(_), Some(_)) => {
                return Err(Refused::unfit("numbers: a widget has the number of its person"));
            }
            (Kind::Widget, Some(login), None) => Scope::Widget(self.widget_person(&login)?),
        };
        let rights = rights.filter(|rights| !rights.is_empty()).unwrap_or_else(|| usual(kind));
        if rights.iter().any(|right| right.0 == method::Right::Admin) {
            return Err(Refused::unfit("rights: keys do not administer; admin is for people and the admin token"));
        }
        let expires_ms = expires_ms.unwrap_or(0);
        if expires_ms != 0 && expires_ms <= now_ms {
            return Err(Refused::unfit("expires_ms: this is over already"));
        }
        let key = ApiKey { client, scope, rights, made_ms: now_ms, expires_ms, used_ms: 0, replaced_ms: 0 };
        match self.store.add_key(&key).await? {
            Some(secret) => {
                self.note(doer, "key.add", &key.client, json!({ "is": shown(&key) })).await?;
                Ok(secret)
            }
            None => {
                let client = &key.client;
                Err(Refused::Conflict(format!(
                    "there is a key {client} already; ctigate key replace {client} makes a new one in its place, ctigate key remove \
                     {client} takes it away"
                )))
            }
        }
    }

    /// Puts another key in the place of one, and gives it, once. The old one counts no more.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub async fn replace_key(&self, client: &str, doer: &Doer) -> Result<Secret, Refused> {
        let made = self.store.replace_key(client, unix_ms()).await?;
        let secret = made.ok_or_else(|| Refused::Unknown(format!("there is no key {client}")))?;
        self.note(doer, "key.replace", client, Value::Null).await?;
        Ok(secret)
    }

    /// Takes a key away.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub async fn remove_key(&self, client: &str, doer: &Doer) -> Result<(), Refused> {
        let key = self.store.keys().await?.into_iter().find(|key| key.client == client);
        match key.filter(|_| true) {
            Some(key) if self.store.remove_key(client).await? => {
                self.note(doer, "key.remove", client, json!({ "was": shown(&key) })).await?;
                Ok(())
            }
            _ => Err(Refused::Unknown(format!("there is no key {client}"))),
        }
    }

    fn widget_person(&self, login: &str) -> Result<Text, Refused> {
        let config = self.effective();
        let user = config.users.iter().find(|user| same_login(&user.login, login));
        let user = user.ok_or_else(|| Refused::Unknown(format!("there is no user {login}")))?;
        if user.number.is_empty() {
            return Err(Refused::unfit(format!("login: {} has no number", user.login)));
        }
        if !user.api_call_enabled {
            let login = &user.login;
            return Err(Refused::unfit(format!(
                "login: programs may not act for {login}: api_call_enabled is off; switch it on with: ctigate user set {login} --api-calls yes"
            )));
        }
        Ok(Text::from(&*ctigate_proto::auth::login_key(&user.login)))
    }
}

/// What a key may when nobody says.
fn usual(kind: Kind) -> Vec<Right> {
    use method::Right::{Call, Dynamic, Forms, Journal, Queue, State, Users};
    let all: &[method::Right] = match kind {
        Kind::Service => &[Call, State, Queue, Journal, Users, Dynamic, Forms],
        Kind::Widget => &[Call, State, Queue, Journal, Users],
    };
    all.iter().copied().map(Right).collect()
}

/// A key for the trail.
fn shown(key: &ApiKey) -> Value {
    let rights: Vec<&str> = key.rights.iter().map(|right| right.0.word()).collect();
    let mut shown = json!({ "kind": key.scope.word(), "rights": rights, "expires_ms": key.expires_ms });
    match &key.scope {
        Scope::Service(numbers) => shown["numbers"] = numbers.to_string().into(),
        Scope::Widget(login) => shown["login"] = login.to_string().into(),
    }
    shown
}
