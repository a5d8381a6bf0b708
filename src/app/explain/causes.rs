//! The causes by name: what each is, and what to do about it, in English and in Russian. The list stands in `docs/explain.md`.

use crate::admin::explain::Finding;

use super::saying::{event, outcome};

fn finding(
    cause: &'static str,
    en: String,
    ru: String,
    advice_en: impl Into<String>,
    advice_ru: impl Into<String>,
) -> Finding {
    Finding { cause, text_en: en, text_ru: ru, advice_en: advice_en.into(), advice_ru: advice_ru.into() }
}

/// No form: its rule waits for another event.
pub(super) fn other_event(rule: &str, on: &str, seen: &[&str]) -> Finding {
    let (en, ru) = event(on);
    let all = |russian: bool| {
        let words = seen.iter().map(|on| if russian { event(on).1 } else { event(on).0 });
        words.collect::<Vec<_>>().join(", ")
    };
    finding(
        "other_event",
        format!("form {rule} opens on \"{on}\" ({en}), which did not happen; what happened: {}", all(false)),
        format!("форма {rule} открывается по событию «{on}» ({ru}), которого не было; было: {}", all(true)),
        format!("wait for it, or change on = \"{on}\" of the [[form]] {rule}"),
        format!("дождитесь события или измените on = \"{on}\" в [[form]] {rule}"),
    )
}

/// No form: the rule is for others.
pub(super) fn user_not_in_rule(rule: &str, user: &str) -> Finding {
    finding(
        "user_not_in_rule",
        format!("form {rule} is not for {user}: the rule names others"),
        format!("форма {rule} не для {user}: в правиле названы другие"),
        format!("add {user} to users of the [[form]] {rule}, or leave users out: then it is for everybody"),
        format!("добавьте {user} в users правила [[form]] {rule} или уберите users: тогда правило для всех"),
    )
}

/// No form, no events: nobody is there.
pub(super) fn no_tab(user: &str) -> Finding {
    finding(
        "no_tab",
        format!("{user} had no tab: neither a browser nor a CRM's page was logged in"),
        format!("у {user} не было вкладки: ни браузер, ни страница CRM не выполнили вход"),
        format!("let {user} open the page and log in; an open form shows then, until it expires"),
        format!("пусть {user} откроет страницу и войдёт; открытая форма появится, пока не истекла"),
    )
}

/// No form, no events: the tab does not listen.
pub(super) fn tab_not_subscribed(user: &str, to: &str) -> Finding {
    finding(
        "tab_not_subscribed",
        format!("a tab of {user} is logged in, but has not subscribed to {to}"),
        format!("вкладка {user} выполнила вход, но не подписана на {to}"),
        format!("the page has to call subscribeevent with \"{to}\" after each login"),
        format!("страница должна после каждого входа вызвать subscribeevent с \"{to}\""),
    )
}

/// No form, no events: no CRM.
pub(super) fn link_down(link: &str, why: &str) -> Finding {
    let more = if why.is_empty() { String::new() } else { format!(" ({why})") };
    finding(
        "link_down",
        format!("link {link} was down{more}"),
        format!("подключение {link} не было установлено{more}"),
        format!("see \"ctigate status\" for link {link}, and try the CRM with \"ctigate check-crm\""),
        format!("посмотрите «ctigate status» для {link} и проверьте CRM командой «ctigate check-crm»"),
    )
}

/// No form: the CRM does not know it.
pub(super) fn form_not_declared(form: &str, link: &str) -> Finding {
    finding(
        "form_not_declared",
        format!("the CRM of link {link} has not declared the form {form} in availableforms"),
        format!("CRM подключения {link} не объявила форму {form} в availableforms"),
        format!(
            "let the CRM declare {form} in its answer to getavailableforms, with the same name and letters, then send methodschanged"
        ),
        format!(
            "CRM должна объявить {form} в ответе на getavailableforms тем же именем, затем прислать methodschanged"
        ),
    )
}

/// No form, or one without values: the method it asks first failed.
pub(super) fn ask_failed(rule: &str, word: &str, why: &str) -> Finding {
    let (en, ru) = outcome(word);
    let more = if why.is_empty() { String::new() } else { format!(": {why}") };
    finding(
        "ask_failed",
        format!("what form {rule} asks the CRM first had no result: {en}{more}"),
        format!("метод, который форма {rule} сначала спрашивает у CRM, не дал результата: {ru}{more}"),
        "try the method with \"ctigate call\" and look at the CRM's log; the form opens without its values",
        "проверьте метод командой «ctigate call» и журнал CRM; форма открывается без значений",
    )
}

/// No form: nobody answered it in time.
pub(super) fn expired(form: &str) -> Finding {
    finding(
        "expired",
        format!("form {form} was open and expired without an answer"),
        format!("форма {form} была открыта и истекла без ответа"),
        format!("a longer expire of the [[form]] {form} leaves more time"),
        format!("увеличьте expire в [[form]] {form}"),
    )
}

/// No form, no call: nobody's phone.
pub(super) fn no_number(user: &str) -> Finding {
    finding(
        "no_number",
        format!("{user} has no number: no call is ever {user}'s, and no rule on a phone's event applies"),
        format!("у {user} нет номера: ни один звонок не относится к {user}, правила по событиям телефона не сработают"),
        format!("give {user} a number: ctigate user set {user} --number NUMBER, or number in [[user]]"),
        format!("задайте номер: ctigate user set {user} --number НОМЕР или number в [[user]]"),
    )
}

/// No form, no answer: a right is missing. `link`: the link lacks it, not the user.
pub(super) fn right_missing(user: &str, right: &str, link: &str) -> Finding {
    match link {
        "" => finding(
            "right_missing",
            format!("{user} lacks the right {right}: what needs it is refused"),
            format!("у {user} нет права {right}: всё, что его требует, отклоняется"),
            format!("give the right {right}, or a role that holds it"),
            format!("дайте право {right} или роль, в которую оно входит"),
        ),
        link => finding(
            "right_missing",
            format!("link {link} does not hold the right {right}: what its people do with it is refused"),
            format!("у подключения {link} нет права {right}: действия его пользователей отклоняются"),
            format!("add \"{right}\" to rights of the [[link]] {link}"),
            format!("добавьте \"{right}\" в rights подключения [[link]] {link}"),
        ),
    }
}

/// No call: the number is nobody's.
pub(super) fn number_unknown(number: &str) -> Finding {
    finding(
        "number_unknown",
        format!("the number {number} is no user's: nobody hears of its calls"),
        format!("номер {number} не принадлежит ни одному пользователю: о его звонках никто не узнаёт"),
        format!(
            "give {number} to the user whose phone it is (number in [[user]]); compare it letter by letter with what the telephone system says"
        ),
        format!(
            "задайте {number} пользователю, чей это телефон (number в [[user]]); сверьте с тем, что сообщает телефонная система"
        ),
    )
}

/// No call: the telephone system is away.
pub(super) fn pbx_down(now: bool) -> Finding {
    finding(
        "pbx_down",
        if now { "the telephone system is away: no call is seen" } else { "the telephone system was away meanwhile" }
            .to_owned(),
        if now {
            "телефонная система недоступна: звонки не видны"
        } else {
            "телефонная система в это время была недоступна"
        }
        .to_owned(),
        "run \"ctigate doctor\": it says what of [pbx] does not work",
        "запустите «ctigate doctor»: он покажет, что в [pbx] не работает",
    )
}

/// No event: the link is for others.
pub(super) fn link_narrowed(link: &str, user: &str) -> Finding {
    finding(
        "link_narrowed",
        format!("link {link} is narrowed to other users: it hears nothing of {user}"),
        format!("подключение {link} ограничено другими пользователями: о {user} оно ничего не получает"),
        format!("add {user} to users of the [[link]] {link}, or leave users out: then it is for everybody"),
        format!("добавьте {user} в users подключения [[link]] {link} или уберите users: тогда оно для всех"),
    )
}

/// No event: it is switched off.
pub(super) fn silent_event(link: &str, event: &str) -> Finding {
    finding(
        "silent_event",
        format!("link {link} is configured not to get {event}"),
        format!("для подключения {link} событие {event} выключено"),
        format!("take {event} out of silent_events of the [[link]] {link}"),
        format!("уберите {event} из silent_events подключения [[link]] {link}"),
    )
}

/// No event: the page was not let in.
pub(super) fn origin_refused(origin: &str, host: &str) -> Finding {
    finding(
        "origin_refused",
        format!("a page from {origin} was not let in: it asked for {host}, and its origin is not allowed"),
        format!("страница с {origin} не допущена: она обращалась к {host}, а её источник не разрешён"),
        format!("add \"{origin}\" to [web] allowed_origins, if it is yours"),
        format!("добавьте \"{origin}\" в [web] allowed_origins, если это ваша страница"),
    )
}

/// Nobody heard an event because nobody can log in.
pub(super) fn login_refused(user: &str, why: &str) -> Finding {
    finding(
        "login_refused",
        format!("the last login of {user} was refused: {why}"),
        format!("последний вход {user} отклонён: {why}"),
        "check the password the page uses, or set a new one",
        "проверьте пароль на странице или задайте новый",
    )
}
