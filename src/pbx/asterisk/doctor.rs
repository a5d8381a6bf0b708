//! Looks at an Asterisk from the gateway's place: whether it is there, what the account may do, whether the modules, the
//! dialplan, the phones and the queues are there; and says what to add to which file.
//!
//! It changes nothing that lasts. To see what the account is told it touches a device state of its own
//! (`Custom:ctigate-doctor`), and shows a paused member of no phone to one queue for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use super::ami::{Action, Fault, Message, Session};
use super::fragments;
use super::{Settings, agi};
use crate::pbx::{Check, Verdict};
use crate::telemetry::logging::tame;

/// The oldest version that was tried.
const OLDEST: u32 = 16;
/// How long an event may take that shows a right.
const EVENT: Duration = Duration::from_secs(2);
/// The member that no queue rings.
const MEMBER: &str = "Local/doctor@ctigate-doctor";

/// What an action is for, and who has to allow it.
struct Need {
    action: &'static str,
    class: &'static str,
    module: &'static str,
    /// What people miss without it.
    what: &'static str,
    /// Whether hardly anything works without it.
    must: bool,
}

const fn need(action: &'static str, class: &'static str, module: &'static str, what: &'static str, must: bool) -> Need {
    Need { action, class, module, what, must }
}

const NEEDS: [Need; 22] = [
    need("CoreShowChannels", "reporting", "", "see the calls that go on", true),
    need("CoreSettings", "reporting", "", "see the version", true),
    need("DeviceStateList", "reporting", "", "see which phones are there", true),
    need("Getvar", "reporting", "", "see what a channel is for", true),
    need("ConfbridgeListRooms", "reporting", "app_confbridge", "conferences", false),
    need("ConfbridgeList", "reporting", "app_confbridge", "conferences", false),
    need("Hangup", "call", "", "hang up and decline", true),
    need("Redirect", "call", "", "transfer, hold and answer", true),
    need("Bridge", "call", "", "connect two parties", true),
    need("Setvar", "call", "", "hold and consultation", true),
    need("PlayDTMF", "call", "", "change how a listener takes part", false),
    need("ParkedCalls", "call", "res_parking", "parked calls", false),
    need("Originate", "originate", "", "call from the CRM", true),
    need("QueueAdd", "agent", "app_queue", "log in to queues", false),
    need("QueuePause", "agent", "app_queue", "breaks", false),
    need("QueueStatus", "", "app_queue", "see the queues", false),
    need("DBPut", "system", "", "redirection", false),
    need("DBDel", "system", "", "redirection", false),
    need("MixMonitor", "system", "app_mixmonitor", "recording", false),
    need("ConfbridgeStartRecord", "system", "app_confbridge", "recording of conferences", false),
    need("PJSIPNotify", "system", "res_pjsip_notify", "answering by NOTIFY talk", false),
    need("ModuleCheck", "system", "", "see which modules are there", false),
];

/// Modules behind applications and functions of the dialplan include, and what people miss without them.
const MODULES: [(&str, &str); 12] = [
    ("pbx_config", "the dialplan of extensions.conf"),
    ("app_dial", "every call"),
    ("chan_pjsip", "phones"),
    ("app_chanspy", "listening in"),
    ("app_confbridge", "conferences"),
    ("app_mixmonitor", "recording"),
    ("app_queue", "queues"),
    ("app_stack", "phones that answer by themselves"),
    ("func_callerid", "the caller's number in click-to-call"),
    ("func_db", "redirection"),
    ("res_agi", "questions of the dialplan"),
    ("res_musiconhold", "music for who waits"),
];

/// Looks at everything. `agi_bind`: where the dialplan is to reach the gateway.
pub async fn examine(settings: &Settings, agi_bind: Option<SocketAddr>) -> Vec<Check> {
    let account = &settings.account;
    let whom = format!("{}:{}", account.host, account.port);
    let mut session = match Session::open(account).await {
        Ok(session) => session,
        Err(fault) => return vec![Check::bad("asterisk", format!("{whom}: {fault}"), way_in(&fault, account))],
    };
    let mut doctor = Doctor { settings, checks: Vec::new(), allowed: BTreeSet::new() };
    if let Err(fault) = doctor.look(&mut session, &whom).await {
        let advice = "look at Asterisk's log, then try again";
        doctor.checks.push(Check::bad("asterisk", format!("{whom}: {fault}"), advice));
    }
    doctor.dialplan_reaches_us(agi_bind).await;
    doctor.checks
}

/// What to do about a login that does not come about.
fn way_in(fault: &Fault, account: &super::ami::Account) -> String {
    match fault {
        Fault::Refused { .. } => "\"ctigate asterisk config manager\" prints the section for manager.conf".to_owned(),
        Fault::Unreachable(_) => format!(
            "is Asterisk running? In manager.conf: [general] enabled = yes, port = {}, and a bindaddr that this machine reaches",
            account.port
        ),
        Fault::Other(_) | Fault::Silent(_) => {
            "see that pbx.asterisk.host and port are those of manager.conf".to_owned()
        }
        Fault::Tls(_) => "set pbx.asterisk.ca_file to Asterisk's certificate or its authority's, and port to that of \
                          tlsbindaddr in manager.conf"
            .to_owned(),
        _ => "see manager.conf, section [general]".to_owned(),
    }
}

struct Doctor<'a> {
    settings: &'a Settings,
    checks: Vec<Check>,
    /// The actions that the account may use.
    allowed: BTreeSet<String>,
}

impl Doctor<'_> {
    async fn look(&mut self, session: &mut Session, whom: &str) -> Result<(), Fault> {
        let booted = session.booted().await?;
        let (listed, _) = session.ask(Action::new("ListCommands")).await?;
        self.allowed = listed.fields().map(|(name, _)| name.to_owned()).collect();
        self.version(session, whom).await?;
        self.may_write();
        self.may_read(session, booted).await?;
        self.modules(session).await?;
        self.dialplan(session).await?;
        self.phones(session).await?;
        self.queues(session).await
    }

    fn may(&self, action: &str) -> bool {
        self.allowed.contains(action)
    }

    fn section(&self) -> String {
        format!("section [{}] of manager.conf", self.settings.account.user)
    }

    async fn version(&mut self, session: &mut Session, whom: &str) -> Result<(), Fault> {
        let (answer, _) = session.ask(Action::new("CoreSettings")).await?;
        let version = tame(answer.get("AsteriskVersion"));
        let major = version.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse::<u32>().ok());
        let found = if version.is_empty() {
            format!("{whom}, AMI {}, version unknown", tame(&session.version))
        } else {
            format!("{whom}, Asterisk {version}")
        };
        self.checks.push(match major {
            Some(major) if major < OLDEST => {
                Check::fair("asterisk", found, format!("versions before {OLDEST} were never tried; 22 is best"))
            }
            _ => Check::good("asterisk", found),
        });
        Ok(())
    }

    /// Which actions are allowed. Asterisk lists them; so a right that is missing is told from a module that is.
    fn may_write(&mut self) {
        let classes = ["reporting", "call", "originate", "agent", "system"];
        for class in classes {
            let of_class = || NEEDS.iter().filter(|need| need.class == class);
            let what = format!("write={class}");
            let missing: Vec<&Need> = of_class().filter(|need| !self.may(need.action)).collect();
            if missing.is_empty() {
                let actions: Vec<&str> = of_class().map(|need| need.action).collect();
                self.checks.push(Check::good(what, actions.join(", ")));
                continue;
            }
            if missing.len() == of_class().count() {
                let mut lost: Vec<&str> = of_class().map(|need| need.what).collect();
                lost.dedup();
                let must = of_class().any(|need| need.must) || self.is_needed(class);
                let found = format!("not allowed, so there is no way to: {}", lost.join("; "));
                let advice = format!("add {class} to write = in the {}", self.section());
                let check = if must { Check::bad } else { Check::fair };
                self.checks.push(check(what, found, advice));
                continue;
            }
            for need in missing {
                let found = format!("{} is not there: {}", need.action, need.what);
                let advice = match need.module {
                    "" => format!("this Asterisk is too old, or {class} is not in write = of the {}", self.section()),
                    module => format!("load {module}.so: in modules.conf, load = {module}.so"),
                };
                let check = if need.must { Check::bad } else { Check::fair };
                self.checks.push(check(what.clone(), found, advice));
            }
        }
    }

    /// Whether the configuration asks for something of the class.
    fn is_needed(&self, class: &str) -> bool {
        let plan = &self.settings.plan;
        match class {
            "system" => {
                plan.recordings.is_some() || plan.phones.values().any(|p| p.answer == super::machine::Answer::Notify)
            }
            "agent" => !plan.queues.is_empty(),
            _ => false,
        }
    }

    /// Which events come: nothing lists these rights, so something is made to happen.
    async fn may_read(&mut self, session: &mut Session, booted: bool) -> Result<(), Fault> {
        let advice = |class: &str| format!("add {class} to read = in the {}", self.section());
        let mut checks = vec![if booted {
            Check::good("read=system", "starts and stops of Asterisk are told")
        } else {
            let found = "not told, so a restart of Asterisk is noticed late (or it is starting just now)";
            Check::bad("read=system", found, advice("system"))
        }];
        let device = |state: &str| {
            Action::new("Setvar").with("Variable", "DEVICE_STATE(Custom:ctigate-doctor)").with("Value", state)
        };
        checks.push(if !self.may("Setvar") {
            Check::fair("read=call", "cannot be tried without write=call", advice("call"))
        } else {
            let told = |m: &Message| m.event() == "DeviceStateChange" && m.get("Device") == "Custom:ctigate-doctor";
            // Whichever it was, one of the two is a change.
            let mut seen = false;
            for state in ["INUSE", "NOT_INUSE"] {
                seen = session.ask_and_see(device(state), EVENT, told).await?.is_some() || seen;
            }
            if seen {
                Check::good("read=call", "calls and phones are told")
            } else {
                Check::bad("read=call", "calls and phones are not told", advice("call"))
            }
        });
        if let Some(queue) = self.settings.plan.queues.keys().next().filter(|_| self.may("QueueAdd")) {
            let member = |action| Action::new(action).with("Queue", queue).with("Interface", MEMBER);
            let told = |m: &Message| m.event() == "QueueMemberAdded" && m.get("Interface") == MEMBER;
            let add = member("QueueAdd").with("Paused", "true").with("MemberName", "ctigate doctor");
            let seen = session.ask_and_see(add, EVENT, told).await?;
            let (removed, _) = session.ask(member("QueueRemove")).await?;
            if seen.is_some() {
                checks.push(Check::good("read=agent", "queues are told"));
            } else if removed.response() == "Success" {
                checks.push(Check::bad("read=agent", "queues are not told", advice("agent")));
            }
        }
        self.checks.extend(checks);
        Ok(())
    }

    async fn modules(&mut self, session: &mut Session) -> Result<(), Fault> {
        if !self.may("ModuleCheck") {
            let advice = format!("add system to write = in the {}, if they are to be looked at", self.section());
            self.checks.push(Check::fair("modules", "cannot be looked at", advice));
            return Ok(());
        }
        let mut there = Vec::new();
        for (module, what) in MODULES {
            let (answer, _) = session.ask(Action::new("ModuleCheck").with("Module", module)).await?;
            if answer.response() == "Success" {
                there.push(module);
            } else {
                let advice = format!("in modules.conf: load = {module}.so");
                self.checks.push(Check::bad(format!("module {module}"), format!("not loaded: {what}"), advice));
            }
        }
        self.checks.push(Check::good("modules", there.join(", ")));
        Ok(())
    }

    async fn dialplan(&mut self, session: &mut Session) -> Result<(), Fault> {
        let plan = &self.settings.plan;
        let asked = session.ask(Action::new("ShowDialPlan").with("Context", &plan.context)).await?.0;
        self.checks.push(if asked.response() == "Success" {
            Check::good("context", format!("[{}] is there", plan.context))
        } else if self.may("ShowDialPlan") {
            let found = format!("[{}]: {}", plan.context, tame(asked.get("Message")));
            Check::bad("context", found, "set pbx.asterisk.context to the context in which users can be dialled")
        } else {
            Check::fair("context", "cannot be looked at", "add reporting to write = of manager.conf")
        });
        if !self.may("ShowDialPlan") {
            return Ok(());
        }
        let advice = "\"ctigate asterisk config dialplan > /etc/asterisk/extensions_cti.conf\", add #include \
                      \"extensions_cti.conf\" to extensions.conf, run: asterisk -rx 'dialplan reload'";
        let due = contexts(&fragments::dialplan(plan));
        let mut missing = Vec::new();
        for (context, extensions) in &due {
            let (_, lines) = session.ask(Action::new("ShowDialPlan").with("Context", context)).await?;
            let there: BTreeSet<&str> = lines.iter().map(|line| line.get("Extension")).collect();
            let gone: Vec<&str> = extensions.iter().map(String::as_str).filter(|e| !there.contains(e)).collect();
            if there.is_empty() {
                missing.push(format!("[{context}]"));
            } else if !gone.is_empty() {
                missing.push(format!("[{context}] {}", gone.join(" ")));
            }
        }
        self.checks.push(if missing.is_empty() {
            let names: Vec<String> = due.keys().map(|context| format!("[{context}]")).collect();
            Check::good("dialplan", names.join(" "))
        } else {
            Check::bad("dialplan", format!("missing or of another version: {}", missing.join(", ")), advice)
        });
        Ok(())
    }

    async fn phones(&mut self, session: &mut Session) -> Result<(), Fault> {
        let plan = &self.settings.plan;
        if !self.may("Getvar") || plan.phones.is_empty() {
            return Ok(());
        }
        let mut registered = 0;
        let (mut away, mut unknown, mut nowhere) = (Vec::new(), Vec::new(), Vec::new());
        for (number, phone) in &plan.phones {
            match value(session, &format!("DEVICE_STATE({})", phone.endpoint)).await?.as_str() {
                "INVALID" | "UNKNOWN" | "" => unknown.push(phone.endpoint.as_str()),
                "UNAVAILABLE" => away.push(&**number),
                _ => registered += 1,
            }
            if value(session, &format!("DIALPLAN_EXISTS({},{number},1)", plan.context)).await? == "0" {
                nowhere.push(&**number);
            }
        }
        let found = format!("{registered} of {} registered", plan.phones.len());
        self.checks.push(if !unknown.is_empty() {
            let found = format!("{found}; Asterisk knows no {}", listed(&unknown));
            Check::bad(
                "phones",
                found,
                "set pbx.asterisk.endpoint, or the phone in pbx.asterisk.phones, as pjsip.conf has it",
            )
        } else if !away.is_empty() {
            Check::fair("phones", format!("{found}; away: {}", listed(&away)), "switch them on")
        } else {
            Check::good("phones", found)
        });
        if !nowhere.is_empty() {
            let found = format!("[{}] does not lead to {}", plan.context, listed(&nowhere));
            let advice = format!("add them to [{}] in extensions.conf, or set pbx.asterisk.context", plan.context);
            self.checks.push(Check::bad("numbers", found, advice));
        }
        Ok(())
    }

    async fn queues(&mut self, session: &mut Session) -> Result<(), Fault> {
        let plan = &self.settings.plan;
        if plan.queues.is_empty() || !self.may("QueueStatus") {
            return Ok(());
        }
        let mut there = Vec::new();
        for (name, number) in &plan.queues {
            let (_, lines) = session.ask(Action::new("QueueStatus").with("Queue", name)).await?;
            if lines.iter().any(|line| line.event() == "QueueParams") {
                there.push(name.as_str());
            } else {
                let found = format!("Asterisk has no queue {name:?} (number {number})");
                let advice = format!("set pbx.asterisk.queues = {{ \"{number}\" = \"its name in queues.conf\" }}");
                self.checks.push(Check::bad("queues", found, advice));
            }
        }
        if !there.is_empty() {
            self.checks.push(Check::good("queues", there.join(", ")));
        }
        Ok(())
    }

    /// Whether Asterisk's machine can come to ours.
    async fn dialplan_reaches_us(&mut self, bind: Option<SocketAddr>) {
        let Some(bind) = bind else {
            let advice = "set pbx.asterisk.agi_bind, if the dialplan is to ask the CRM";
            return self.checks.push(Check::fair("agi", "switched off", advice));
        };
        let account = &self.settings.account;
        let Ok(found) = tokio::net::lookup_host((account.host.as_str(), account.port)).await else { return };
        let hosts: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
        let near = hosts.iter().all(IpAddr::is_loopback);
        let mut check = reaches(bind, &hosts, near, &self.settings.agi);
        if check.verdict == Verdict::Good {
            let near = if bind.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { bind.ip() };
            let listening = TcpStream::connect((near, bind.port())).await.is_ok();
            check.found.push_str(if listening { ", and listening" } else { "; it listens when the gateway runs" });
        }
        self.checks.push(check);
    }
}

fn reaches(bind: SocketAddr, hosts: &[IpAddr], near: bool, agi: &agi::Settings) -> Check {
    if bind.ip().is_loopback() && !near {
        let found = format!("{bind} is reached from this machine only, and Asterisk is on another");
        return Check::bad("agi", found, "set pbx.asterisk.agi_bind to an address that Asterisk reaches");
    }
    match hosts.iter().find(|host| !agi.allow.iter().any(|range| range.contains(**host))) {
        Some(host) => {
            let found = format!("{host}, where Asterisk is, may not connect to {bind}");
            Check::bad("agi", found, format!("add \"{host}\" to pbx.asterisk.agi_allow"))
        }
        None => Check::good("agi", format!("{bind}, open to Asterisk")),
    }
}

async fn value(session: &mut Session, variable: &str) -> Result<String, Fault> {
    let (answer, _) = session.ask(Action::new("Getvar").with("Variable", variable)).await?;
    Ok(answer.get("Value").to_owned())
}

/// Some of the names, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// The extensions of each context of a dialplan's text.
fn contexts(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut context = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
            context = name.to_owned();
            found.entry(context.clone()).or_default();
        } else if let Some(step) = line.strip_prefix("exten =>")
            && let Some((extension, _)) = step.split_once(',')
        {
            found.entry(context.clone()).or_default().insert(extension.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialplan_is_read_for_its_places() {
        let text = "; [no]\n[cti]\nexten => wait,1,Answer()\n same => n,Wait(1)\nexten => hold,1,Answer()\n\n[cti-c2c]\n\
                    exten => _X!,1,NoOp()\n";
        let found = contexts(text);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["cti", "cti-c2c"]);
        assert_eq!(found["cti"].iter().collect::<Vec<_>>(), ["hold", "wait"]);
        assert_eq!(found["cti-c2c"].iter().collect::<Vec<_>>(), ["_X!"]);
    }

    #[test]
    fn an_address_that_asterisk_cannot_reach_is_found() {
        let agi = |allow: &str| agi::Settings {
            allow: vec![allow.parse().unwrap()],
            timeout: EVENT,
            route_method: String::new(),
            directory: std::sync::Arc::default(),
        };
        let (near, far) = ("127.0.0.1".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let verdict = |bind: &str, host: IpAddr, allow: &str| {
            reaches(bind.parse().unwrap(), &[host], host.is_loopback(), &agi(allow)).advice
        };
        assert_eq!(verdict("127.0.0.1:4573", near, "127.0.0.1"), "");
        assert!(verdict("127.0.0.1:4573", far, "192.0.2.0/24").contains("agi_bind"));
        assert!(verdict("0.0.0.0:4573", far, "127.0.0.1").contains("agi_allow"));
        assert_eq!(verdict("0.0.0.0:4573", far, "192.0.2.0/24"), "");
    }

    #[test]
    fn long_lists_are_cut() {
        let names = ["1"; 10];
        assert_eq!(listed(&names), "1, 1, 1, 1, 1, 1, 1, 1 and 2 more");
        assert_eq!(listed(&names[..2]), "1, 1");
    }
}
