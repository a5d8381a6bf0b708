//! What the dialplan wants: `dynamic/METHOD`, `form/NAME` or `route`, and its arguments.
//!
//! Arguments stand behind a `?` in the address or follow it, `AGI(agi://gateway/dynamic/M?a=1,b=2)`, each `name=value` in
//! percent-encoding; `name:=value` is JSON. Those whose name begins with `_` are for the gateway.

use std::time::Duration;

use ctigate_proto::codec;
use ctigate_proto::message::{Object, Text, Value};

use super::wire::Header;
use crate::config::units::duration;

/// Most arguments.
const ARGUMENTS: usize = 128;
/// The longest that a dialplan may wait for a dynamic method.
pub(super) const LONGEST_ASK: Duration = Duration::from_secs(60);
/// The longest that it may wait for a person who fills in a form.
pub(super) const LONGEST_FORM: Duration = Duration::from_secs(3600);
/// Deepest nesting of a JSON argument.
const DEPTH: usize = 64;

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// Ask a dynamic method.
    Dynamic(Asking),
    /// Ask who should get the call.
    Route {
        /// The method.
        asking: Asking,
        /// The member of its output that says who.
        take: String,
    },
    /// Open a form.
    Form(Form),
}

/// A dynamic method to be asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asking {
    pub(super) method: Text,
    pub(super) input: Object,
    /// By login; may be empty.
    pub(super) user: Text,
    pub(super) deadline: Duration,
    pub(super) late: Duration,
    pub(super) fallback: Option<Object>,
}

/// A form to be opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub(super) name: Text,
    /// A login or an inside number.
    pub(super) user: Text,
    pub(super) parameters: Object,
    pub(super) expire: Option<Duration>,
    /// How long its answer is waited for.
    pub(super) wait: Option<Duration>,
    /// Whether it is taken back when it is waited for no more.
    pub(super) close: bool,
}

/// What is the same for all requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults<'a> {
    pub(super) timeout: Duration,
    pub(super) route_method: &'a str,
}

/// Arguments of the gateway's own.
#[derive(Debug, Default)]
struct Own {
    user: Text,
    deadline: Option<Duration>,
    late: Duration,
    fallback: Option<Object>,
    expire: Option<Duration>,
    wait: Option<Duration>,
    close: bool,
    method: Option<Text>,
    take: Option<String>,
}

/// Reads what is wanted.
///
/// # Errors
/// What was found and what is expected, for the person who writes the dialplan.
pub(super) fn read(header: &Header, defaults: Defaults<'_>) -> Result<Request, String> {
    let script = match header.get("network_script") {
        "" => behind_host(header.get("request")),
        script => script,
    };
    let (path, query) = script.split_once('?').unwrap_or((script, ""));
    let path = path.trim_matches('/');
    let pairs = query.split('&').chain(header.arguments()).filter(|pair| !pair.is_empty());
    let (mut input, own) = arguments(pairs)?;
    let (kind, name) = path.split_once('/').map_or((path, None), |(kind, name)| (kind, Some(decoded(name))));
    let name = name.filter(|name| !name.is_empty());
    let asking = |method: Text, input: Object, own: Own| Asking {
        method,
        input,
        user: own.user,
        deadline: own.deadline.unwrap_or(defaults.timeout),
        late: own.late,
        fallback: own.fallback,
    };
    match (kind, name) {
        ("dynamic", Some(name)) => Ok(Request::Dynamic(asking(name.into(), input, own))),
        ("route", None) => {
            // Without arguments of its own it asks for the caller; with some, a method may know no others.
            if input.is_empty() {
                let called = [header.get("dnid"), header.get("extension")].into_iter().find(|n| !n.is_empty());
                input.set("phone", Value::String(header.get("callerid").into()));
                input.set("called", Value::String(called.unwrap_or_default().into()));
            }
            let method = own.method.clone().unwrap_or_else(|| defaults.route_method.into());
            let take = own.take.clone().unwrap_or_else(|| "route".to_owned());
            Ok(Request::Route { asking: asking(method, input, own), take })
        }
        ("form", Some(name)) if own.user.is_empty() => {
            Err(format!("the form \"{name}\" is for nobody: add _user=LOGIN or _user=NUMBER"))
        }
        ("form", Some(name)) => Ok(Request::Form(Form {
            name: name.into(),
            user: own.user,
            parameters: input,
            expire: own.expire,
            wait: own.wait,
            close: own.close,
        })),
        _ => Err(format!("found \"/{path}\"; expected /dynamic/METHOD, /form/NAME or /route")),
    }
}

/// What stands behind the host of `agi://host/script`.
fn behind_host(url: &str) -> &str {
    url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, script)| script)
}

fn arguments<'a>(pairs: impl Iterator<Item = &'a str>) -> Result<(Object, Own), String> {
    let mut input = Object::new();
    let mut own = Own::default();
    for (count, pair) in pairs.enumerate() {
        if count >= ARGUMENTS {
            return Err(format!("there are more than {ARGUMENTS} arguments"));
        }
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!("found the argument \"{pair}\", expected NAME=VALUE"));
        };
        let value = decoded(value);
        let (name, value) = match name.strip_suffix(':') {
            None => (decoded(name), Value::String(value.into())),
            Some(name) => match codec::decode_value(&Text::from(value.as_str()), DEPTH) {
                Ok(json) => (decoded(name), json),
                Err(_) => {
                    return Err(format!("{name}: found \"{value}\", which is no JSON; write {name}=… for a text"));
                }
            },
        };
        match name.strip_prefix('_') {
            None => input.set(name, value),
            Some(known) => own.set(known, &value)?,
        }
    }
    Ok((input, own))
}

impl Own {
    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let wrong = |expected: &str| format!("_{name}: expected {expected}");
        let text = match value {
            Value::String(text) => text.clone(),
            _ if name == "fallback" => Text::new(),
            _ => return Err(wrong("a text")),
        };
        let time = |most: Duration| {
            let time = duration::parse(&text).map_err(|why| format!("_{name}: {why}"))?;
            if time > most { Err(wrong(&format!("at most {}", duration::text(most)))) } else { Ok(time) }
        };
        match name {
            "user" => self.user = text,
            "method" => self.method = Some(text),
            "take" => self.take = Some(text.to_string()),
            "deadline" => self.deadline = Some(time(LONGEST_ASK)?),
            "late" => self.late = time(LONGEST_FORM)?,
            "expire" => self.expire = Some(time(Duration::from_secs(86_400))?),
            "wait" => self.wait = Some(time(LONGEST_FORM)?),
            "close" => {
                self.close = match &*text {
                    "yes" | "1" => true,
                    "no" | "0" => false,
                    _ => return Err(wrong("yes or no")),
                }
            }
            "fallback" => match value {
                Value::Object(object) => self.fallback = Some(object.clone()),
                _ => return Err(wrong("an object, like _fallback:={\"manager\":\"\"}")),
            },
            _ => {
                let known = "_user, _deadline, _late, _fallback, _method, _take, _wait, _expire, _close";
                return Err(format!("there is no argument _{name}; those that begin with _ are {known}"));
            }
        }
        Ok(())
    }
}

/// A text without its percent-encoding. A `+` stays what it is: it begins telephone numbers.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex =
            |at: usize| behind.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULTS: Defaults<'_> = Defaults { timeout: Duration::from_secs(5), route_method: "GetRoute" };

    fn header(lines: &[&str]) -> Header {
        let mut header = Header::default();
        lines.iter().for_each(|line| header.line(line));
        header
    }

    fn wanted(script: &str, arguments: &[&str]) -> Result<Request, String> {
        let mut lines = vec![format!("agi_network_script: {script}")];
        lines.push("agi_callerid: 79001112233".to_owned());
        lines.push("agi_extension: 500".to_owned());
        lines.extend(arguments.iter().enumerate().map(|(n, a)| format!("agi_arg_{}: {a}", n + 1)));
        read(&header(&lines.iter().map(String::as_str).collect::<Vec<_>>()), DEFAULTS)
    }

    fn string(object: &Object, name: &str) -> String {
        match object.get(name) {
            Some(Value::String(text)) => text.to_string(),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_dynamic_method_takes_arguments_from_both_places() {
        let script = "dynamic/Find%20Client?phone=+7900&name=%D0%AF%26b&_deadline=2s&_user=ivanov";
        let Ok(Request::Dynamic(asking)) = wanted(script, &["city=%4Dir", "n:=5", "_fallback:={\"manager\":\"\"}"])
        else {
            panic!("no dynamic method")
        };
        assert_eq!((&*asking.method, &*asking.user), ("Find Client", "ivanov"));
        assert_eq!((asking.deadline, asking.late), (Duration::from_secs(2), Duration::ZERO));
        assert_eq!(string(&asking.input, "phone"), "+7900");
        assert_eq!(string(&asking.input, "name"), "Я&b");
        assert_eq!(string(&asking.input, "city"), "Mir");
        assert_eq!(asking.input.get("n"), Some(&Value::Number(5_i64.into())));
        assert_eq!(asking.input.len(), 4);
        assert_eq!(string(&asking.fallback.unwrap(), "manager"), "");
        let Ok(Request::Dynamic(asking)) = wanted("dynamic/M", &[]) else { panic!("no dynamic method") };
        assert_eq!((asking.deadline, asking.fallback), (DEFAULTS.timeout, None));
    }

    #[test]
    fn a_route_knows_the_caller_and_the_number() {
        let Ok(Request::Route { asking, take }) = wanted("route", &[]) else { panic!("no route") };
        assert_eq!((&*asking.method, take.as_str()), ("GetRoute", "route"));
        assert_eq!(
            (string(&asking.input, "phone"), string(&asking.input, "called")),
            ("79001112233".into(), "500".into())
        );
        let script = "/route/?phone=1&_method=FindManager&_take=manager";
        let Ok(Request::Route { asking, take }) = wanted(script, &[]) else { panic!("no route") };
        assert_eq!(asking.input.len(), 1);
        assert_eq!(
            (&*asking.method, take.as_str(), string(&asking.input, "phone")),
            ("FindManager", "manager", "1".into())
        );
    }

    #[test]
    fn a_form_is_for_somebody() {
        let Ok(Request::Form(form)) = wanted("form/card?_user=101&_wait=30s&_close=yes&_expire=5m&phone=1", &[]) else {
            panic!("no form")
        };
        assert_eq!((&*form.name, &*form.user, form.close), ("card", "101", true));
        assert_eq!((form.wait, form.expire), (Some(Duration::from_secs(30)), Some(Duration::from_secs(300))));
        assert_eq!(form.parameters.len(), 1);
        assert!(wanted("form/card", &[]).unwrap_err().contains("_user"));
    }

    #[test]
    fn the_whole_address_does_when_asterisk_gives_no_script() {
        let header = header(&["agi_request: agi://127.0.0.1:4573/dynamic/M?a=1"]);
        assert!(matches!(read(&header, DEFAULTS), Ok(Request::Dynamic(asking)) if asking.input.len() == 1));
    }

    #[test]
    fn what_is_wrong_is_told_to_whoever_writes_the_dialplan() {
        for (script, told) in [
            ("", "/dynamic/METHOD"),
            ("dynamic", "/dynamic/METHOD"),
            ("route/x", "/route"),
            ("nope/x", "found \"/nope/x\""),
            ("dynamic/M?phone", "NAME=VALUE"),
            ("dynamic/M?a:=x", "no JSON"),
            ("dynamic/M?_dedline=2s", "_deadline"),
            ("dynamic/M?_deadline=2", "no duration"),
            ("dynamic/M?_deadline=2m", "at most 1m"),
            ("dynamic/M?_fallback=x", "an object"),
            ("form/card?_user=1&_close=maybe", "yes or no"),
        ] {
            let wrong = wanted(script, &[]).unwrap_err();
            assert!(wrong.contains(told), "{script}: {wrong}");
        }
        let many = vec!["a=1"; ARGUMENTS + 1];
        assert!(wanted("dynamic/M", &many).unwrap_err().contains("more than"));
    }

    #[test]
    fn broken_percent_signs_stay_as_they_are() {
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%4"), "%zz%4");
        assert_eq!(decoded("%ff"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_script_is_read_or_refused(script in any::<String>(), argument in any::<String>()) {
            let _ = wanted(&script, &[&argument]);
        }
    }
}
