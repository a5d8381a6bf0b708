//! What each part is made of, out of the configuration.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::Extensions;
use ctigate_proto::auth::same_login;
use ctigate_proto::hub::Rights;
use ctigate_proto::hub::settings::{
    Account, BreakReason, FormKind, FormRule, GroupNumber, Limits, LinkSettings, Piece, Procedure, Settings, Trigger,
};
use ctigate_proto::message::Text;
use ctigate_proto::method::ZERO_GUID;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{self, Config, DatabaseUrl, FormEvent, FormPlace, Placeholder, QueueStrategy, Secret};
use crate::files::Files;
use crate::pbx::asterisk::machine::Plan;
use crate::pbx::asterisk::{self, agi, ami};
use crate::pbx::{self, simulator};
use crate::people::Desk;
use crate::store::Person;
use crate::telemetry::Telemetry;
use crate::transport::tls::Trust;
use crate::transport::{Origins, listen};
use crate::{admin, capture, web};

use super::StartError;

/// The namespace of the ids that are made of names: they are the same over restarts and stores.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b1c_6f0e_7a52_4c55_9d0c_6374_6967_6174);

pub(super) fn hub(config: &Config, web_ports: (u16, u16), wall_ms: i64, seed: [u8; 32]) -> Settings {
    let limits = &config.limits;
    Settings {
        seed,
        wall_ms,
        web_ports,
        accounts: config.users.iter().map(account).collect(),
        links: config.links.iter().map(link).collect(),
        forms: config.forms.iter().map(form).collect(),
        numbers: config
            .queues
            .iter()
            .map(|q| GroupNumber {
                number: text(&q.number),
                id: id("number", &q.number),
                name: text(&q.name),
                members: q.users.iter().map(|u| text(u)).collect(),
            })
            .collect(),
        breaks: config.breaks.iter().map(|b| BreakReason { id: b.id, name: text(&b.name) }).collect(),
        procedures: config.procedures.iter().map(procedure).collect(),
        utc_offset,
        limits: Limits {
            tab_event: limits.max_message_tab,
            in_flight_tab: limits.in_flight_tab,
            in_flight_link: limits.in_flight_link,
            tabs_per_user: limits.tabs_per_user,
            max_users: limits.max_users,
            ..Limits::default()
        },
        notation: capture::notation(),
    }
}

/// Seconds east of UTC at a moment, by the machine's time zone.
fn utc_offset(wall_ms: i64) -> i32 {
    use chrono::{Local, Offset, TimeZone};

    Local.timestamp_millis_opt(wall_ms).single().map_or(0, |moment| moment.offset().fix().local_minus_utc())
}

fn procedure(procedure: &config::Procedure) -> Procedure {
    Procedure {
        name: procedure.name.to_lowercase().into(),
        roles: procedure.roles.iter().map(|role| text(role.as_str())).collect(),
        parameters: procedure.sql.parameters().iter().map(|p| text(p)).collect(),
    }
}

/// The people as stored procedures see them.
pub(super) fn people(config: &Config) -> Vec<Person> {
    let person = |user: &config::User| {
        let account = account(user);
        Person {
            login: account.login,
            id: account.id,
            name: account.name,
            number: account.number,
            department: account.department,
            role: account.role,
        }
    };
    config.users.iter().map(person).collect()
}

/// The id that a name has: a GUID in lower case, the same wherever the name is.
fn id(kind: &str, name: &str) -> Text {
    Uuid::new_v5(&NAMESPACE, format!("{kind}:{name}").as_bytes()).hyphenated().to_string().into()
}

fn text(s: &str) -> Text {
    Text::from(s)
}

fn account(user: &config::User) -> Account {
    Account {
        id: if user.id.is_empty() { id("user", &user.login) } else { user.id.to_ascii_lowercase().into() },
        login: text(&user.login),
        name: text(user.display_name()),
        number: text(&user.number),
        number_id: id("number", &user.number),
        department: text(&user.department),
        department_id: if user.department.is_empty() { text(ZERO_GUID) } else { id("department", &user.department) },
        role: text(user.role.as_str()),
        rights: user.effective_rights(),
        must_change_password: user.must_change_password,
        api_calls: user.api_call_enabled,
        subordinates: user.subordinates.iter().map(|s| text(s)).collect(),
    }
}

fn link(link: &config::Link) -> LinkSettings {
    LinkSettings {
        name: text(&link.name),
        mode: link.mode.to_string().into(),
        post: link.mode.posts(),
        users: (!link.users.is_empty()).then(|| link.users.iter().map(|u| text(u)).collect()),
        trust_users: link.trust_users,
        rights: link.rights.iter().fold(Rights::NONE, |rights, right| rights.with(right.0)),
        tunnel_grace: link.tunnel_grace,
        silent_events: link.silent_events.iter().map(|e| text(e)).collect(),
    }
}

fn form(form: &config::Form) -> FormRule {
    let trigger = |event: &FormEvent| match event {
        FormEvent::Ring => Trigger::Ring,
        FormEvent::Answer => Trigger::Answer,
        FormEvent::Hangup => Trigger::Hangup,
        FormEvent::Queue => Trigger::Queue,
        FormEvent::Api => Trigger::Api,
    };
    let piece = |piece: &config::Piece| match piece {
        config::Piece::Text(s) => Piece::Text(text(s)),
        config::Piece::Value(Placeholder::Caller) => Piece::Caller,
        config::Piece::Value(Placeholder::Called) => Piece::Called,
        config::Piece::Value(Placeholder::Chain) => Piece::Chain,
        config::Piece::Value(Placeholder::User) => Piece::User,
        config::Piece::Value(Placeholder::Ask(name)) => Piece::Ask(text(name)),
    };
    FormRule {
        name: text(&form.name),
        on: trigger(&form.on),
        close_on: form.close_on.iter().map(trigger).collect(),
        users: form.users.iter().map(|u| text(u)).collect(),
        parameters: form.parameters.0.iter().map(|(n, t)| (text(n), t.pieces().iter().map(piece).collect())).collect(),
        ask: (!form.ask.is_empty()).then(|| text(&form.ask)),
        kind: FormKind::parse(&form.kind.to_string()).unwrap_or_default(),
        one: form.place == FormPlace::One,
        expire: form.expire,
    }
}

/// The telephone system without telephones: the extensions are the users' numbers.
pub(super) fn simulator(config: &Config, demo: bool) -> Result<simulator::Settings, StartError> {
    let timeline = match &config.pbx.timeline {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|e| StartError::Pbx(format!("timeline = {}: {e}", path.display())))?
        }
        None if demo => simulator::DEMO.to_owned(),
        None => String::new(),
    };
    Ok(simulator::Settings {
        directory: directory(config),
        timeline,
        seed: rand::random(),
        recordings: Some(config.recordings.folder.clone()),
        lines: config.pbx.lines,
        ..simulator::Settings::default()
    })
}

/// The inside numbers are those of the users.
pub(super) fn directory(config: &Config) -> pbx::Directory {
    let extensions = config.users.iter().filter(|u| !u.number.is_empty()).map(|u| pbx::Extension {
        number: text(&u.number),
        name: text(u.display_name()),
        login: Some(text(&u.login)),
    });
    let number_of = |login: &String| {
        config.users.iter().find(|u| same_login(&u.login, login) && !u.number.is_empty()).map(|u| text(&u.number))
    };
    let queues = config.queues.iter().map(|q| pbx::Queue {
        number: text(&q.number),
        name: text(&q.name),
        members: q.users.iter().filter_map(number_of).collect(),
        strategy: match q.strategy {
            QueueStrategy::RingAll => pbx::Strategy::All,
            QueueStrategy::RoundRobin => pbx::Strategy::Rotate,
            QueueStrategy::LongestIdle => pbx::Strategy::LongestIdle,
            QueueStrategy::FewestCalls => pbx::Strategy::FewestCalls,
        },
    });
    pbx::Directory { extensions: extensions.collect(), queues: queues.collect() }
}

/// An Asterisk PBX.
pub(super) fn asterisk(config: &Config, telemetry: Telemetry) -> Result<asterisk::Settings, StartError> {
    let account = asterisk_account(config)?;
    let plan = asterisk_plan(config);
    let agi = agi::Settings {
        allow: config.pbx.asterisk.agi_allow.clone(),
        timeout: config.pbx.asterisk.agi_timeout,
        route_method: config.pbx.asterisk.route_method.clone(),
        directory: Arc::new(ArcSwap::from_pointee(plan.directory.clone())),
    };
    let extensions = asterisk::Extensions {
        inside: config.pbx.asterisk.inside.clone(),
        endpoint: config.pbx.asterisk.endpoint.clone(),
        answer: config.pbx.asterisk.answer.into(),
    };
    // The secret is in the account, and nowhere else.
    let choices = config::Asterisk { secret: None, ..config.pbx.asterisk.clone() };
    Ok(asterisk::Settings { account, choices, plan, extensions, agi, telemetry })
}

/// What is known of an Asterisk PBX beforehand.
pub(super) fn asterisk_plan(config: &Config) -> Plan {
    Plan::of(&config.pbx.asterisk, directory(config))
}

/// Where an Asterisk PBX is, and who we are there.
fn asterisk_account(config: &Config) -> Result<ami::Account, StartError> {
    let asterisk = &config.pbx.asterisk;
    let trust = asterisk.ca_file.clone().map_or(Trust::System, Trust::File);
    let tls = asterisk.tls.then(|| trust.connector()).transpose();
    Ok(ami::Account {
        host: asterisk.host.clone(),
        port: asterisk.port,
        user: asterisk.user.clone(),
        secret: asterisk.secret.clone().unwrap_or_default(),
        tls: tls.map_err(|why| StartError::Tls { key: "pbx.asterisk.ca_file".to_owned(), why })?,
        patience: ami::Patience::default(),
    })
}

/// The file of the store; `None`: it is none of this machine.
pub(super) fn store_file(config: &Config) -> Option<PathBuf> {
    match &config.store.url {
        DatabaseUrl::Sqlite(path) => Some(path.clone()),
        DatabaseUrl::Memory | DatabaseUrl::Postgres(_) => None,
    }
}

pub(super) fn timeline_name(config: &Config) -> String {
    config.pbx.timeline.as_ref().map_or_else(|| "of the demo".to_owned(), |p| p.display().to_string())
}

/// What a certificate made on first start is for, besides the names of this machine: the addresses we listen on, and the
/// host of the public URL (or nothing).
pub(super) fn certificate_names(config: &Config) -> (Vec<SocketAddr>, &str) {
    let links = config.links.iter().filter_map(|l| l.bind);
    let bound = links.chain([config.web.bind, config.web.admin_bind]).chain(config.web.tls_bind).collect();
    let host = config.web.public_url.split("//").nth(1).and_then(|rest| rest.split(['/', ':']).next());
    (bound, host.unwrap_or_default())
}

/// What the web port's pages are told.
pub(super) fn web(config: &Config, demo: bool, files: Files, stop: CancellationToken) -> web::Settings {
    let allowed = config.web.allowed_origins.iter().map(String::as_str);
    let origins = Origins::new(allowed, &config.web.public_url);
    let person = |user: &config::User| web::Person {
        login: text(&user.login),
        name: text(user.display_name()),
        password: text(user.password.as_ref().map_or("", Secret::expose)),
    };
    web::Settings {
        links: config.links.clone(),
        max_message: config.limits.max_message_link,
        nesting: config.limits.nesting,
        origins: Arc::new(move |origin, host| origins.allows(origin, host)),
        caller: |extensions| match extensions.get::<listen::Caller>() {
            Some(caller) => web::Caller { address: caller.address, tls: caller.tls },
            None => web::Caller { address: IpAddr::from([0, 0, 0, 0]), tls: false },
        },
        files: Some(files),
        insecure_basic: config.web.insecure_basic,
        api: None,
        demo: demo.then(|| config.users.iter().map(person).collect()),
        stop,
    }
}

/// What the admin port is told.
pub(super) fn admin(config: &Config, token: Secret, desk: Arc<Desk>, stop: CancellationToken) -> admin::Settings {
    let host = config.web.public_url.split("//").nth(1).and_then(|rest| rest.split(['/', ':']).next());
    let hosts = host.into_iter().map(str::to_owned).collect();
    admin::Settings { token, hosts, desk: Some(desk), source, stop }
}

/// Where a request comes from, as its listener has noted it.
pub(super) fn source(extensions: &Extensions) -> admin::Source {
    match extensions.get::<listen::Caller>() {
        Some(caller) => admin::Source { address: caller.address, tls: caller.tls },
        None => admin::Source { address: IpAddr::from([0, 0, 0, 0]), tls: false },
    }
}
