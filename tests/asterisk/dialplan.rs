//! The configuration of the tests' Asterisk: telephones, a provider, queues, and what a dialled number does.
//!
//! Stories do not disturb each other: each has a **team** of its own, five phones with the numbers that belong to it.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use ctigate::config::{Config, PbxKind};

use crate::server::{Ports, SECRET, USER};

/// How many teams there are.
pub(crate) const TEAMS: u16 = 80;
/// How many phones a team has.
pub(crate) const PEOPLE: u16 = 5;
/// Numbers of the load: sipp answers for them.
pub(crate) const LOAD: std::ops::Range<u16> = 8000..8300;
/// Where the provider calls from.
pub(crate) const TRUNK_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where sipp calls from.
pub(crate) const SIPP_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Where sipp answers.
pub(crate) const LOAD_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// Phones of the browser's stories.
pub(crate) const HOUSE: std::ops::RangeInclusive<u16> = 101..=110;
/// Their queue, and who serves it.
const HOUSE_QUEUE: (&str, [&str; 2]) = ("500", ["101", "102"]);
/// How long a phone is rung, in seconds, where the story does not choose a number that rings shortly.
const RING: u16 = 30;

/// Phone `n` (1 to 5) of a team.
pub(crate) fn extension(team: u16, n: u16) -> String {
    format!("{}", 1000 + 10 * team + n)
}

/// The team's queue: its first three people.
pub(crate) fn queue(team: u16) -> String {
    format!("{}", 6000 + team)
}

/// A number that rings the team's first phone for two seconds.
pub(crate) fn short(team: u16) -> String {
    format!("{}", 3000 + team)
}

/// A number at which a voice menu speaks.
pub(crate) fn menu(team: u16) -> String {
    format!("{}", 4000 + team)
}

/// A number that puts into the queue for three seconds.
pub(crate) fn patience(team: u16) -> String {
    format!("{}", 5000 + team)
}

/// A number at which the gateway is asked whom to ring.
pub(crate) fn asking(team: u16) -> String {
    format!("{}", 7000 + team)
}

/// A number that rings the team's first three phones at once.
pub(crate) fn group(team: u16) -> String {
    format!("{}", 2000 + team)
}

/// Every phone that registers.
fn phones() -> impl Iterator<Item = String> {
    let teams = (0..TEAMS).flat_map(|team| (1..=PEOPLE).map(move |n| extension(team, n)));
    teams.chain(HOUSE.map(|number| number.to_string()))
}

/// A number at which the gateway says who gets the call, and opens the card for them before the ring.
pub(crate) fn routed(team: u16) -> String {
    format!("{}", 9000 + team)
}

/// The numbers that are neither phones nor queues.
pub(crate) fn services() -> Vec<String> {
    (0..TEAMS)
        .flat_map(|team| [group(team), short(team), menu(team), patience(team), asking(team), routed(team)])
        .collect()
}

/// The same in the scenario language of the simulator.
pub(crate) fn scenarios() -> String {
    let mut text = String::new();
    for team in 0..TEAMS {
        let [first, second, third] = [1, 2, 3].map(|n| extension(team, n));
        let _ = writeln!(text, "on {} {{\n  ring {first}, {second}, {third} for 30s\n}}", group(team));
        let _ = writeln!(text, "on {} {{\n  ring {first} for 2s\n}}", short(team));
        let _ = writeln!(text, "on {} \"menu\" {{\n  answer\n  wait 60s\n}}", menu(team));
        let _ = writeln!(text, "on {} {{\n  queue {} for 3s\n}}", patience(team), queue(team));
    }
    text
}

const MODULES: &str = "
    app_agi app_chanspy app_confbridge app_db app_dial app_directed_pickup app_echo app_exec app_mixmonitor app_originate
    app_playback app_queue app_senddtmf app_stack app_system app_transfer app_userevent app_verbose
    bridge_builtin_features bridge_builtin_interval_features bridge_holding bridge_native_rtp bridge_simple bridge_softmix
    chan_bridge_media chan_pjsip codec_alaw codec_resample codec_ulaw format_pcm format_sln format_wav
    func_callerid func_channel func_cut func_db func_devstate func_dialplan func_global func_hangupcause func_logic
    func_math func_pjsip_aor func_pjsip_contact func_pjsip_endpoint func_presencestate func_rand func_sprintf func_strings
    func_timeout func_uri func_uuid
    pbx_config
    res_agi res_crypto res_http_websocket res_manager_devicestate res_manager_presencestate res_musiconhold res_mutestream
    res_parking res_pjproject res_pjsip res_pjsip_acl res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_dialog_info_body_generator
    res_pjsip_diversion res_pjsip_dtmf_info res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user
    res_pjsip_exten_state res_pjsip_header_funcs res_pjsip_messaging res_pjsip_mwi res_pjsip_nat res_pjsip_notify
    res_pjsip_outbound_authenticator_digest res_pjsip_outbound_publish res_pjsip_path res_pjsip_pidf_body_generator res_pjsip_pubsub res_pjsip_refer
    res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp res_pjsip_session res_rtp_asterisk res_sorcery_astdb
    res_sorcery_config res_sorcery_memory res_speech res_srtp res_timing_timerfd";

/// Writes everything below `folder`.
pub(crate) fn write(folder: &Path, data: &Path, modules: &Path, ports: &Ports) {
    for name in ["etc", "log", "run", "var/keys", "sounds", "spool/monitor", "spool/outgoing", "spool/tmp", "agi"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    // Ten seconds of a tone stand for music and for what a menu says.
    let tone: Vec<u8> = (0..80_000_u32).map(|n| if n % 20 < 10 { 0x20 } else { 0xa0 }).collect();
    fs::create_dir_all(folder.join("music")).unwrap();
    fs::write(folder.join("music/tone.ulaw"), &tone).unwrap();
    fs::write(folder.join("sounds/menu.ulaw"), &tone).unwrap();
    let put = |name: &str, text: String| fs::write(folder.join("etc").join(name), text).unwrap();
    let at = folder.display();
    put(
        "asterisk.conf",
        format!(
            "[directories]\nastetcdir => {at}/etc\nastmoddir => {}\nastvarlibdir => {at}/var\nastdbdir => {at}/var\n\
             astkeydir => {at}/var\nastdatadir => {}\nastagidir => {at}/agi\nastspooldir => {at}/spool\nastrundir => {at}/run\n\
             astlogdir => {at}/log\nastsbindir => {at}/run\n[options]\nnocolor = yes\nverbose = 3\nsystemname = bed\n",
            modules.display(),
            data.display(),
        ),
    );
    put(
        "logger.conf",
        "[general]\n[logfiles]\nmessages => notice,warning,error\nfull => notice,warning,error,verbose\n".into(),
    );
    let loads: String = MODULES
        .split_whitespace()
        .filter(|name| modules.join(format!("{name}.so")).exists())
        .map(|name| format!("load = {name}.so\n"))
        .collect();
    put("modules.conf", format!("[modules]\nautoload = no\n{loads}"));
    put("manager.conf", manager(ports));
    let rtp_end = ports.rtp + 1999;
    put("rtp.conf", format!("[general]\nrtpstart = {}\nrtpend = {rtp_end}\nstrictrtp = no\n", ports.rtp));
    put("musiconhold.conf", format!("[default]\nmode = files\ndirectory = {at}/music\n"));
    put("features.conf", "[general]\npickupexten = *8\n[featuremap]\nblindxfer = ##\natxfer = *2\n".into());
    put(
        "res_parking.conf",
        "[general]\n[default]\nparkext => 700\nparkpos => 701-720\ncontext => parked\nparkingtime => 45\n".into(),
    );
    put(
        "confbridge.conf",
        "[general]\n[default_bridge]\ntype = bridge\n[default_user]\ntype = user\nmusic_on_hold_when_empty = yes\nquiet = yes\n\
         announce_only_user = no\n[default_menu]\ntype = menu\n"
            .into(),
    );
    put("queues.conf", queues());
    put("pjsip.conf", pjsip(ports));
    put("extensions.conf", extensions(&folder.join("sounds/menu"), ports));
    for empty in [
        "acl",
        "ccss",
        "cdr",
        "cel",
        "cli_aliases",
        "cli_permissions",
        "codecs",
        "dnsmgr",
        "dsp",
        "enum",
        "extconfig",
        "http",
        "indications",
        "pjproject",
        "pjsip_notify",
        "pjsip_wizard",
        "queuerules",
        "sorcery",
        "stasis",
        "udptl",
    ] {
        put(&format!("{empty}.conf"), String::new());
    }
    put(
        "indications.conf",
        "[general]\ncountry = us\n[us]\ndescription = US\nringcadence = 2000,4000\nring = 440+480/2000,0/4000\n".into(),
    );
}

/// What `ctigate asterisk config manager` prints, with a secret; and somebody who may do everything, for the stories themselves.
fn manager(ports: &Ports) -> String {
    let mut config = Config::default();
    (config.pbx.kind, config.pbx.asterisk.port) = (PbxKind::Asterisk, ports.ami);
    config.pbx.asterisk.user = USER.to_owned();
    let ours = ctigate::app::asterisk_config(&config, "manager").replace("CHANGE-ME", SECRET);
    let all = "system,call,agent,user,config,command,dtmf,reporting,cdr,dialplan,originate";
    format!("{ours}\n[root]\nsecret = {SECRET}\nread = system\nwrite = {all}\n")
}

fn queues() -> String {
    let mut text = "[general]\npersistentmembers = no\nautofill = yes\n".to_owned();
    let of_team = |team| (queue(team), [1, 2, 3].map(|n| extension(team, n)).to_vec());
    let house = (HOUSE_QUEUE.0.to_owned(), HOUSE_QUEUE.1.map(str::to_owned).to_vec());
    for (queue, members) in (0..TEAMS).map(of_team).chain([house]) {
        let _ = write!(
            text,
            "[{queue}]\nmusicclass = default\nstrategy = ringall\ntimeout = 15\nretry = 1\nwrapuptime = 0\nringinuse = no\n\
             joinempty = yes\nleavewhenempty = no\nannounce-frequency = 0\nannounce-position = no\n",
        );
        for number in members {
            let _ = writeln!(text, "member => PJSIP/{number},0,Agent {number},PJSIP/{number}");
        }
    }
    text
}

fn pjsip(ports: &Ports) -> String {
    let mut text = format!(
        "[global]\ntype = global\n[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{}\n\
         [phone](!)\ntype = endpoint\ntransport = udp\ncontext = internal\ndisallow = all\nallow = ulaw\ndirect_media = no\n\
         dtmf_mode = auto_info\ntrust_id_inbound = yes\ntrust_id_outbound = yes\nsend_pai = yes\ncall_group = 1\npickup_group = 1\n\
         allow_transfer = yes\nallow_subscribe = yes\nnotify_early_inuse_ringing = yes\ndevice_state_busy_at = 1\n\
         [place](!)\ntype = aor\nmax_contacts = 1\nremove_existing = yes\ndefault_expiration = 3600\nqualify_frequency = 0\n",
        ports.sip
    );
    for number in phones() {
        let _ = writeln!(
            text,
            "[{number}](phone)\naors = {number}\ncallerid = Agent {number} <{number}>\n[{number}](place)"
        );
    }
    for number in LOAD {
        let _ = writeln!(
            text,
            "[{number}](phone)\naors = {number}\ncallerid = Load {number} <{number}>\n[{number}](place)\ncontact = sip:{number}@{}",
            ports.load
        );
    }
    let provider = |name: &str, address: String, ip: Ipv4Addr| {
        format!(
            "[{name}]\ntype = endpoint\ntransport = udp\ncontext = from-{name}\ndisallow = all\nallow = ulaw\ndirect_media = no\n\
             dtmf_mode = auto_info\ntrust_id_inbound = yes\naors = {name}\n[{name}]\ntype = aor\ncontact = sip:{address}\n\
             qualify_frequency = 0\n[{name}]\ntype = identify\nendpoint = {name}\nmatch = {ip}\n"
        )
    };
    text.push_str(&provider("trunk", ports.trunk.to_string(), TRUNK_IP));
    text.push_str(&provider("sipp", format!("{SIPP_IP}:{}", ports.trunk.port()), SIPP_IP));
    text
}

fn extensions(menu_sound: &Path, ports: &Ports) -> String {
    let agi = format!("agi://127.0.0.1:{}", ports.agi);
    let hints: String = phones().map(|number| format!("exten => {number},hint,PJSIP/{number}\n")).collect();
    format!(
        "[general]\nstatic = yes\nwriteprotect = yes\n\
         [from-trunk]\nexten => _X!,1,Goto(internal,${{EXTEN}},1)\n\
         [from-sipp]\nexten => _X!,1,Goto(internal,${{EXTEN}},1)\n\
         [parked]\n\
         [internal]\ninclude => hints\ninclude => parked\n\
         ; a phone\n\
         exten => _1X.,1,Gosub(cti-redirect,${{EXTEN}},1)\n\
         \x20same => n,Dial(PJSIP/${{EXTEN}},{RING},tTkK)\n\
         \x20same => n,Goto(over-${{DIALSTATUS}},1)\n\
         ; a number of the load\n\
         exten => _8XXX,1,Dial(PJSIP/${{EXTEN}},{RING})\n\
         \x20same => n,Goto(over-${{DIALSTATUS}},1)\n\
         ; a ring that does not last\n\
         exten => _30XX,1,Dial(PJSIP/1${{EXTEN:2}}1,2,tT)\n\
         \x20same => n,Goto(over-${{DIALSTATUS}},1)\n\
         ; three phones at once\n\
         exten => _20XX,1,Set(N=1${{EXTEN:2}})\n\
         \x20same => n,Dial(PJSIP/${{N}}1&PJSIP/${{N}}2&PJSIP/${{N}}3,{RING},tT)\n\
         \x20same => n,Goto(over-${{DIALSTATUS}},1)\n\
         ; a voice menu\n\
         exten => _40XX,1,Answer()\n\
         \x20same => n,Background({menu})\n\
         \x20same => n,WaitExten(50)\n\
         \x20same => n,Hangup(16)\n\
         ; a queue, and one that has not much patience\n\
         exten => _60XX,1,Goto(queues,${{EXTEN}},1)\n\
         exten => {house_queue},1,Goto(queues,${{EXTEN}},1)\n\
         exten => _50XX,1,Answer()\n\
         \x20same => n,Queue(60${{EXTEN:2}},tT,,,3)\n\
         \x20same => n,Hangup(19)\n\
         ; outside\n\
         exten => _XXXXX!,1,Dial(PJSIP/${{EXTEN}}@trunk,{RING},tT)\n\
         \x20same => n,Goto(over-${{DIALSTATUS}},1)\n\
         exten => _*8XXXX,1,PickupChan(PJSIP/${{EXTEN:2}}-,p)\n\
         \x20same => n,Hangup()\n\
         exten => over-BUSY,1,Hangup(17)\n\
         exten => over-NOANSWER,1,Hangup(19)\n\
         exten => over-CHANUNAVAIL,1,Hangup(20)\n\
         exten => over-CONGESTION,1,Hangup(34)\n\
         exten => over-CANCEL,1,Hangup()\n\
         exten => over-ANSWER,1,Hangup()\n\
         ; whom to ring is asked\n\
         exten => _70XX,1,Goto(asking,${{EXTEN}},1)\n\
         exten => _90XX,1,Goto(asking,${{EXTEN}},1)\n\
         [asking]\n\
         exten => _70XX,1,AGI({agi}/dynamic/GetManager?phone=${{CALLERID(num)}})\n\
         \x20same => n,GotoIf($[\"${{CTI_STATUS}}\" = \"OK\" & \"${{CTI_MANAGER}}\" != \"\"]?internal,${{CTI_MANAGER}},1)\n\
         \x20same => n,Goto(internal,60${{EXTEN:2}},1)\n\
         exten => _90XX,1,AGI({agi}/route)\n\
         \x20same => n,GotoIf($[\"${{CTI_ROUTE}}\" = \"\"]?internal,60${{EXTEN:2}},1)\n\
         \x20same => n,AGI({agi}/form/clientcard?_user=${{CTI_ROUTE}}&phone=${{CALLERID(num)}}&_wait=10s)\n\
         \x20same => n,Goto(internal,${{CTI_ROUTE}},1)\n\
         [queues]\n\
         exten => _X.,1,Answer()\n\
         \x20same => n,Queue(${{EXTEN}},tT,,,120)\n\
         \x20same => n,Hangup(16)\n\
         [hints]\n{hints}\n{cti}",
        cti = CTI.replace("@CONTEXT@", "internal"),
        house_queue = HOUSE_QUEUE.0,
        menu = menu_sound.display(),
    )
}

/// The places to which the gateway sends channels, as it gives them to operators.
const CTI: &str = include_str!("../../src/pbx/asterisk/dialplan/extensions_cti.conf");
