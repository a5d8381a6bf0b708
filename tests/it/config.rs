//! The configuration: what is refused, in which words, and where it points.

use std::fs;
use std::path::Path;

use ctigate::config::{
    Auth, Config, DatabaseUrl, Finding, Form, Link, LinkMode, Loaded, Place, Queue, Refused, Sources, User, schema,
};

/// An argon2id hash with parameters that cost nothing.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$UuUjYV02o8cuJyTcOD6QeQ";

fn load(text: &str) -> Result<Loaded, Refused> {
    Config::load(&Sources::text(text))
}

fn line_of(finding: &Finding) -> usize {
    match finding.place {
        Place::File { line, .. } => line,
        _ => 0,
    }
}

/// The text is refused with a finding that names `key` first, points at `line` and says `phrase`.
#[track_caller]
fn refused(text: &str, key: &str, line: usize, phrase: &str) {
    let Err(refused) = load(text) else { panic!("accepted:\n{text}") };
    let found = refused.errors.iter().find(|f| f.keys.first().is_some_and(|k| k == key) && f.message.contains(phrase));
    let Some(finding) = found else { panic!("no finding about {key} that says {phrase:?} in:\n{refused}") };
    assert_eq!(line_of(finding), line, "wrong line in:\n{refused}");
}

/// The text is accepted with a warning that names `key` first and says `phrase`.
#[track_caller]
fn warned(text: &str, key: &str, phrase: &str) {
    let loaded = load(text).unwrap_or_else(|refused| panic!("{refused}"));
    let found = loaded.warnings.iter().any(|f| f.keys.first().is_some_and(|k| k == key) && f.message.contains(phrase));
    assert!(found, "no warning about {key} that says {phrase:?} in {:#?}", loaded.warnings);
}

#[track_caller]
fn accepted(text: &str) -> Config {
    load(text).unwrap_or_else(|refused| panic!("{refused}")).config
}

#[test]
fn one_user_is_a_complete_configuration() {
    let loaded = load("[[user]]\nlogin = \"ivanov\"\npassword = \"Secret1\"\n").unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.users[0].display_name(), "ivanov");
    assert_eq!(loaded.config.web, Config::default().web);
    assert_eq!(accepted(""), Config::default());
}

#[test]
fn a_key_that_no_table_knows_is_told_with_a_guess() {
    refused("[web]\nbnid = \"127.0.0.1:1\"", "web.bnid", 2, "did you mean \"bind\"?");
    refused("[web]\nurl = \"x\"", "web.url", 2, "it belongs to store");
    refused("[[link]]\nname = \"a\"\ntrust_user = true", "link[0].trust_user", 3, "did you mean \"trust_users\"?");
    refused("[pbx.asterisk]\nhots = \"x\"", "pbx.asterisk.hots", 2, "did you mean \"host\"?");
    refused("\n[webb]\nbind = \"x\"", "webb", 2, "did you mean [web]?");
    refused("[[links]]\nname = \"x\"", "links", 1, "did you mean [[link]]?");
    refused("bind = \"x\"", "bind", 1, "unknown key");
}

#[test]
fn a_table_with_the_wrong_brackets_is_told_the_right_ones() {
    refused("[user]\nlogin = \"x\"", "user", 1, "written [[user]]");
    refused("[[web]]\nbind = \"x\"", "web", 1, "written [web]");
    refused("link = [1]", "link", 1, "[[link]]");
    refused("[pbx]\nasterisk = 1", "pbx.asterisk", 2, "written [pbx.asterisk]");
}

#[test]
fn a_value_of_the_wrong_kind_is_told_what_is_expected() {
    refused("[web]\nbind = 4055", "web.bind", 2, "found 4055, expected an address and port in quotes");
    refused("[web]\nbind = \"localhost:4055\"", "web.bind", 2, "no IP address with a port");
    refused("[web]\nbind = \"\"", "web.bind", 2, "cannot be switched off");
    refused("[web]\nrequire_tls = \"yes\"", "web.require_tls", 2, "found \"yes\", expected true or false");
    refused("[web]\nallowed_origins = \"x\"", "web.allowed_origins", 2, "expected a list");
    refused("[web]\ntls = \"bot\"", "web.tls", 2, "allowed: separate, both; did you mean \"both\"?");
    refused("[web]\ntrusted_proxies = [\"10.0.0.1/8\"]", "web.trusted_proxies", 2, "write \"10.0.0.0/8\"");
    refused("[limits]\nmax_message_tab = 5", "limits.max_message_tab", 2, "found 5, expected a size in quotes");
    refused("[limits]\nmax_message_tab = \"5KB\"", "limits.max_message_tab", 2, "which is no size");
    refused("[limits]\nstop_grace = \"5 s\"", "limits.stop_grace", 2, "which is no duration");
    refused("[limits]\nnesting = -1", "limits.nesting", 2, "expected a whole number, 0 or more");
    refused("[pbx.asterisk]\nport = 70000", "pbx.asterisk.port", 2, "from 0 to 65535");
    refused("[store]\nurl = \"mysql://u:hunter2@h/db\"", "store.url", 2, "begins with \"mysql\"");
    refused("[[link]]\nmode = \"accept\"", "link[0].mode", 2, "allowed: accept-ws, accept-wss");
    refused("[[link]]\nwebsocket_version = 7", "link[0].websocket_version", 2, "allowed: 13, 8, 0");
    refused("[[user]]\nrole = \"agnet\"", "user[0].role", 2, "did you mean \"agent\"?");
    refused("[[user]]\nrights = [\"ghost\"]", "user[0].rights", 2, "\"+RIGHT\"");
    refused("[[form]]\nparameters = { a = \"{calle}\" }", "form[0].parameters.a", 2, "did you mean \"{caller}\"?");
    refused("[[form]]\non = \"rang\"", "form[0].on", 2, "did you mean \"ring\"?");
}

#[test]
fn a_secret_is_never_shown() {
    for text in [
        "[[user]]\nlogin = \"a\"\npassword = 7355608",
        "[[user]]\nlogin = \"a\"\npassword = \"7355608",
        "[store]\nurl = \"mysql://u:7355608@h/db\"",
        "[[link]]\nname = \"a\"\nmode = \"dial-ws\"\nurl = \"ws://u:7355608@h/\"",
        "[[link]]\nname = \"a\"\nmode = \"accept-ws\"\nbind = \"127.0.0.1:1\"\nlogin = \"a\"\npassword = \"x\"\nticket = \"7355608\"",
        "[[user]]\nlogin = \"a\"\npassword_hash = \"7355608\"",
        "[[user]]\nlogin = \"a\"\npassword = \"7355608漢\"",
    ] {
        let refused = load(text).unwrap_err();
        let shown = format!("{refused}\n{:?}", refused.errors.iter().map(|f| &f.message).collect::<Vec<_>>());
        assert!(!shown.contains("7355608"), "{shown}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let refused = load(
        "[web]\nbind = \"x\"\ntypo = 1\nrequire_tls = 2\n[limits]\nnesting = 1\n[[user]]\nlogin = \"\"\n\
         [[form]]\nname = \"a\"\nask_ = \"b\"\n[[break]]\nid = 0\nname = \"Lunch\"\n",
    )
    .unwrap_err();
    let found: Vec<_> = refused.errors.iter().map(|f| (f.keys[0].as_str(), line_of(f))).collect();
    assert_eq!(
        found,
        [
            ("web.bind", 2),
            ("web.typo", 3),
            ("web.require_tls", 4),
            ("limits.nesting", 6),
            ("user[0].login", 8),
            ("form[0].ask_", 11),
            ("break[0].id", 13)
        ]
    );
}

#[test]
fn what_is_no_toml_points_at_the_place() {
    for (text, line) in
        [("[web\n", 1), ("[web]\nbind = \n", 2), ("[web]\n\nbind = \"a\"\nbind = \"b\"\n", 4), ("[web]\n[web]\n", 2)]
    {
        let refused = load(text).unwrap_err();
        assert_eq!(refused.errors.len(), 1);
        assert!(refused.errors[0].message.starts_with("this is not TOML"), "{refused}");
        assert_eq!(line_of(&refused.errors[0]), line, "{refused}");
    }
}

#[test]
fn a_finding_shows_the_line_with_a_caret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ctigate.toml");
    fs::write(&file, "[web]\n\ttls = \"bot\" # both\n").unwrap();
    let refused = Config::load(&Sources::file(&file)).unwrap_err();
    let expected = format!(
        "error: web.tls: found \"bot\", which is no way to serve TLS; allowed: separate, both; did you mean \"both\"?\n \
         --> {}:2:8\n  |\n2 |  tls = \"bot\" # both\n  |        ^^^^^",
        file.display()
    );
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn a_port_given_twice_names_both_keys() {
    let text = "[web]\nbind = \"127.0.0.1:5000\"\ntls_bind = \"127.0.0.1:5000\"\n";
    refused(text, "web.tls_bind", 3, "port 5000 is given twice: 127.0.0.1:5000 here and 127.0.0.1:5000 for web.bind");
    assert_eq!(load(text).unwrap_err().errors[0].keys, ["web.tls_bind", "web.bind"]);
    let link =
        "[[link]]\nname = \"a\"\nmode = \"accept-ws\"\nbind = \"0.0.0.0:4055\"\nlogin = \"a\"\npassword = \"b\"\n";
    refused(link, "link[0].bind", 4, "for web.bind");
    refused(
        "[pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nsecret = \"x\"\nagi_bind = \"127.0.0.1:4058\"",
        "pbx.asterisk.agi_bind",
        5,
        "4058",
    );
    accepted("[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"127.0.0.1:0\"\nadmin_bind = \"127.0.0.1:0\"");
    accepted("[web]\nbind = \"127.0.0.2:4056\"");
}

#[test]
fn rules_of_the_web_ports() {
    refused("[web]\nadmin_bind = \"0.0.0.0:4058\"", "web.admin_bind", 2, "without TLS");
    accepted("[web]\nadmin_bind = \"0.0.0.0:4058\"\nadmin_tls = true");
    warned("[web]\nbind = \"0.0.0.0:4055\"", "web.bind", "MD5");
    refused("[web]\nrequire_tls = true", "web.require_tls", 2, "port 443");
    refused("[web]\nrequire_tls = true\npublic_url = \"https://a.example:4056\"", "web.require_tls", 2, "port 443");
    refused("[web]\nrequire_tls = true\npublic_url = \"http://a.example\"", "web.require_tls", 2, "port 443");
    let safe = "[web]\nbind = \"0.0.0.0:4055\"\nrequire_tls = true\npublic_url = \"https://a.example\"";
    assert_eq!(load(safe).unwrap().warnings, []);
    refused("[web]\npublic_url = \"https://a.example/cti\"", "web.public_url", 2, "path \"/cti\"");
    refused("[web]\npublic_url = \"a.example\"", "web.public_url", 2, "begins with http://");
    refused("[web]\nallowed_origins = [\"https://a.example\", \"*\"]", "web.allowed_origins[1]", 2, "\"*\"");
    refused("[web]\nallowed_origins = [\"https://a.example/\"]", "web.allowed_origins[0]", 2, "no slash");
    refused("[web]\ncertificate = \"\"", "web.certificate", 2, "TLS is served");
    warned("[web]\ntrusted_proxies = [\"0.0.0.0/0\"]", "web.trusted_proxies", "anybody");
    refused("[log]\nfilter = \"a=b=c=d\"", "log.filter", 2, "a=b=c=d");
}

#[test]
fn half_a_pair_of_certificate_and_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "[web]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n").unwrap();
    assert!(Config::load(&Sources::file(&file)).is_ok());
    fs::write(folder.path().join("a.pem"), "x").unwrap();
    let refused = Config::load(&Sources::file(&file)).unwrap_err();
    assert_eq!(refused.errors[0].keys, ["web.certificate", "web.key"]);
    assert!(refused.errors[0].message.contains("a.key is missing"), "{refused}");
}

#[test]
fn rules_of_the_limits() {
    for (line, key, phrase) in [
        ("max_message_tab = \"1B\"", "max_message_tab", "from \"1KiB\""),
        ("max_message_guest = \"2MiB\"", "max_message_guest", "strangers"),
        ("nesting = 3", "nesting", "from 4 to 127"),
        ("nesting = 128", "nesting", "from 4 to 127"),
        ("multipart_packets = 0", "multipart_packets", "from 1"),
        ("multipart_timeout = \"0s\"", "multipart_timeout", "from \"1s\""),
        ("in_flight_tab = 0", "in_flight_tab", "from 1"),
        ("in_flight_link = 0", "in_flight_link", "from 1"),
        ("connections = 0", "connections", "from 1"),
        ("connections_per_address = 0", "connections_per_address", "from 1"),
        ("tabs_per_user = 0", "tabs_per_user", "from 1"),
        ("tab_burst = 100", "tab_burst", "less than the rate of 200"),
        ("stop_grace = \"11m\"", "stop_grace", "to \"10m\""),
    ] {
        refused(&format!("[limits]\n{line}"), &format!("limits.{key}"), 2, phrase);
    }
    accepted("[limits]\ntab_rate = 0");
}

#[test]
fn rules_of_the_users() {
    let user = |rest: &str| format!("[[user]]\nlogin = \"ivanov\"\npassword = \"x\"\n{rest}");
    refused("[[user]]\npassword = \"x\"", "user[0].login", 1, "empty");
    refused("[[user]]\nlogin = \" a\"\npassword = \"x\"", "user[0].login", 2, "blanks");
    refused("[[user]]\nlogin = \"a:b\"\npassword = \"x\"", "user[0].login", 2, "HTTP Basic");
    refused("[[user]]\nlogin = \"a\\u0007b\"\npassword = \"x\"", "user[0].login", 2, "control");
    refused(&user("[[user]]\nlogin = \"IVANOV\"\npassword = \"y\""), "user[1].login", 5, "given twice");
    refused(&user("number = \"1 1\""), "user[0].number", 4, "no number");
    refused(&user("number = \"101\"\n[[queue]]\nnumber = \"101\""), "queue[0].number", 6, "given twice");
    refused(&user("id = \"x\""), "user[0].id", 4, "no UUID");
    refused(
        &user("subordinates = [\"petrov\"]"),
        "user[0].subordinates[0]",
        4,
        "no [[user]] with the login \"petrov\"",
    );
    refused(&user("subordinates = [\"ivanof\"]"), "user[0].subordinates[0]", 4, "did you mean \"ivanov\"?");
    refused(&user("subordinates = [\"ivanov\"]"), "user[0].subordinates[0]", 4, "their own subordinate");
    refused(&user("rights = [\"+ghost\", \"-ghost\"]"), "user[0].rights[1]", 4, "named twice");
    refused(&user("photo = \"missing.png\""), "user[0].photo", 4, "no file missing.png");
    refused("[[user]]\nlogin = \"a\"\npassword = \"\"", "user[0].password", 3, "empty");
    refused("[[user]]\nlogin = \"a\"\npassword = \"漢\"", "user[0].password", 3, "character 1");
    refused(&user(&format!("password_hash = \"{HASH}\"")), "user[0].password", 3, "clear and hashed");
    refused("[[user]]\nlogin = \"a\"\npassword_hash = \"$argon2i$x\"", "user[0].password_hash", 3, "no argon2id hash");
    warned("[[user]]\nlogin = \"a\"", "user[0].password", "no password");
    warned("[[user]]\nlogin = \"a\"\npassword = \"naïve\"", "user[0].password", "character 3");
    accepted(&format!("[[user]]\nlogin = \"a\"\npassword_hash = \"{HASH}\""));
    let upper = accepted(&user("id = \"3F0A7C11-0000-4000-8000-000000000101\""));
    assert_eq!(upper.users[0].id, "3f0a7c11-0000-4000-8000-000000000101");
}

#[test]
fn rules_of_the_smaller_tables() {
    refused("[[break]]\nid = 1", "break[0].name", 1, "empty");
    refused("[[break]]\nid = 1\nname = \"a\"\n[[break]]\nid = 1\nname = \"b\"", "break[1].id", 5, "given twice");
    refused("[[queue]]\nname = \"a\"", "queue[0].number", 1, "empty");
    refused("[[queue]]\nnumber = \"1\"\nusers = [\"a\"]", "queue[0].users[0]", 3, "no [[user]]");
    let idle = "[[user]]\nlogin = \"a\"\npassword = \"x\"\n[[queue]]\nnumber = \"1\"\nusers = [\"a\"]";
    refused(idle, "queue[0].users[0]", 6, "has no number");
    refused("[[procedure]]\nname = \"a\"", "procedure[0].sql", 1, "empty");
    refused("[[procedure]]\nname = \"a\"\nsql = \"SELECT ?\"", "procedure[0].sql", 3, "parameters have names");
    refused("[[procedure]]\nname = \"a\"\nsql = \"SELECT 1\"\nrows = 0", "procedure[0].rows", 4, "from 1 to 10000");
    refused("[[procedure]]\nname = \"a\"\nsql = \"SELECT 1\"\ntimeout = \"1m\"", "procedure[0].timeout", 4, "10s");
    refused(
        "[[procedure]]\nname = \"a\"\nsql = \"SELECT 1\"\ndatabase = \"missing\"",
        "procedure[0].database",
        4,
        "no file",
    );
    let memory = "[store]\nurl = \"sqlite::memory:\"\n[[procedure]]\nname = \"a\"\nsql = \"SELECT 1\"";
    refused(memory, "procedure[0].database", 3, "in memory");
    let twice = "[[procedure]]\nname = \"a\"\nsql = \"SELECT 1\"\n[[procedure]]\nname = \"A\"\nsql = \"SELECT 1\"";
    refused(twice, "procedure[1].name", 5, "given twice");
    refused("[pbx]\nkind = \"asterisk\"", "pbx.asterisk.secret", 1, "no AMI secret");
    refused("[pbx]\ntimeline = \"missing\"", "pbx.timeline", 2, "no file missing");
    let both = "[pbx]\nkind = \"asterisk\"\ntimeline = \"x\"\n[pbx.asterisk]\nsecret = \"x\"";
    refused(both, "pbx.timeline", 3, "played by the simulator");
    let asterisk = |rest: &str| format!("[pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nsecret = \"x\"\n{rest}");
    refused(&asterisk("agi_allow = []"), "pbx.asterisk.agi_allow", 5, "nobody");
    refused(&asterisk("host = \"\""), "pbx.asterisk.host", 5, "empty");
    refused(&asterisk("user = \"a\\r\\nAction: x\""), "pbx.asterisk.user", 5, "control");
    accepted(&asterisk("agi_allow = []\nagi_bind = \"\""));
}

#[test]
fn rules_of_the_telephone_system() {
    refused("[pbx]\nlines = 10001", "pbx.lines", 2, "from 0 to 10000");
    refused("[pbx]\nlines = -1", "pbx.lines", 2, "expected a whole number");
    let people = "[[user]]\nlogin = \"a\"\npassword = \"x\"\nnumber = \"101\"\n[[queue]]\nnumber = \"500\"\n\
                  [pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nsecret = \"x\"\n";
    // The line behind these.
    let line = people.lines().count() + 1;
    let wrong = |rest: &str, key: &str, phrase: &str| {
        refused(&format!("{people}{rest}"), &format!("pbx.asterisk.{key}"), line, phrase);
    };
    wrong("context = \"a b\"", "context", "no context");
    wrong("ca_file = \"x\"", "ca_file", "tls = true");
    wrong("endpoint = \"PJSIP/101\"", "endpoint", "{number}");
    wrong("endpoint = \"PJSIP/{number}&PJSIP/9\"", "endpoint", "{number}");
    wrong(
        "phones = { \"102\" = \"SIP/x\" }",
        "phones.102",
        "no [[user]] with the number \"102\"; did you mean \"101\"?",
    );
    wrong("phones = { \"101\" = \"x\" }", "phones.101", "no endpoint");
    wrong("inside = [\"1 X\"]", "inside[0]", "no pattern");
    wrong("answer = \"interkom\"", "answer", "did you mean \"intercom\"?");
    wrong("talk_notify = [\"1\"]", "talk_notify[0]", "no [[user]]");
    wrong("trunks = [\"PJSIP/101\"]", "trunks[0]", "is the phone of 101");
    wrong("trunks = [\"trunk\"]", "trunks[0]", "no endpoint");
    wrong("queues = { \"600\" = \"x\" }", "queues.600", "no [[queue]]");
    wrong("services = [\"500\"]", "services[0]", "a queue's");
    wrong("number_told = [{ begin = \"8\" }]", "number_told[0].begin", "unknown");
    wrong("number_told = [{ begins = \"8 \" }]", "number_told[0].begins", "no number begins with");
    wrong("number_told = [{ length = 3, cut = 4 }]", "number_told[0].length", "to cut");
    wrong("number_dialled = [{ cut = 1 }, { begins = \"8\" }]", "number_dialled[1]", "never reached: rule 1");
    wrong("record_folder = \"calls\"", "record_folder", "cannot record into");
    wrong("record_folder = \"/a,b\"", "record_folder", "cannot record into");
    wrong("ring = \"0s\"", "ring", "from \"1s\"");
    wrong("agi_timeout = \"2m\"", "agi_timeout", "to \"1m\"");
    wrong("route_method = \"\"", "route_method", "empty");
    warned(&format!("{people}agi_allow = [\"0.0.0.0/0\"]"), "pbx.asterisk.agi_allow[0]", "no passwords");
    warned(&format!("{people}number_told = [{{}}]"), "pbx.asterisk.number_told[0]", "changes nothing");

    let config = accepted(&format!(
        "{people}queues = {{ \"500\" = \"sales\" }}\nphones = {{ \"101\" = \"SIP/desk\" }}\n\
         number_told = [{{ begins = \"8\", length = 11, cut = 1, put = \"+7\" }}, {{ length = 10, put = \"+7\" }}]"
    ));
    let asterisk = &config.pbx.asterisk;
    assert_eq!((asterisk.queue_name("500"), asterisk.queue_name("501")), ("sales", "501"));
    assert_eq!((asterisk.endpoint_of("101"), asterisk.endpoint_of("102")), ("SIP/desk".into(), "PJSIP/102".into()));
    assert_eq!(asterisk.number_told[1].length, Some(10));
}

#[test]
fn rules_of_the_forms() {
    refused("[[form]]\non = \"ring\"", "form[0].name", 1, "empty");
    refused("[[form]]\nname = \"a\"\nclose_on = [\"ring\"]", "form[0].close_on[0]", 3, "closed by what opens it");
    refused("[[form]]\nname = \"a\"\nclose_on = [\"api\"]", "form[0].close_on[0]", 3, "found \"api\"");
    refused(
        "[[form]]\nname = \"a\"\nparameters = { x = \"{ask.id}\" }",
        "form[0].parameters.x",
        3,
        "\"ask\" names none",
    );
    refused("[[form]]\nname = \"a\"\nusers = [\"x\"]", "form[0].users[0]", 3, "no [[user]]");
    refused("[[form]]\nname = \"a\"\nexpire = \"0s\"", "form[0].expire", 3, "from \"1s\"");
    refused("[[form]]\nname = \"a\"\n[[form]]\nname = \"a\"", "form[1].name", 4, "open twice");
    accepted("[[form]]\nname = \"a\"\n[[form]]\nname = \"a\"\non = \"answer\"");
    let config = accepted("[[form]]\nname = \"a\"\nask = \"F\"\nparameters = { z = \"{ask.id}\", a = \"{{{caller}\" }");
    let names: Vec<_> = config.forms[0].parameters.0.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["z", "a"]);
}

#[test]
fn rules_of_accepting_links() {
    let link = |rest: &str| format!("[[link]]\nname = \"crm\"\nmode = \"accept-ws\"\n{rest}");
    refused(&link(""), "link[0].bind", 1, "needs an address");
    refused(&link("bind = \"0.0.0.0:4067\""), "link[0].auth", 1, "others than this machine");
    refused(&link("bind = \"10.0.0.1:4067\"\nauth = \"none\""), "link[0].auth", 5, "others than this machine");
    accepted(&link("bind = \"127.0.0.1:4067\""));
    accepted(&link("bind = \"0.0.0.0:4067\"\nallow_from = [\"10.0.0.5\"]"));
    refused(&link("bind = \"0.0.0.0:4067\"\nallow_from = [\"0.0.0.0/0\"]"), "link[0].allow_from", 5, "every address");
    let proxy = "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    refused(&format!("{proxy}{}", link("bind = \"127.0.0.1:4067\"")), "link[0].auth", 3, "trusted proxies");
    let basic = "bind = \"0.0.0.0:4067\"\nauth = \"basic\"\nlogin = \"a\"\npassword = \"b\"\n";
    refused(&link(basic), "link[0].auth", 5, "Basic without TLS");
    accepted(&link(&format!("{basic}insecure_basic = true")));
    accepted(&link(basic).replace("accept-ws", "accept-wss"));
    refused(&link("bind = \"127.0.0.1:1\"\nauth = \"basic\""), "link[0].login", 1, "login is not set");
    refused(
        &link("bind = \"127.0.0.1:1\"\nlogin = \"a\""),
        "link[0].password",
        1,
        "auth is \"digest\", but there is no password",
    );
    refused(&link("bind = \"127.0.0.1:1\"\npassword = \"a\""), "link[0].password", 5, "login is not");
    refused(&link("bind = \"127.0.0.1:1\"\nauth = \"none\"\nlogin = \"a\""), "link[0].login", 6, "never be used");
    let hashed = |auth: &str| {
        link(&format!("bind = \"127.0.0.1:1\"\nauth = \"{auth}\"\nlogin = \"a\"\npassword_hash = \"{HASH}\""))
    };
    refused(&hashed("digest"), "link[0].password_hash", 7, "Digest needs the clear password");
    assert_eq!(accepted(&hashed("basic")).links[0].effective_auth(), Auth::Basic);
    refused(
        &link("bind = \"127.0.0.1:1\"\nlogin = \"a:b\"\npassword = \"x\""),
        "link[0].login",
        5,
        "HTTP cannot carry",
    );
    let ticket =
        |ticket: &str| link(&format!("bind = \"127.0.0.1:1\"\nlogin = \"a\"\npassword = \"x\"\nticket = \"{ticket}\""));
    refused(&ticket("short"), "link[0].ticket", 7, "at least 16");
    refused(&ticket("0123456789 abcdef"), "link[0].ticket", 7, "at least 16");
    accepted(&ticket("0123456789abcdef"));
    refused(&link("bind = \"127.0.0.1:1\"\nticket = \"0123456789abcdef\""), "link[0].ticket", 5, "lets in everybody");
    let wss = link("bind = \"127.0.0.1:1\"\ncertificate = \"a.pem\"").replace("accept-ws", "accept-wss");
    refused(&wss, "link[0].certificate", 5, "belong together");
}

#[test]
fn rules_of_dialing_and_posting_links() {
    let link = |mode: &str, rest: &str| format!("[[link]]\nname = \"crm\"\nmode = \"{mode}\"\n{rest}");
    refused(&link("dial-ws", ""), "link[0].url", 1, "needs a url");
    refused(&link("dial-ws", "url = \"wss://h/\""), "link[0].url", 4, "begins with ws://");
    refused(&link("post-https", "url = \"http://h/\""), "link[0].url", 4, "begins with https://");
    refused(&link("dial-wss", "url = \"wss://u:p@h/\""), "link[0].url", 4, "user name in the address");
    refused(&link("dial-ws", "url = \"ws://h/#x\""), "link[0].url", 4, "no \"#\"");
    let basic = "auth = \"basic\"\nlogin = \"a\"\npassword = \"b\"\n";
    refused(&link("dial-ws", &format!("url = \"ws://h/\"\n{basic}")), "link[0].auth", 5, "readable to h");
    accepted(&link("dial-ws", &format!("url = \"ws://localhost/\"\n{basic}")));
    accepted(&link("dial-ws", &format!("url = \"ws://h/\"\n{basic}insecure_basic = true")));
    let wss = |rest: &str| link("dial-wss", &format!("url = \"wss://h/\"\n{rest}"));
    refused(&wss("pin_sha256 = \"ab\""), "link[0].pin_sha256", 5, "64 hex digits");
    let pin = "AB:".repeat(31) + "AB";
    assert_eq!(accepted(&wss(&format!("pin_sha256 = \"{pin}\""))).links[0].pin_sha256, "ab".repeat(32));
    refused(&wss(&format!("pin_sha256 = \"{pin}\"\nca_file = \"x\"")), "link[0].ca_file", 6, "more than one way");
    refused(&wss("ca_file = \"x\""), "link[0].ca_file", 5, "no file x");
    warned(
        &wss("danger_accept_any_certificate = true"),
        "link[0].danger_accept_any_certificate",
        "whoever stands between",
    );
    let post = |rest: &str| link("post-http", &format!("url = \"http://h/\"\n{rest}"));
    refused(&post("poll_interval = \"100ms\""), "link[0].poll_interval", 5, "from \"250ms\"");
    refused(&post("post_connections = 0"), "link[0].post_connections", 5, "from 1 to 64");
    refused(&post("rpc_login = \"a\""), "link[0].rpc_password", 4 - 3, "rpc_password is not");
    refused(&post("rpc_password = \"a\""), "link[0].rpc_login", 1, "rpc_login is not");
    assert_eq!(accepted(&post("poll_interval = \"off\"")).links[0].poll_interval, None);
    accepted(&post("poll_interval = \"500ms\"\nformat = \"xml\""));
}

#[test]
fn a_key_that_does_not_count_for_the_mode_is_refused() {
    let accept = "[[link]]\nname = \"a\"\nmode = \"accept-wss\"\nbind = \"127.0.0.1:1\"\n";
    let dial = "[[link]]\nname = \"a\"\nmode = \"dial-wss\"\nurl = \"wss://h/\"\n";
    let post = "[[link]]\nname = \"a\"\nmode = \"post-https\"\nurl = \"https://h/\"\n";
    for (base, line, key) in [
        (accept, "url = \"ws://h/\"", "url"),
        (accept, "format = \"xml\"", "format"),
        (accept, "websocket_version = 13", "websocket_version"),
        (accept, "ca_file = \"x\"", "ca_file"),
        (accept, "poll_interval = \"1s\"", "poll_interval"),
        (accept, "rpc_login = \"x\"", "rpc_login"),
        (accept, "insecure_basic = true", "insecure_basic"),
        (dial, "bind = \"127.0.0.1:1\"", "bind"),
        (dial, "allow_from = [\"10.0.0.0/8\"]", "allow_from"),
        (dial, "ticket = \"0123456789abcdef\"", "ticket"),
        (dial, "certificate = \"x\"", "certificate"),
        (post, "websocket_version = 13", "websocket_version"),
        (post, "password_hash = \"x\"", "password_hash"),
        (post, "deflate = true", "deflate"),
    ] {
        refused(&format!("{base}{line}"), &format!("link[0].{key}"), 5, "but the mode is");
    }
}

#[test]
fn rules_of_links_side_by_side() {
    let post = |name: &str, rest: &str| {
        format!("[[link]]\nname = \"{name}\"\nmode = \"post-http\"\nurl = \"http://h/\"\n{rest}\n")
    };
    let rpc = "rpc_login = \"x\"\nrpc_password = \"y\"";
    refused(&(post("a", rpc) + &post("b", rpc)), "link[1].rpc_login", 11, "given twice");
    let ticket = "ticket = \"0123456789abcdef\"";
    refused(&(post("a", ticket) + &post("b", ticket)), "link[1].ticket", 10, "same ticket");
    refused(&(post("a", "") + &post("A", "")), "link[1].name", 7, "given twice");
    refused(&post("", ""), "link[0].name", 2, "no name");
    refused(&post("a b", ""), "link[0].name", 2, "no name for a link");
    refused(&post("a", "users = [\"x\"]"), "link[0].users[0]", 5, "no [[user]]");
    refused(&post("a", "tunnel_grace = \"2h\""), "link[0].tunnel_grace", 5, "to \"1h\"");
    refused(&post("a", "multipart_threshold = \"1B\""), "link[0].multipart_threshold", 5, "from \"1KiB\"");
    refused(&post("a", "silent_events = [\"\"]"), "link[0].silent_events[0]", 5, "empty");
    for (event, says) in [
        ("linestatechange", "did you mean \"linestatechanged\"?"),
        ("closeform", "no event that a link can do without"),
        ("loginresult", "no event"),
        ("phoneevent", "no event that a link can do without"),
    ] {
        refused(&post("a", &format!("silent_events = [\"{event}\"]")), "link[0].silent_events[0]", 5, says);
    }
    accepted(&post("a", "silent_events = [\"linestatechanged\", \"statereset\", \"customevent\"]"));
    assert!(accepted(&(post("a", "") + &post("b", ""))).links.iter().all(|link| link.mode == LinkMode::PostHttp));
}

#[test]
fn secrets_come_from_files_and_variables_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pw"), "Secret1\n").unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    fs::write(folder.path().join("long"), "a\nb\n").unwrap();
    let file = folder.path().join("c.toml");
    let load = |text: &str, variables: &[(&str, &str)]| {
        fs::write(&file, text).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&Sources::file(&file).with_environment(variables))
    };
    let from_file = load("[[user]]\nlogin = \"a\"\npassword_file = \"pw\"", &[]).unwrap();
    assert!(from_file.config.users[0].password.as_ref().unwrap().matches("Secret1"));
    assert!(
        from_file.warnings.iter().any(|w| w.keys == ["user[0].password_file"] && w.help.starts_with("run: chmod 600"))
    );
    let from_variable = load("[[user]]\nlogin = \"a\"\npassword_env = \"PW\"", &[("PW", "Secret2")]).unwrap();
    assert!(from_variable.config.users[0].password.as_ref().unwrap().matches("Secret2"));
    for (text, key, phrase) in [
        ("password_file = \"none\"", "user[0].password_file", "cannot read"),
        ("password_file = \"empty\"", "user[0].password_file", "is empty"),
        ("password_file = \"long\"", "user[0].password_file", "more than one line"),
        ("password_env = \"NONE\"", "user[0].password_env", "no environment variable NONE"),
        ("password_env = \"EMPTY\"", "user[0].password_env", "is empty"),
        ("password_env = \"PW\"\npassword_file = \"pw\"", "user[0].password_file", "more than once"),
    ] {
        let refused = load(&format!("[[user]]\nlogin = \"a\"\n{text}"), &[("EMPTY", ""), ("PW", "x")]).unwrap_err();
        let found = refused.errors.iter().any(|f| f.keys[0] == key && f.message.contains(phrase));
        assert!(found, "{key} {phrase}\n{refused}");
    }
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let text = "[web]\nbind = \"127.0.0.1:1\"\n[[link]]\nname = \"a\"\nmode = \"dial-ws\"\nurl = \"ws://localhost/\"\n";
    let variables = [
        ("CTIGATE_WEB__BIND", "127.0.0.1:2"),
        ("CTIGATE_WEB__TLS_BIND", ""),
        ("CTIGATE_WEB__BROWSERS", "false"),
        ("CTIGATE_WEB__ALLOWED_ORIGINS", "https://a.example, https://b.example"),
        ("CTIGATE_WEB__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("CTIGATE_LIMITS__TAB_RATE", "7"),
        ("CTIGATE_LINK__0__LOGIN", "crm"),
        ("CTIGATE_LINK__0__PASSWORD", "12345"),
        ("CTIGATE_PBX__ASTERISK__PORT", "5039"),
        ("CTIGATE_USER__0__LOGIN", "new"),
        ("CTIGATE_USER__0__PASSWORD", "true"),
        ("CTIGATE_CONFIG", "not a key"),
        ("OTHER__X", "not ours"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sources = Sources::text(text)
        .with_environment(variables)
        .with_flag("web.bind", "127.0.0.1:3")
        .with_flag("link[0].format", "xml");
    let loaded = Config::load(&sources).unwrap_or_else(|refused| panic!("{refused}"));
    let config = loaded.config;
    assert_eq!(config.web.bind.port(), 3);
    assert_eq!(config.web.tls_bind, None);
    assert!(!config.web.browsers);
    assert_eq!(config.web.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.web.trusted_proxies.len(), 1);
    assert_eq!(config.limits.tab_rate, 7);
    assert_eq!(config.links[0].format.as_str(), "xml");
    assert!(config.links[0].password.as_ref().unwrap().matches("12345"));
    assert_eq!(config.pbx.asterisk.port, 5039);
    assert!(config.users[0].password.as_ref().unwrap().matches("true"));
    assert_eq!(loaded.origins["web.bind"], Place::Flag("--set web.bind".to_owned()));
    assert_eq!(loaded.origins["web.browsers"], Place::Environment("CTIGATE_WEB__BROWSERS".to_owned()));
    assert!(matches!(loaded.origins["link[0].url"], Place::File { line: 6, .. }));
}

#[test]
fn a_slip_in_the_environment_or_a_flag_is_told_by_its_name() {
    let variable = |name: &str, value: &str| {
        Config::load(&Sources::text("").with_environment([(name.to_owned(), value.to_owned())]))
            .unwrap_err()
            .to_string()
    };
    let told = variable("CTIGATE_WEB__BNID", "x");
    assert!(
        told.contains("did you mean \"bind\"?") && told.contains("--> environment variable CTIGATE_WEB__BNID"),
        "{told}"
    );
    let told = variable("CTIGATE_WEB__BROWSERS", "ja");
    assert!(told.contains("found \"ja\", expected true or false"), "{told}");
    let told = variable("CTIGATE_LIMITS__NESTING", "200");
    assert!(told.contains("from 4 to 127") && told.contains("CTIGATE_LIMITS__NESTING"), "{told}");
    let told = variable("CTIGATE_LINK__3__LOGIN", "x");
    assert!(told.contains("there are 0 of \"link\""), "{told}");
    let told = variable("CTIGATE_WEB__TRUSTED_PROXIES", "10.0.0.0/8,x");
    assert!(told.contains("found \"x\", which is no range of addresses"), "{told}");
    let told = Config::load(&Sources::text("").with_flag("web.bind", "x")).unwrap_err().to_string();
    assert!(told.contains("--> --set web.bind on the command line"), "{told}");
    let told = Config::load(&Sources::text("").with_flag("web..bind", "x")).unwrap_err().to_string();
    assert!(told.contains("this is no key"), "{told}");
}

#[test]
fn relative_paths_count_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "[web]\ncertificate = \"/etc/a.pem\"\n").unwrap();
    let config = Config::load(&Sources::file(&file).with_flag("web.admin_token", "/run/t")).unwrap().config;
    assert_eq!(config.admin_token(), Path::new("/run/t"));
    let config = Config::load(&Sources::file(&file)).unwrap().config;
    assert_eq!(config.web.certificate, Path::new("/etc/a.pem"));
    assert_eq!(config.web.key, folder.path().join("certs/server.key"));
    assert_eq!(config.store.url, DatabaseUrl::Sqlite(folder.path().join("data/ctigate.db")));
    assert_eq!(config.admin_token(), folder.path().join("data/admin.token"));
    assert_eq!(Config::default().web.key, Path::new("certs/server.key"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let told = Config::load(&Sources::file(&missing)).unwrap_err().to_string();
    assert!(told.contains(&format!("cannot read the configuration {}", missing.display())), "{told}");
    let file = folder.path().join("c.toml");
    fs::write(&file, b"[web]\n# \xff\n").unwrap();
    let told = Config::load(&Sources::file(&file)).unwrap_err().to_string();
    assert!(told.contains("is not UTF-8 (line 2)"), "{told}");
    fs::write(&file, "\u{feff}[web]\nbrowsers = false\n").unwrap();
    assert!(!Config::load(&Sources::file(&file)).unwrap().config.web.browsers);
}

#[test]
fn the_demo_stays_on_loopback() {
    let demo = Config::load(&Sources::demo()).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(demo.warnings, []);
    assert_eq!(demo.config.users.iter().filter(|user| user.role.as_str() == "agent").count(), 4);
    for (key, value) in [("web.bind", "0.0.0.0:4055"), ("web.tls_bind", "10.0.0.1:4056"), ("link[0].bind", "[::]:4067")]
    {
        let refused = Config::load(&Sources::demo().with_flag(key, value)).unwrap_err();
        let found = refused.errors.iter().any(|f| f.keys[0] == key && f.message.contains("loopback only"));
        assert!(found, "{refused}");
    }
}

/// A key of the example: its table, its name, its line, and whether it is switched off by a `#`.
struct Shown<'a> {
    table: &'a str,
    key: &'a str,
    line: &'a str,
    off: bool,
}

fn shown(example: &str) -> Vec<Shown<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for line in example.lines() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
            continue;
        }
        let (code, off) = line.strip_prefix("# ").map_or((line, false), |code| (code, true));
        if let Some((key, _)) = code.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            found.push(Shown { table, key, line: code, off });
        }
    }
    found
}

const EXAMPLE: &str = include_str!("../../ctigate.example.toml");

#[test]
fn the_example_shows_every_key_and_no_other() {
    let shown = shown(EXAMPLE);
    for section in schema::sections() {
        let mut keys: Vec<&str> = shown.iter().filter(|s| s.table == section.name).map(|s| s.key).collect();
        // A table that stands many times shows some keys again.
        keys.sort_unstable();
        keys.dedup();
        let inside = |key: &&&str| schema::sections().iter().all(|s| s.name != format!("{}.{key}", section.name));
        let mut due: Vec<&str> = section.keys.iter().filter(inside).copied().collect();
        due.sort_unstable();
        assert_eq!(keys, due, "[{}]", section.name);
    }
    assert!(shown.iter().all(|s| schema::sections().iter().any(|section| section.name == s.table)));
}

#[test]
fn the_example_is_accepted_and_shows_the_defaults() {
    let loaded = load(EXAMPLE).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(loaded.warnings, []);
    let (config, default) = (loaded.config, Config::default());
    assert_eq!(config.web, default.web);
    assert_eq!(config.store, default.store);
    assert_eq!(config.pbx, default.pbx);
    assert_eq!(config.limits, default.limits);
    assert_eq!(config.log, default.log);
    assert_eq!(config.recordings, default.recordings);
    assert_eq!(config.files, default.files);
    let user = config.users[0].clone();
    let [login, name, number, department] = [&user.login, &user.name, &user.number, &user.department].map(Clone::clone);
    assert_eq!(user, User { login, name, number, department, password: user.password.clone(), ..User::default() });
    for link in config.links {
        let (name, mode, bind, url) = (link.name.clone(), link.mode, link.bind, link.url.clone());
        let (auth, login, password) = (link.auth, link.login.clone(), link.password.clone());
        assert_eq!(link, Link { name, mode, bind, url, auth, login, password, ..Link::default() });
    }
    let form = config.forms[0].clone();
    let (name, close_on, ask) = (form.name.clone(), form.close_on.clone(), form.ask.clone());
    assert_eq!(form, Form { name, close_on, ask, parameters: form.parameters.clone(), ..Form::default() });
    assert_eq!(config.queues[0].strategy, Queue::default().strategy);
}

#[test]
fn what_the_example_has_switched_off_fits_when_it_is_switched_on() {
    let sections = schema::sections();
    for Shown { table, line, .. } in shown(EXAMPLE).into_iter().filter(|shown| shown.off) {
        let list = sections.iter().any(|section| section.name == table && section.list);
        let head = if list { format!("[[{table}]]") } else { format!("[{table}]") };
        let Err(refused) = load(&format!("{head}\n{line}")) else { continue };
        for finding in refused.errors {
            let misfit = ["found", "unknown"].iter().any(|word| finding.message.starts_with(word));
            assert!(!misfit, "{line}: {}", finding.message);
        }
    }
}

#[test]
fn every_key_of_the_example_is_explained() {
    for paragraph in EXAMPLE.split("\n\n").filter(|paragraph| !shown(paragraph).is_empty()) {
        let first = paragraph.lines().next().unwrap();
        assert!(first.starts_with("# ") && shown(first).is_empty(), "no sentence: {paragraph}");
    }
}

#[test]
fn the_configuration_in_effect_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pw"), "Secret1").unwrap();
    let text = format!(
        "[web]\nbrowsers = false\npublic_url = \"https://a.example\"\n[[user]]\nlogin = \"a\\\"b\\\\c\"\npassword_file = \"{}\"\n\
         [[user]]\nlogin = \"d\"\npassword = \"hunter2\"\n[[form]]\nname = \"f\"\nparameters = {{ \"x y\" = \"{{caller}}\", a = \"1\" }}\n",
        folder.path().join("pw").display()
    );
    let loaded = load(&text).unwrap();
    let printed = loaded.to_toml();
    assert!(!printed.contains("hunter2") && !printed.contains("Secret1"), "{printed}");
    let line_of = |key: &str| printed.lines().find(|line| line.starts_with(key)).unwrap();
    assert!(
        line_of("browsers").starts_with("browsers = false ") && line_of("browsers").ends_with(" # line 2"),
        "{printed}"
    );
    assert!(line_of("bind").ends_with(" # default"), "{printed}");
    let mut again = load(&printed).unwrap_or_else(|refused| panic!("{refused}\n{printed}")).config;
    assert!(again.users[0].password.as_ref().unwrap().matches("Secret1"));
    again.users[1].password = loaded.config.users[1].password.clone();
    assert_eq!(again, loaded.config);
}
