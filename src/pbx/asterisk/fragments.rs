//! Ready-made pieces of Asterisk's configuration for this gateway. Pure: settings in, text out.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::machine::{self, Answer, Plan};

/// What the pieces depend on.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// What the gateway knows of Asterisk.
    pub plan: &'a Plan,
    /// The AMI user.
    pub user: &'a str,
    /// Whether AMI is spoken over TLS.
    pub tls: bool,
    /// The AMI port.
    pub port: u16,
    /// The address from which the gateway comes to Asterisk, as far as it is known.
    pub gateway: Option<IpAddr>,
    /// Where the dialplan reaches the gateway, as far as it is known.
    pub agi: Option<SocketAddr>,
    /// The dynamic method that `/route` asks.
    pub route_method: &'a str,
}

/// The file `extensions_cti.conf`.
pub fn dialplan(plan: &Plan) -> String {
    machine::dialplan(&plan.context)
}

impl Subject<'_> {
    /// The section for `manager.conf`.
    pub fn manager(&self) -> String {
        let user = self.user;
        let permit = self.gateway.map_or_else(|| "GATEWAY".to_owned(), |address| address.to_string());
        let mask = if self.gateway.is_some_and(|address| address.is_ipv6()) { 128 } else { 32 };
        let mut text = String::from(
            "; For manager.conf. Where [general] is there already, set these keys in it.\n[general]\nenabled = yes\n",
        );
        let _ = match (self.tls, self.gateway) {
            (true, _) => writeln!(
                text,
                "tlsenable = yes\ntlsbindaddr = 0.0.0.0:{}\ntlscertfile = /etc/asterisk/keys/asterisk.pem",
                self.port
            ),
            (false, Some(address)) if address.is_loopback() => {
                writeln!(text, "bindaddr = {address}\nport = {}", self.port)
            }
            (false, _) => writeln!(
                text,
                "; AMI is not encrypted: this port belongs into a network of its own, or use tlsenable and pbx.asterisk.tls.\n\
                 bindaddr = 0.0.0.0\nport = {}",
                self.port
            ),
        };
        let _ = write!(
            text,
            "\n\
             ; The gateway's account. Replace the secret by one of your own, the same as pbx.asterisk.secret.\n\
             [{user}]\n\
             secret = CHANGE-ME\n\
             deny = 0.0.0.0/0.0.0.0\n\
             deny = ::/0\n\
             permit = {permit}/{mask}\n\
             ; What it is told. Without dialplan, which would be seven events of ten, and without cdr.\n\
             read = system,call,agent,user,dtmf\n\
             ; What it may do. \"system\" is for redirection (Asterisk's database), recording, and phones that answer to a\n\
             ; NOTIFY; without it the rest works, and \"ctigate doctor\" says what is missing. Whoever has \"system\" and\n\
             ; \"originate\" can run programs on Asterisk's machine, so keep the secret well.\n\
             write = call,agent,user,reporting,originate,system\n\
             eventfilter = !Event: CEL\n\
             eventfilter = !Event: TestEvent\n\
             writetimeout = 5000\n"
        );
        text
    }

    /// What to change in `extensions.conf`, and routes to choose from.
    pub fn routes(&self) -> String {
        let context = &self.plan.context;
        let agi = self.agi.map_or_else(|| "GATEWAY:4573".to_owned(), |address| address.to_string());
        let agi = format!("agi://{agi}");
        let queue = self.plan.queues.values().next().map_or("500", |number| number);
        let route_method = self.route_method;
        let numbers: Vec<&str> = self.plan.phones.keys().map(|number| &**number).collect();
        let phones = patterns(&numbers);
        let mut text = format!(
            "; At the top of extensions.conf, behind [general] and [globals]:\n\
             #include \"extensions_cti.conf\"\n\
             \n\
             ; In [{context}]: a user's number goes where its user wants it. Only the Gosub is new.\n"
        );
        for phone in &phones {
            let _ = write!(
                text,
                ";exten => {phone},1,Gosub(cti-redirect,${{EXTEN}},1)\n\
                 ; same => n,Dial(PJSIP/${{EXTEN}},30,tT)\n"
            );
        }
        let _ = write!(
            text,
            "\n\
             ; ---- Routes for calls from outside. Each asks the CRM, waits a few seconds at most, and works without it as well:\n\
             ; ---- take the one you want for the numbers of your provider.\n\
             \n\
             ; To whom the CRM says. The method {route_method} gets phone and called; its output \"route\" is the number of a\n\
             ; phone or a login, or empty for nobody in particular.\n\
             [cti-route]\n\
             exten => _[+*#0-9]!,1,AGI({agi}/route?_deadline=3s)\n\
             \x20same => n,GotoIf($[\"${{CTI_ROUTE}}\" = \"\"]?{context},{queue},1)\n\
             \x20same => n,Dial(PJSIP/${{CTI_ROUTE}},20,tT)\n\
             \x20same => n,Goto({context},{queue},1)\n\
             \n\
             ; To the caller's own manager: the CRM's method FindClient gives \"manager\", by number or login, and the client's \
             \"name\".\n\
             [cti-manager]\n\
             exten => _[+*#0-9]!,1,AGI({agi}/route?_method=FindClient&_take=manager&phone=${{URIENCODE(${{CALLERID(num)}})}}&_deadline=3s)\n\
             \x20same => n,ExecIf($[${{LEN(${{CTI_NAME}})}} > 0]?Set(CALLERID(name)=${{CTI_NAME}}))\n\
             \x20same => n,GotoIf($[\"${{CTI_ROUTE}}\" = \"\"]?{context},{queue},1)\n\
             \x20same => n,Dial(PJSIP/${{CTI_ROUTE}},20,tT)\n\
             \x20same => n,Goto({context},{queue},1)\n\
             \n\
             ; A menu that the CRM makes: it says which sound is played and where each key leads (outputs sound, key1, key2).\n\
             [cti-menu]\n\
             exten => _[+*#0-9]!,1,Answer()\n\
             \x20same => n,AGI({agi}/dynamic/GetMenu?phone=${{URIENCODE(${{CALLERID(num)}})}}&called=${{EXTEN}}&_deadline=3s)\n\
             \x20same => n,GotoIf($[\"${{CTI_STATUS}}\" != \"OK\"]?{context},{queue},1)\n\
             \x20same => n,Read(CTI_KEY,${{FILTER(\\-_/0-9A-Za-z,${{CTI_SOUND}})}},1,,1,5)\n\
             \x20same => n,Set(TO=${{FILTER(0-9,${{IF($[\"${{CTI_KEY}}\" = \"1\"]?${{CTI_KEY1}}:${{CTI_KEY2}})}})}})\n\
             \x20same => n,GotoIf($[\"${{TO}}\" = \"\"]?{context},{queue},1)\n\
             \x20same => n,Goto({context},${{TO}},1)\n\
             \n\
             ; The card is open before the phone rings. It is not waited for; with _wait=30s the dialplan would wait for what is\n\
             ; filled in, and get it in CTI_ variables.\n\
             [cti-card]\n\
             exten => _[+*#0-9]!,1,AGI({agi}/route?_method=FindClient&_take=manager&phone=${{URIENCODE(${{CALLERID(num)}})}}&_deadline=3s)\n\
             \x20same => n,GotoIf($[\"${{CTI_ROUTE}}\" = \"\"]?{context},{queue},1)\n\
             \x20same => n,AGI({agi}/form/clientcard?_user=${{CTI_ROUTE}}&phone=${{URIENCODE(${{CALLERID(num)}})}})\n\
             \x20same => n,Dial(PJSIP/${{CTI_ROUTE}},20,tT)\n\
             \x20same => n,Goto({context},{queue},1)\n"
        );
        text
    }

    /// Hints for `pjsip.conf` and the phones.
    pub fn phones(&self) -> String {
        let mut text = String::from(
            "; In the endpoints of pjsip.conf: phones show who is at the other end after a transfer, and are told to be busy\n\
             ; when they talk.\n\
             ;trust_id_outbound = yes\n\
             ;send_pai = yes\n\
             ;device_state_busy_at = 1\n",
        );
        let asked = |wanted: Answer| self.plan.phones.iter().filter(move |(_, phone)| phone.answer == wanted);
        if asked(Answer::Intercom).next().is_some() {
            text.push_str(
                "\n; \"Answer\" in the CRM rings these phones anew with Call-Info: answer-after=0 and Alert-Info: info=alert-autoanswer.\n\
                 ; Switch intercom or auto-answer by header on in them:\n",
            );
            for (number, phone) in asked(Answer::Intercom) {
                let _ = writeln!(text, ";   {number}  {}", phone.endpoint);
            }
        }
        if asked(Answer::Notify).next().is_some() {
            text.push_str(
                "\n; These answer to NOTIFY with Event: talk; their account in manager.conf needs write = system:\n",
            );
            for (number, phone) in asked(Answer::Notify) {
                let _ = writeln!(text, ";   {number}  {}", phone.endpoint);
            }
        }
        text
    }
}

/// Patterns of a dialplan for some numbers: one for each length and first digit, as nearly everybody numbers phones.
fn patterns(numbers: &[&str]) -> Vec<String> {
    let digits = |number: &&&str| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let mut found: Vec<String> =
        numbers.iter().filter(digits).map(|n| format!("_{}{}", &n[..1], "X".repeat(n.len() - 1))).collect();
    found.extend(numbers.iter().filter(|n| !digits(n)).map(|n| (*n).to_owned()));
    found.sort();
    found.dedup();
    if found.is_empty() { vec!["_1XX".to_owned()] } else { found }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ctigate_proto::message::Text;

    use super::super::machine::Phone;
    use super::*;

    fn plan() -> Plan {
        let phone = |number: &str, answer| (Text::from(number), Phone { endpoint: format!("PJSIP/{number}"), answer });
        Plan {
            context: "office".to_owned(),
            phones: [phone("101", Answer::Intercom), phone("102", Answer::Notify), phone("door", Answer::Never)].into(),
            queues: BTreeMap::from([("support".to_owned(), Text::from_static("600"))]),
            ..Plan::default()
        }
    }

    fn subject(plan: &Plan) -> Subject<'_> {
        Subject {
            plan,
            user: "gate",
            tls: false,
            port: 5038,
            gateway: Some("192.0.2.5".parse().unwrap()),
            agi: Some("192.0.2.5:4573".parse().unwrap()),
            route_method: "GetRoute",
        }
    }

    #[test]
    fn nothing_is_left_to_be_filled_in_but_the_secret() {
        let plan = plan();
        let subject = subject(&plan);
        let all = [dialplan(&plan), subject.manager(), subject.routes(), subject.phones()].concat();
        assert!(!all.contains("@CONTEXT@") && !all.contains("GATEWAY"), "{all}");
        assert_eq!(all.matches("CHANGE-ME").count(), 1);
        for due in [
            "[gate]\n",
            "permit = 192.0.2.5/32",
            "Goto(office,600,1)",
            "agi://192.0.2.5:4573/route",
            "_1XX,1",
            ";exten => door,1",
        ] {
            assert!(all.contains(due), "{due} is missing in\n{all}");
        }
    }

    #[test]
    fn the_pieces_fit_where_the_gateway_stands() {
        let plan = plan();
        let near = Subject { gateway: Some("127.0.0.1".parse().unwrap()), ..subject(&plan) }.manager();
        assert!(near.contains("bindaddr = 127.0.0.1") && near.contains("permit = 127.0.0.1/32"), "{near}");
        let agi = Some("[fd00::5]:4573".parse().unwrap());
        let six = Subject { gateway: Some("fd00::5".parse().unwrap()), agi, ..subject(&plan) };
        assert!(six.manager().contains("permit = fd00::5/128") && six.routes().contains("agi://[fd00::5]:4573"));
        let unknown = Subject { gateway: None, agi: None, ..subject(&plan) };
        assert!(unknown.manager().contains("permit = GATEWAY/32") && unknown.routes().contains("agi://GATEWAY:4573"));
        let tls = Subject { tls: true, port: 5039, ..subject(&plan) }.manager();
        assert!(tls.contains("tlsbindaddr = 0.0.0.0:5039"), "{tls}");
    }

    #[test]
    fn phones_are_told_how_to_be_answered() {
        let plan = plan();
        let text = subject(&plan).phones();
        assert!(text.find("101").unwrap() < text.find("NOTIFY").unwrap());
        assert!(text.find("NOTIFY").unwrap() < text.find("102").unwrap() && !text.contains("door"));
    }

    #[test]
    fn numbers_become_patterns() {
        assert_eq!(patterns(&["101", "102", "2001", "x1"]), ["_1XX", "_2XXX", "x1"]);
        assert_eq!(patterns(&[]), ["_1XX"]);
    }
}
