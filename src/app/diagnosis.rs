//! The doctor of a node that runs: what [`super::examine`] looks at before a start, and what only a node knows: the state of its links,
//! how long its certificates last, what waits for a restart, how full the disk is. Each with a light, and what to do, in two languages.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::snapshot::LinkView;

use crate::admin::operator::{Diagnosis, Light};
use crate::config::{DatabaseUrl, PbxKind};
use crate::pbx::{Check, Verdict};

use super::live::Live;
use super::{doctor, unix_ms};

/// Free space below which the disk is told, and below which it is bad.
const LITTLE: u64 = 2 << 30;
const TOO_LITTLE: u64 = 200 << 20;
/// A link that has been away for longer is more than a moment.
const AWAY_MS: i64 = 60_000;
/// The year before which a clock is wrong for certain: that of this program.
const SINCE: Duration = Duration::from_secs(1_750_000_000);

/// Everything that can be found out. Changes nothing; takes some seconds at most.
pub(super) async fn of(live: &Live) -> Vec<Diagnosis> {
    let loaded = live.config();
    let mut all = Vec::new();
    all.push(waiting(live));
    for check in doctor::examine_running(&loaded.config).await {
        all.push(of_check(check));
    }
    all.extend(certificates(live));
    all.push(writing(live));
    if let DatabaseUrl::Sqlite(path) = &loaded.config.store.url {
        all.extend(disk(path));
    }
    all.extend(links(live).await);
    if loaded.config.pbx.kind == PbxKind::Asterisk {
        all.extend(telephone(live));
    }
    all.push(methods(live));
    all.push(clock(SystemTime::now()));
    all
}

fn both(english: impl Into<String>, russian: impl Into<String>) -> (String, String) {
    (english.into(), russian.into())
}

fn nothing() -> (String, String) {
    both("", "")
}

/// A check of the doctor before the start.
fn of_check(check: Check) -> Diagnosis {
    let Check { what, verdict, found, advice } = check;
    let (group, russian): (&'static str, String) = match what.as_str() {
        "users" => ("people", "пользователи".to_owned()),
        "store" => ("store", "хранилище".to_owned()),
        "files" => ("files", "файлы".to_owned()),
        "recordings" => ("files", "записи разговоров".to_owned()),
        "ports" => ("ports", "порты".to_owned()),
        "simulator" => ("telephone", "симулятор".to_owned()),
        of if of.starts_with("link ") => ("links", of.replacen("link", "связь", 1)),
        of if of.contains("certificate") => ("certificates", format!("сертификат {of}")),
        of => ("telephone", of.to_owned()),
    };
    let light = match verdict {
        Verdict::Good => Light::Green,
        Verdict::Fair => Light::Amber,
        Verdict::Bad => Light::Red,
    };
    let translated = russian_advice(&advice).to_owned();
    Diagnosis {
        group,
        name: both(what, russian),
        light,
        detail: both(found.clone(), found),
        advice: both(advice, translated),
    }
}

/// The advice of the doctor before the start, in Russian. What Asterisk's own checks advise is in English alone.
fn russian_advice(advice: &str) -> &str {
    match advice {
        "add a [[user]]" => "добавьте пользователя",
        "give a certificate and its own key, both PEM" => "укажите сертификат и его собственный ключ, оба в PEM",
        "set store.url to a file" => "укажите в store.url файл",
        "let the user that runs ctigate write there, or set store.url" => {
            "разрешите запись туда пользователю, от которого работает ctigate, или укажите store.url"
        }
        "set files.folder to one that can be written" => "укажите в files.folder папку, куда можно писать",
        "set recordings.folder to one that can be written" => "укажите в recordings.folder папку, куда можно писать",
        "set pbx.asterisk.record_folder, if they are to be" => "укажите pbx.asterisk.record_folder, если нужны записи",
        "start the CRM, or see that no firewall stands between" => "запустите CRM или проверьте межсетевой экран",
        "choose an address of this machine, and a port from 1024 on" => "выберите адрес этой машины и порт от 1024",
        "end it, or choose other ports" => "завершите ту программу или выберите другие порты",
        "put the timeline right" => "исправьте сценарий",
        other => other,
    }
}

fn waiting(live: &Live) -> Diagnosis {
    let waiting: Vec<String> = live.waits_for_restart().into_iter().map(|change| change.key).collect();
    let name = both("settings", "настройки");
    if waiting.is_empty() {
        let detail = both("what is set is in effect", "всё заданное действует");
        return Diagnosis { group: "settings", name, light: Light::Green, detail, advice: nothing() };
    }
    let keys = waiting.join(", ");
    Diagnosis {
        group: "settings",
        name,
        light: Light::Amber,
        detail: both(format!("counts after a restart: {keys}"), format!("подействует после перезапуска: {keys}")),
        advice: both("restart the gateway when it suits", "перезапустите шлюз в удобное время"),
    }
}

fn certificates(live: &Live) -> Vec<Diagnosis> {
    let now = unix_ms() / 1000;
    let one = |(key, until): (String, i64)| {
        let days = (until - now).div_euclid(24 * 3600);
        let light = match days {
            ..0 => Light::Red,
            0..14 => Light::Amber,
            _ => Light::Green,
        };
        let advice = match light {
            Light::Green => nothing(),
            _ => both(
                "put a new certificate into the same files: it is read by itself",
                "положите новый сертификат в те же файлы: он прочтётся сам",
            ),
        };
        let detail = match light {
            Light::Red => both("it has expired", "истёк"),
            _ => both(format!("days left: {days}"), format!("осталось дней: {days}")),
        };
        Diagnosis {
            group: "certificates",
            name: both(format!("{key} in use"), format!("{key}, в работе")),
            light,
            detail,
            advice,
        }
    };
    live.parts.certified.expires().into_iter().map(one).collect()
}

fn writing(live: &Live) -> Diagnosis {
    let metrics = live.parts.telemetry.metrics();
    let (failing, waiting) = (metrics.store_failing.get() != 0, metrics.store_waiting.get());
    let name = both("writing", "запись");
    if failing {
        return Diagnosis {
            group: "store",
            name,
            light: Light::Red,
            detail: both(
                format!("it cannot write; facts waiting: {waiting}"),
                format!("запись не удаётся; ждёт фактов: {waiting}"),
            ),
            advice: both(
                "see the log for why; a full disk is the usual reason",
                "причина в журнале; обычно это полный диск",
            ),
        };
    }
    let detail = both(format!("facts waiting: {waiting}"), format!("ждёт фактов: {waiting}"));
    Diagnosis { group: "store", name, light: Light::Green, detail, advice: nothing() }
}

/// How much is free where the store is.
fn disk(path: &Path) -> Option<Diagnosis> {
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let free = free(folder)?;
    let light = match free {
        _ if free < TOO_LITTLE => Light::Red,
        _ if free < LITTLE => Light::Amber,
        _ => Light::Green,
    };
    let mib = free >> 20;
    let advice = match light {
        Light::Green => nothing(),
        _ => both(
            "make room: the ledger, recordings and uploads grow",
            "освободите место: журнал, записи и файлы растут",
        ),
    };
    let detail =
        both(format!("{mib} MiB free at {}", folder.display()), format!("свободно {mib} МиБ в {}", folder.display()));
    Some(Diagnosis { group: "machine", name: both("disk", "диск"), light, detail, advice })
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

async fn links(live: &Live) -> Vec<Diagnosis> {
    match live.parts.engine.ask(Ask::Snapshot).await {
        Answer::Snapshot(now) => now.links.iter().map(|link| of_link(link, unix_ms())).collect(),
        _ => Vec::new(),
    }
}

fn of_link(link: &LinkView, now_ms: i64) -> Diagnosis {
    let name = both(format!("link {}: state", link.name), format!("связь {}: состояние", link.name));
    let (state, detail) = (link.state, &link.detail);
    let long = now_ms - link.since_ms > AWAY_MS;
    let (light, advice) = match state {
        "up" => (Light::Green, nothing()),
        "refused" => (
            Light::Red,
            both(
                "compare login, password and auth with what the CRM knows",
                "сверьте логин, пароль и способ проверки с тем, что знает CRM",
            ),
        ),
        "competing" => (
            Light::Red,
            both("two CRMs use this link: give each its own", "этой связью пользуются две CRM: дайте каждой свою"),
        ),
        "waiting" => (
            Light::Amber,
            both("let the CRM connect to the address of the link", "пусть CRM подключится по адресу связи"),
        ),
        _ if long => (
            Light::Red,
            both(
                "start the CRM, or see that no firewall stands between; try it by ctigate check-crm",
                "запустите CRM или проверьте межсетевой экран; проверьте её командой ctigate check-crm",
            ),
        ),
        _ => (Light::Amber, nothing()),
    };
    let russian = match state {
        "up" => "подключена",
        "waiting" => "ждёт CRM",
        "dialing" => "подключается",
        "retrying" => "повторяет",
        "refused" => "отказано",
        "competing" => "две CRM",
        other => other,
    };
    let with = |word: &str| if detail.is_empty() { word.to_owned() } else { format!("{word}: {detail}") };
    Diagnosis { group: "links", name, light, detail: both(with(state), with(russian)), advice }
}

fn telephone(live: &Live) -> Option<Diagnosis> {
    let up = live.parts.phone.is_up();
    let name = both("telephone system", "телефонная система");
    Some(match up {
        true => Diagnosis {
            group: "telephone",
            name,
            light: Light::Green,
            detail: both("it is there", "на связи"),
            advice: nothing(),
        },
        false => Diagnosis {
            group: "telephone",
            name,
            light: Light::Red,
            detail: both("it is away", "недоступна"),
            advice: both("see the checks of Asterisk above, and the log", "смотрите проверки Asterisk выше и журнал"),
        },
    })
}

/// Dynamic methods that ended without a result, since the start.
fn methods(live: &Live) -> Diagnosis {
    let metrics = live.parts.telemetry.metrics();
    let of = |outcome: &str| metrics.methods.with(outcome).get();
    let good = of("ok");
    let bad: u64 = ["failed", "timeout", "fallback", "open_circuit", "no_link"].iter().map(|outcome| of(outcome)).sum();
    // One in ten is more than an accident.
    let light = if bad * 10 > good + bad { Light::Amber } else { Light::Green };
    let advice = match light {
        Light::Green => nothing(),
        _ => both(
            "see ctigate explain for a call of one, and the CRM's own log",
            "посмотрите ctigate explain для одного из звонков и журнал самой CRM",
        ),
    };
    let detail = both(
        format!("answered: {good}; without an answer: {bad}, of them too late {}", of("timeout")),
        format!("с ответом: {good}; без ответа: {bad}, из них опоздало {}", of("timeout")),
    );
    Diagnosis {
        group: "links", name: both("dynamic methods", "динамические методы"), light, detail, advice
    }
}

fn clock(now: SystemTime) -> Diagnosis {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = both("clock", "часы");
    if since < SINCE {
        return Diagnosis {
            group: "machine",
            name,
            light: Light::Red,
            detail: both("it is set to the past", "показывают прошлое"),
            advice: both(
                "set the clock, by NTP if possible: certificates and sessions depend on it",
                "установите часы, лучше по NTP: от них зависят сертификаты и сеансы",
            ),
        };
    }
    let detail = both("it can be right", "могут быть верны");
    Diagnosis { group: "machine", name, light: Light::Green, detail, advice: nothing() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_light_of_its_state() {
        let link = |state, since_ms| LinkView {
            name: "crm".into(),
            state,
            since_ms,
            detail: "why".into(),
            ..LinkView::default()
        };
        let light = |state, since| of_link(&link(state, since), 100_000).light;
        assert_eq!(
            (light("up", 0), light("waiting", 0), light("refused", 99_000)),
            (Light::Green, Light::Amber, Light::Red)
        );
        assert_eq!((light("retrying", 99_000), light("retrying", 1000)), (Light::Amber, Light::Red));
        let told = of_link(&link("retrying", 1000), 100_000);
        assert_eq!(told.detail, ("retrying: why".to_owned(), "повторяет: why".to_owned()));
        assert!(!told.advice.0.is_empty() && !told.advice.1.is_empty());
    }

    #[test]
    fn every_advice_before_the_start_has_its_russian() {
        let source = include_str!("doctor.rs").split("#[cfg(test)]").next().unwrap_or_default();
        for advice in
            ["add a [[user]]", "set store.url to a file", "end it, or choose other ports", "put the timeline right"]
        {
            assert!(source.contains(advice), "{advice} is said no more");
            assert_ne!(russian_advice(advice), advice);
        }
    }

    #[test]
    fn a_clock_in_the_past_is_seen() {
        assert_eq!(clock(UNIX_EPOCH).light, Light::Red);
        assert_eq!(clock(SystemTime::now()).light, Light::Green);
    }
}
