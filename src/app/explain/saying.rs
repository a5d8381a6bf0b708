//! What happened, in English and in Russian.

use crate::admin::explain::Item;

use super::fact::Fact;

/// A level and the two texts.
type Said = (&'static str, String, String);

/// A decision as people read it.
pub(super) fn item(fact: &Fact) -> Item {
    let (level, text_en, text_ru) = say(fact);
    Item {
        at_ms: fact.at_ms,
        what: fact.what.clone(),
        level,
        login: fact.user.clone(),
        form: fact.form.clone(),
        text_en,
        text_ru,
        detail: fact.detail.clone(),
    }
}

fn say(fact: &Fact) -> Said {
    let t = |name: &str| fact.text(name);
    let user = fact.user.as_str();
    match fact.what.as_str() {
        "began" => (
            "info",
            format!("{} calls {}", t("caller"), t("called")),
            format!("{} звонит на {}", t("caller"), t("called")),
        ),
        "nobodys_number" => (
            "warn",
            format!("the number {} is no user's and no queue's", t("number")),
            format!("номер {} не принадлежит ни пользователю, ни очереди", t("number")),
        ),
        "over" => ("info", "the call is over".to_owned(), "звонок завершён".to_owned()),
        "triggered" => triggered(fact),
        "not_for_user" => (
            "warn",
            format!("form rule {}: not for {user}", t("rule")),
            format!("правило формы {}: не для {user}", t("rule")),
        ),
        "fires" if t("ask").is_empty() => (
            "good",
            format!("form rule {} applies to {user}", t("rule")),
            format!("правило формы {} сработало для {user}", t("rule")),
        ),
        "fires" => (
            "good",
            format!("form rule {} applies to {user} and asks {} first", t("rule"), t("ask")),
            format!("правило формы {} сработало для {user} и сначала спрашивает {}", t("rule"), t("ask")),
        ),
        "rule_asked" => {
            let (en, ru) = outcome(t("outcome"));
            let level = if matches!(t("outcome"), "ok" | "fallback") { "good" } else { "bad" };
            let why = after(t("why"));
            (
                level,
                format!("what rule {} asked: {en}{why}", t("rule")),
                format!("ответ для правила {}: {ru}{why}", t("rule")),
            )
        }
        "not_opened" => (
            "bad",
            format!("form {} is not opened: {}", t("name"), t("why")),
            format!("форма {} не открыта: {}", t("name"), t("why")),
        ),
        "opened" => (
            "good",
            format!("form {} is open for {user} (by {})", t("name"), t("by")),
            format!("форма {} открыта для {user} ({})", t("name"), by_ru(t("by"))),
        ),
        "shown" => shown(fact),
        "ended" => {
            let (level, ru) = match t("how") {
                "answered" => ("good", "отвечена"),
                "expired" => ("bad", "истекла без ответа"),
                _ => ("info", "закрыта"),
            };
            (level, format!("form {} {}", t("name"), ended_en(t("how"))), format!("форма {} {ru}", t("name")))
        }
        "asked" => {
            let (en, ru) = whom(t("link"));
            (
                "info",
                format!("method {} asked of {en} (by {})", t("method"), t("by")),
                format!("метод {} запрошен у {ru} ({})", t("method"), by_ru(t("by"))),
            )
        }
        "not_asked" => {
            let ((en, ru), why) = (outcome(t("outcome")), after(t("why")));
            (
                "bad",
                format!("method {} is not asked: {en}{why}", t("method")),
                format!("метод {} не запрошен: {ru}{why}", t("method")),
            )
        }
        "done" => {
            let ((en, ru), why) = (outcome(t("outcome")), after(t("why")));
            let level = if matches!(t("outcome"), "ok" | "fallback") { "good" } else { "bad" };
            let millis = fact.count("millis");
            (
                level,
                format!("method {}: {en} after {millis} ms{why}", t("method")),
                format!("метод {}: {ru} через {millis} мс{why}", t("method")),
            )
        }
        "told" => told(fact),
        "tab_opened" => (
            "good",
            format!("{user} opened tab {} from {}", fact.count("tab"), t("address")),
            format!("{user}: открыта вкладка {} с адреса {}", fact.count("tab"), t("address")),
        ),
        "tab_closed" => (
            "info",
            format!("tab {} of {user} is gone", fact.count("tab")),
            format!("вкладка {} пользователя {user} закрыта", fact.count("tab")),
        ),
        "subscribed" => {
            let events = fact.texts("events").join(", ");
            (
                "info",
                format!("tab {} of {user} subscribed to {events}", fact.count("tab")),
                format!("вкладка {} пользователя {user} подписалась на {events}", fact.count("tab")),
            )
        }
        "login_refused" => (
            "bad",
            format!("a login of {user} was refused: {}", t("why")),
            format!("вход {user} отклонён: {}", t("why")),
        ),
        "ordered" => (
            "info",
            format!("{user} orders of phone {}: {}", t("number"), t("act")),
            format!("{user}: команда телефону {}: {}", t("number"), t("act")),
        ),
        "right_missing" if t("link").is_empty() => (
            "bad",
            format!("{} refused: {user} lacks the right {}", t("method"), t("right")),
            format!("{} отклонён: у {user} нет права {}", t("method"), t("right")),
        ),
        "right_missing" => (
            "bad",
            format!("{} refused: link {} does not hold the right {}", t("method"), t("link"), t("right")),
            format!("{} отклонён: у подключения {} нет права {}", t("method"), t("link"), t("right")),
        ),
        "refused" => (
            "warn",
            format!("{} of {user} failed: {}", t("method"), t("why")),
            format!("{} пользователя {user}: ошибка: {}", t("method"), t("why")),
        ),
        "link_up" => ("good", format!("link {} is open", t("link")), format!("подключение {} установлено", t("link"))),
        "link_down" => (
            "bad",
            format!("link {} is down: {}", t("link"), t("why")),
            format!("подключение {} потеряно: {}", t("link"), t("why")),
        ),
        "telephone" if fact.detail["up"] == true => {
            ("good", "the telephone system is there".to_owned(), "телефонная система на связи".to_owned())
        }
        "telephone" => ("bad", "the telephone system is away".to_owned(), "телефонная система недоступна".to_owned()),
        "origin_refused" => (
            "bad",
            format!("a page from {} was not let in (it asked for {})", t("origin"), t("host")),
            format!("страница с {} не допущена (обращалась к {})", t("origin"), t("host")),
        ),
        other => ("info", other.to_owned(), other.to_owned()),
    }
}

fn triggered(fact: &Fact) -> Said {
    let user = fact.user.as_str();
    let whose = |with: &str| if user.is_empty() { String::new() } else { format!("{with}{user}") };
    let (en, ru) = event(fact.text("on"));
    let others = fact.pairs("others");
    let list = |word: fn(&str) -> (&'static str, &'static str), russian: bool| {
        let one = |(rule, on): &(&str, &str)| {
            let (en, ru) = word(on);
            format!("{rule}: {}", if russian { ru } else { en })
        };
        others.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let (more_en, more_ru) = match others.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!("; rules that wait for else: {}", list(event, false)),
            format!("; правила других событий: {}", list(event, true)),
        ),
    };
    ("info", format!("{en}{}{more_en}", whose(" at ")), format!("{ru}{}{more_ru}", whose(": ")))
}

/// The event of a form rule.
pub(super) fn event(on: &str) -> (&'static str, &'static str) {
    match on {
        "ring" => ("the phone rings", "телефон звонит"),
        "answer" => ("the phone is answered", "ответ на звонок"),
        "hangup" => ("the call ends", "завершение звонка"),
        "queue" => ("a call comes into a queue", "звонок попал в очередь"),
        "api" => ("a request only", "только по запросу"),
        _ => ("something else", "другое событие"),
    }
}

fn shown(fact: &Fact) -> Said {
    let (tabs, deaf, links) = (fact.count("tabs"), fact.count("deaf"), fact.pairs("links"));
    let (yes, no): (Vec<_>, Vec<_>) = links.into_iter().partition(|(_, why)| why.is_empty());
    let name = fact.text("name");
    let level = if tabs == 0 && yes.is_empty() { "bad" } else { "good" };
    let (mut en, mut ru) = match level {
        "bad" => (format!("form {name} shows nowhere"), format!("форма {name} нигде не показана")),
        _ => (format!("form {name} shows in {}", tabs_en(tabs)), format!("форма {name} показана, вкладок: {tabs}")),
    };
    if !yes.is_empty() {
        let names = yes.iter().map(|(link, _)| *link).collect::<Vec<_>>().join(", ");
        en += &format!(" and behind {names}");
        ru += &format!(", за подключением {names}");
    }
    if deaf > 0 {
        en += &format!("; {} not subscribed to cards", tabs_en(deaf));
        ru += &format!("; вкладок без подписки на карточки: {deaf}");
    }
    for (link, why) in no {
        let (why_en, why_ru) = deafness(why);
        en += &format!("; {link}: {why_en}");
        ru += &format!("; {link}: {why_ru}");
    }
    (level, en, ru)
}

fn told(fact: &Fact) -> Said {
    let (tabs, deaf, links) = (fact.count("tabs"), fact.count("deaf"), fact.pairs("links"));
    let (event, user) = (fact.text("event"), &fact.user);
    let mut en = format!("{event} of {user}: {}", tabs_en(tabs));
    let mut ru = format!("{event} ({user}): вкладок {tabs}");
    if deaf > 0 {
        en += &format!(", {deaf} more have not subscribed");
        ru += &format!(", без подписки {deaf}");
    }
    for (link, why) in &links {
        let (why_en, why_ru) = deafness(why);
        en += &format!("; {link}: {why_en}");
        ru += &format!("; {link}: {why_ru}");
    }
    let heard = tabs > 0 || links.iter().any(|(_, why)| why.is_empty());
    (if heard { "info" } else { "warn" }, en, ru)
}

/// Why a link does not hear or show something; it does when there is no why.
fn deafness(why: &str) -> (&'static str, &'static str) {
    match why {
        "" => ("told", "передано"),
        "down" => ("down", "нет связи"),
        "not_its_user" => ("not for this user", "не для этого пользователя"),
        "not_behind" => ("the user is not behind it", "пользователь вошёл не через него"),
        "undeclared" => ("the CRM has not declared the form", "CRM не объявила эту форму"),
        "silent" => ("switched off by silent_events", "выключено в silent_events"),
        "posted_only" => ("is posted to and does not poll", "POST без опроса: событий не получает"),
        _ => ("does not hear it", "не получает"),
    }
}

/// An outcome of a dynamic method.
pub(super) fn outcome(word: &str) -> (&'static str, &'static str) {
    match word {
        "ok" => ("a result", "результат получен"),
        "fallback" => ("the fallback was taken", "взято запасное значение"),
        "failed" => ("the CRM failed", "ошибка CRM"),
        "timeout" => ("no answer in time", "нет ответа вовремя"),
        "cancelled" => ("nobody waits any more", "ответ больше не нужен"),
        "no_link" => ("the CRM is not connected", "CRM не подключена"),
        "open_circuit" => ("the CRM failed several times in a row", "CRM несколько раз подряд не ответила"),
        "no_method" => ("no CRM offers this method", "ни одна CRM не предлагает этот метод"),
        "bad_input" => ("the input does not fit what the CRM declared", "параметры не подходят под объявление CRM"),
        _ => ("another outcome", "другой исход"),
    }
}

fn whom(link: &str) -> (String, String) {
    match link {
        "" => ("the user's tabs".to_owned(), "вкладок пользователя".to_owned()),
        link => (format!("link {link}"), format!("подключения {link}")),
    }
}

fn by_ru(by: &str) -> &str {
    match by {
        "scenario" => "сценарий",
        "tab" => "вкладка",
        "api" => "запрос программы",
        "form" => "правило формы",
        other => event(other).1,
    }
}

fn ended_en(how: &str) -> &str {
    match how {
        "answered" => "is answered",
        "expired" => "expired without an answer",
        _ => "is closed",
    }
}

fn tabs_en(count: u64) -> String {
    if count == 1 { "1 tab".to_owned() } else { format!("{count} tabs") }
}

fn after(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}
