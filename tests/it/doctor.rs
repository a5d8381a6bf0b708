//! `ctigate doctor` and `ctigate asterisk config` as people use them, against an Asterisk that says what a story needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const ACTIONS: [&str; 21] = [
    "CoreShowChannels",
    "CoreSettings",
    "DeviceStateList",
    "Getvar",
    "ConfbridgeListRooms",
    "ConfbridgeList",
    "ShowDialPlan",
    "Hangup",
    "Redirect",
    "Bridge",
    "Setvar",
    "PlayDTMF",
    "ParkedCalls",
    "Originate",
    "QueueAdd",
    "QueuePause",
    "QueueStatus",
    "DBPut",
    "DBDel",
    "MixMonitor",
    "ModuleCheck",
];

/// What an Asterisk has and allows.
#[derive(Clone)]
struct Pbx {
    actions: BTreeSet<&'static str>,
    read: BTreeSet<&'static str>,
    without_module: &'static str,
    dialplan: BTreeMap<String, BTreeSet<String>>,
    devices: BTreeMap<&'static str, &'static str>,
    queue: &'static str,
    version: &'static str,
    lets_in: bool,
}

impl Pbx {
    /// One that has everything.
    fn well() -> Self {
        let mut dialplan: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut context = String::new();
        let folder = tempfile::tempdir().unwrap();
        for line in run(folder.path(), &["asterisk", "config", "dialplan"]).out.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                context = name.to_owned();
            } else if let Some(extension) = line.strip_prefix("exten => ").and_then(|l| l.split(',').next()) {
                dialplan.entry(context.clone()).or_default().insert(extension.to_owned());
            }
        }
        dialplan.entry("internal".to_owned()).or_default().insert("_1XX".to_owned());
        let mut actions = BTreeSet::from(ACTIONS);
        actions.extend(["ConfbridgeStartRecord", "PJSIPNotify"]);
        Self {
            actions,
            read: BTreeSet::from(["system", "call", "agent"]),
            without_module: "",
            dialplan,
            devices: BTreeMap::from([("PJSIP/101", "NOT_INUSE"), ("PJSIP/102", "INUSE")]),
            queue: "support",
            version: "22.10.1",
            lets_in: true,
        }
    }

    /// Answers on a port of its own until the test ends.
    fn listen(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                self.serve(stream.unwrap());
            }
        });
        port
    }

    fn serve(&self, stream: TcpStream) {
        let mut to = stream.try_clone().unwrap();
        to.write_all(b"Asterisk Call Manager/11.0.0\r\n").unwrap();
        let mut action = BTreeMap::new();
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if let Some((key, value)) = line.split_once(": ") {
                action.insert(key.to_owned(), value.to_owned());
            } else if line.is_empty() {
                let text = self.answer(&std::mem::take(&mut action));
                if to.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }

    fn answer(&self, action: &BTreeMap<String, String>) -> String {
        let get = |key: &str| action.get(key).map_or("", String::as_str);
        let id = get("ActionID");
        let yes = |rest: &str| format!("Response: Success\r\nActionID: {id}\r\n{rest}\r\n");
        let no = |why: &str| format!("Response: Error\r\nActionID: {id}\r\nMessage: {why}\r\n\r\n");
        let list = |items: Vec<String>| {
            let items: String = items.iter().map(|item| format!("{item}ActionID: {id}\r\n\r\n")).collect();
            let end = format!("Event: ListComplete\r\nActionID: {id}\r\nEventList: Complete\r\n\r\n");
            format!("{}{items}{end}", yes("EventList: start\r\n"))
        };
        let event = |class: &str, text: String| if self.read.contains(class) { text } else { String::new() };
        let name = get("Action");
        if !["Challenge", "Login", "ListCommands", "QueueRemove"].contains(&name) && !self.actions.contains(name) {
            return no("Permission denied");
        }
        match name {
            "Challenge" => yes("Challenge: 5\r\n"),
            "Login" if !self.lets_in => no("Authentication failed"),
            "Login" => yes("") + &event("system", "Event: FullyBooted\r\n\r\n".to_owned()),
            "ListCommands" => {
                yes(&self.actions.iter().map(|a| format!("{a}: does it.  (Priv: all)\r\n")).collect::<String>())
            }
            "CoreSettings" => yes(&format!("AsteriskVersion: {}\r\n", self.version)),
            "Setvar" => {
                let device = "Event: DeviceStateChange\r\nDevice: Custom:ctigate-doctor\r\nState: X\r\n\r\n";
                yes("") + &event("call", device.to_owned())
            }
            "QueueAdd" => {
                let interface = get("Interface");
                yes("") + &event("agent", format!("Event: QueueMemberAdded\r\nInterface: {interface}\r\n\r\n"))
            }
            "QueueRemove" => yes(""),
            "ModuleCheck" if get("Module") == self.without_module => no("Module not loaded"),
            "ModuleCheck" => yes("Version: \r\n"),
            "ShowDialPlan" => match self.dialplan.get(get("Context")) {
                Some(extensions) => {
                    list(extensions.iter().map(|e| format!("Event: ListDialplan\r\nExtension: {e}\r\n")).collect())
                }
                None => no("Did not find context"),
            },
            "Getvar" => {
                let variable = get("Variable");
                let device = variable.strip_prefix("DEVICE_STATE(").map(|rest| rest.trim_end_matches(')'));
                let value = device.map_or("1", |device| self.devices.get(device).copied().unwrap_or("INVALID"));
                yes(&format!("Variable: {variable}\r\nValue: {value}\r\n"))
            }
            "QueueStatus" if get("Queue") == self.queue => {
                list(vec![format!("Event: QueueParams\r\nQueue: {}\r\n", self.queue)])
            }
            "QueueStatus" => list(Vec::new()),
            _ => yes(""),
        }
    }
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctigate"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CTIGATE_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A configuration for an Asterisk on `port`.
fn house(port: u16) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/recordings")).unwrap();
    let text = format!(
        "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n\
         [pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nport = {port}\nsecret = \"hush\"\nagi_bind = \"127.0.0.1:0\"\n\
         queues = {{ \"600\" = \"support\" }}\nrecord_folder = \"/var/spool/asterisk/monitor\"\n\
         [[queue]]\nnumber = \"600\"\n\
         [[user]]\nlogin = \"a\"\npassword = \"x\"\nnumber = \"101\"\n\
         [[user]]\nlogin = \"b\"\npassword = \"x\"\nnumber = \"102\"\n"
    );
    fs::write(folder.path().join("ctigate.toml"), text).unwrap();
    folder
}

#[test]
fn an_asterisk_that_has_everything_is_well() {
    let folder = house(Pbx::well().listen());
    let ended = run(folder.path(), &["doctor"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.ends_with("everything is well\n"), "{}", ended.out);
    let column = ended.out.lines().next().unwrap().find("ctigate.toml").unwrap();
    for due in ["Asterisk 22.10.1", "2 of 2 registered", "support", "[cti]"] {
        assert!(ended.out.contains(due), "{due}: {}", ended.out);
    }
    for line in ended.out.lines().filter(|line| line.starts_with("ok")) {
        let (before, found) = line.split_at(column);
        assert!(before.ends_with("  ") && !found.starts_with(' '), "not aligned: {line}");
    }
    assert!(!ended.out.contains("hush"));
}

#[test]
fn what_is_missing_is_told_with_what_to_write_where() {
    let mut pbx = Pbx::well();
    for action in ["Hangup", "Redirect", "Bridge", "Setvar", "PlayDTMF", "ParkedCalls", "PJSIPNotify"] {
        pbx.actions.remove(action);
    }
    pbx.read = BTreeSet::from(["call"]);
    pbx.without_module = "app_chanspy";
    pbx.dialplan.remove("internal");
    pbx.dialplan.remove("cti-c2c");
    pbx.dialplan.get_mut("cti").unwrap().remove("hold");
    pbx.devices.remove("PJSIP/101");
    pbx.queue = "sales";
    let folder = house(pbx.listen());
    let ended = run(folder.path(), &["doctor"]);
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.err.contains("8 things do not work"), "{}", ended.err);
    let rows = [
        ("BAD   write=call", "add call to write = in the section [ctigate] of manager.conf"),
        ("note  write=system", "PJSIPNotify is not there"),
        ("BAD   read=system", "add system to read ="),
        ("note  read=call", "without write=call"),
        ("BAD   read=agent", "add agent to read ="),
        ("BAD   module app_chanspy", "load = app_chanspy.so"),
        ("BAD   context", "pbx.asterisk.context"),
        ("BAD   dialplan", "[cti] hold, [cti-c2c]"),
        ("BAD   phones", "PJSIP/101"),
        ("BAD   queues", "pbx.asterisk.queues = { \"600\" ="),
    ];
    for (row, told) in rows {
        let at = ended.out.find(row).unwrap_or_else(|| panic!("no {row:?} in\n{}", ended.out));
        let two: String = ended.out[at..].lines().take(2).collect();
        assert!(two.contains(told), "{told}: {two}");
    }

    let json = run(folder.path(), &["doctor", "--json"]);
    assert_eq!(json.code, 1);
    let rows: Value = serde_json::from_str(&json.out).unwrap();
    let bad = rows.as_array().unwrap().iter().filter(|row| row["verdict"] == "BAD").count();
    assert_eq!(bad, 8);
}

#[test]
fn a_login_that_fails_and_an_asterisk_that_is_away_are_told_apart() {
    let pbx = Pbx { lets_in: false, ..Pbx::well() };
    let ended = run(house(pbx.listen()).path(), &["doctor"]);
    assert_eq!(ended.code, 1);
    for due in ["refuses the login of \"ctigate\"", "ctigate asterisk config manager"] {
        assert!(ended.out.contains(due), "{}", ended.out);
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = run(house(free).path(), &["doctor"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("no connection") && ended.out.contains("is Asterisk running?"), "{}", ended.out);
}

#[test]
fn pieces_of_asterisks_configuration_are_printed() {
    let folder = house(5038);
    let all = run(folder.path(), &["asterisk", "config"]);
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    for due in
        ["manager.conf", "[ctigate]\nsecret = CHANGE-ME", "[cti]", "#include \"extensions_cti.conf\"", "[cti-menu]"]
    {
        assert!(all.out.contains(due), "{due}: {}", all.out);
    }
    assert!(!all.out.contains("hush") && !all.out.contains("@CONTEXT"), "{}", all.out);
    let one = run(folder.path(), &["asterisk", "config", "manager"]);
    assert!(one.out.contains("permit = 127.0.0.1/32") && !one.out.contains("[cti]"), "{}", one.out);
    assert_eq!(run(folder.path(), &["asterisk", "config", "nonsense"]).code, 2);
}

#[test]
fn a_simulator_is_examined_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n[pbx]\ntimeline = \"day\"\n\
                [[user]]\nlogin = \"a\"\npassword = \"x\"\nnumber = \"101\"\n";
    fs::write(folder.path().join("ctigate.toml"), text).unwrap();
    fs::write(folder.path().join("day"), "at 1s answer 101\n").unwrap();
    let ended = run(folder.path(), &["doctor"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("simulator"), "{}", ended.out);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "it leaves nothing behind");
    fs::write(folder.path().join("day"), "at 1s answer 102\n").unwrap();
    assert_eq!(run(folder.path(), &["doctor"]).code, 1);
}
