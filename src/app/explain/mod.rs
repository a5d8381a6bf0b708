//! Explains: gathers what was decided about a call, a person or a form from the engine's memory and from the store, puts it in
//! order, and names the causes. Read by `GET /api/v1/explain` and `ctigate explain`.

mod causes;
mod fact;
mod findings;
mod keeping;
mod saying;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctigate_proto::hub::trace::PersonNow;

use crate::admin::explain::{Candidate, Explained, Explanation, Item, Kind, Subject};
use crate::engine::Engine;
use crate::store::Store;

use fact::Fact;
use findings::Findings;

pub(super) use keeping::keep;

/// How long before and after a call what happened to the node and to its people belongs to it, milliseconds.
const AROUND_MS: i64 = 60_000;
/// For how long a person's own past is looked at, milliseconds.
const LATELY_MS: i64 = 3_600_000;
/// Most items of one explanation: the newest.
const MOST_ITEMS: usize = 500;
/// Most candidates that are named.
const MOST_CANDIDATES: usize = 20;
/// The shortest beginning of an id that is looked for.
const SHORTEST: usize = 4;

/// Explains to whoever asks.
pub(super) struct Explainer {
    pub(super) engine: Arc<Engine>,
    pub(super) store: Arc<Store>,
}

impl Explainer {
    /// What is known. `telephone`: whether the telephone system is there now.
    pub(super) async fn explain(&self, kind: Kind, id: &str, telephone: bool) -> Explained {
        match kind {
            Kind::Call => self.call(id, telephone).await,
            Kind::Form => self.form(id, telephone).await,
            Kind::User => self.user(id, telephone).await,
        }
    }

    /// Everything that is remembered, oldest first: what was kept before this life of the node, then this life's memory.
    async fn everything(&self) -> Vec<Fact> {
        let memory: Vec<Fact> = self.engine.steps(|_| true).into_iter().map(Fact::from).collect();
        let mut all = keeping::load(&self.store, memory.first().map_or(i64::MAX, |f| f.at_ms)).await;
        all.extend(memory);
        all
    }

    async fn call(&self, id: &str, telephone: bool) -> Explained {
        let all = self.everything().await;
        let mut calls: BTreeMap<&str, (i64, Option<&Fact>)> = BTreeMap::new();
        for fact in all.iter().filter(|f| !f.call.is_empty()) {
            let known = calls.entry(&fact.call).or_insert((fact.at_ms, None));
            if fact.is("began") {
                known.1.get_or_insert(fact);
            }
        }
        let number = self.engine.look(|hub| hub.person_now(id)).flatten().map(|person| person.number.to_string());
        let number = number.filter(|n| !n.is_empty()).unwrap_or_else(|| id.to_owned());
        let part_of = |chain: &str| {
            all.iter().any(|f| {
                f.call == chain
                    && match f.what.as_str() {
                        "began" => f.text("caller") == number || f.text("called") == number,
                        "nobodys_number" => f.text("number") == number,
                        _ => !f.user.is_empty() && f.user == id,
                    }
            })
        };
        let newest = || calls.iter().max_by_key(|(_, (at, _))| *at).map(|(chain, _)| vec![*chain]);
        let found: Vec<&str> = match id {
            "last" => newest().unwrap_or_default(),
            id if calls.contains_key(id) => vec![id],
            id => {
                let begins = |chain: &&&str| id.len() >= SHORTEST && chain.starts_with(id);
                let begun: Vec<&str> = calls.keys().filter(begins).copied().collect();
                if begun.is_empty() { calls.keys().filter(|chain| part_of(chain)).copied().collect() } else { begun }
            }
        };
        match found.as_slice() {
            [] => self.unseen(id, &all, telephone),
            [chain] => Explained::Known(Box::new(of_call(chain, &all, telephone))),
            several => {
                let candidate = |chain: &&str| {
                    let (at_ms, began) = calls[*chain];
                    let text =
                        began.map(|f| format!("{} → {}", f.text("caller"), f.text("called"))).unwrap_or_default();
                    Candidate { id: (*chain).to_owned(), at_ms, text }
                };
                Explained::Several(newest_first(several.iter().map(candidate).collect()))
            }
        }
    }

    /// A call that nobody has seen. A number is worth an answer all the same: why none of its calls was seen.
    fn unseen(&self, id: &str, all: &[Fact], telephone: bool) -> Explained {
        let person = self.engine.look(|hub| hub.person_now(id)).flatten();
        let number = id.bytes().all(|b| b.is_ascii_digit() || b"+*#".contains(&b));
        if person.is_none() && !number && id != "last" {
            return Explained::Unknown;
        }
        let lately: Vec<Fact> = all.iter().filter(|f| f.is_of_node()).cloned().collect();
        let mut findings = Findings::default();
        findings.of_facts(&lately, telephone);
        if let Some(person) = &person {
            findings.of_person(person, &lately, telephone);
        } else if number {
            findings.nobody(id);
        }
        let subject = Subject {
            kind: Kind::Call,
            id: id.to_owned(),
            text_en: if id == "last" { "no call was seen yet".to_owned() } else { format!("no call of {id} was seen") },
            text_ru: if id == "last" {
                "звонков ещё не было".to_owned()
            } else {
                format!("звонков {id} не видно")
            },
        };
        Explained::Known(Box::new(Explanation { subject, items: items(&lately), findings: findings.into_list() }))
    }

    async fn form(&self, id: &str, telephone: bool) -> Explained {
        let all = self.everything().await;
        let opened: Vec<&Fact> = all.iter().filter(|f| f.is("opened")).collect();
        let found: Vec<&&Fact> = match id {
            "last" => opened.last().into_iter().collect(),
            id => {
                let fits = |f: &&&Fact| f.form == id || (id.len() >= SHORTEST && f.form.starts_with(id));
                let found: Vec<_> = opened.iter().filter(fits).collect();
                if found.is_empty() { opened.iter().filter(|f| f.text("name") == id).collect() } else { found }
            }
        };
        match found.as_slice() {
            // A form of this name was never opened: the newest call in which a rule spoke of it may say why.
            [] => match all.iter().rev().find(|f| speaks_of(f, id)).map(|f| f.call.clone()) {
                Some(chain) => Explained::Known(Box::new(of_call(&chain, &all, telephone))),
                None => Explained::Unknown,
            },
            [one] => Explained::Known(Box::new(of_form(one, &all, telephone))),
            several => {
                let candidate = |f: &&&Fact| Candidate {
                    id: f.form.clone(),
                    at_ms: f.at_ms,
                    text: format!("{} {}", f.text("name"), f.user),
                };
                Explained::Several(newest_first(several.iter().map(candidate).collect()))
            }
        }
    }

    async fn user(&self, id: &str, telephone: bool) -> Explained {
        let Some(person) = self.engine.look(|hub| hub.person_now(id)).flatten() else { return Explained::Unknown };
        let all = self.everything().await;
        let since = all.last().map_or(0, |f| f.at_ms) - LATELY_MS;
        let is_own = |f: &&Fact| f.user == *person.login || (f.is_of_node() && f.at_ms >= since);
        let facts: Vec<Fact> = all.iter().filter(is_own).cloned().collect();
        let lately: Vec<Fact> = facts.iter().filter(|f| f.at_ms >= since).cloned().collect();
        let mut findings = Findings::default();
        findings.of_person(&person, &lately, telephone);
        let explanation =
            Explanation { subject: of_person(&person), items: items(&facts), findings: findings.into_list() };
        Explained::Known(Box::new(explanation))
    }
}

fn of_person(person: &PersonNow) -> Subject {
    let behind: Vec<&str> = person.links.iter().filter(|l| l.up && l.reaches).map(|l| &*l.name).collect();
    let behind = if behind.is_empty() { "-".to_owned() } else { behind.join(", ") };
    let number = if person.number.is_empty() { "-" } else { &*person.number };
    Subject {
        kind: Kind::User,
        id: person.login.to_string(),
        text_en: format!("{}: number {number}, own tabs {}, behind links {behind}", person.login, person.tabs.len()),
        text_ru: format!(
            "{}: номер {number}, своих вкладок {}, за подключениями {behind}",
            person.login,
            person.tabs.len()
        ),
    }
}

/// What belongs to a call: what is of it, what happened meanwhile to the node, and to its people.
fn of_call(chain: &str, all: &[Fact], telephone: bool) -> Explanation {
    let own = || all.iter().filter(|f| f.call == chain);
    let people: BTreeSet<&str> = own().map(|f| f.user.as_str()).filter(|u| !u.is_empty()).collect();
    let (from, until) = (own().map(|f| f.at_ms).min().unwrap_or(0), own().map(|f| f.at_ms).max().unwrap_or(0));
    let meanwhile = |f: &&Fact| f.at_ms >= from - AROUND_MS && f.at_ms <= until + AROUND_MS;
    let belongs = |f: &&Fact| {
        f.call == chain || (f.call.is_empty() && meanwhile(f) && (f.is_of_node() || people.contains(f.user.as_str())))
    };
    let facts: Vec<Fact> = all.iter().filter(belongs).cloned().collect();
    let mut findings = Findings::default();
    findings.of_facts(&facts, telephone);
    let began = facts.iter().find(|f| f.is("began"));
    let ends = began.map(|f| format!("{} → {}", f.text("caller"), f.text("called"))).unwrap_or_default();
    let subject = Subject {
        kind: Kind::Call,
        id: chain.to_owned(),
        text_en: format!("call {ends}"),
        text_ru: format!("звонок {ends}"),
    };
    Explanation { subject, items: items(&facts), findings: findings.into_list() }
}

/// What belongs to a form: what is of it, how its rule came to it, and what its user did meanwhile.
fn of_form(opened: &Fact, all: &[Fact], telephone: bool) -> Explanation {
    let own = || all.iter().filter(|f| f.form == opened.form);
    let until = own().map(|f| f.at_ms).max().unwrap_or(opened.at_ms);
    let belongs = |f: &&Fact| {
        let of_rule = !opened.call.is_empty()
            && f.call == opened.call
            && f.user == opened.user
            && speaks_of(f, opened.text("name"));
        let meanwhile = f.call.is_empty()
            && f.form.is_empty()
            && f.at_ms >= opened.at_ms - AROUND_MS
            && f.at_ms <= until + AROUND_MS;
        f.form == opened.form || of_rule || (meanwhile && (f.is_of_node() || f.user == opened.user))
    };
    let facts: Vec<Fact> = all.iter().filter(belongs).cloned().collect();
    let mut findings = Findings::default();
    findings.of_facts(&facts, telephone);
    let subject = Subject {
        kind: Kind::Form,
        id: opened.form.clone(),
        text_en: format!("form {} of {}", opened.text("name"), opened.user),
        text_ru: format!("форма {} пользователя {}", opened.text("name"), opened.user),
    };
    Explanation { subject, items: items(&facts), findings: findings.into_list() }
}

/// Whether a decision is about a rule or form of this name.
fn speaks_of(fact: &Fact, name: &str) -> bool {
    fact.text("rule") == name || fact.text("name") == name || fact.pairs("others").iter().any(|(rule, _)| *rule == name)
}

fn items(facts: &[Fact]) -> Vec<Item> {
    facts[facts.len().saturating_sub(MOST_ITEMS)..].iter().map(saying::item).collect()
}

fn newest_first(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| b.at_ms.cmp(&a.at_ms).then_with(|| a.id.cmp(&b.id)));
    candidates.truncate(MOST_CANDIDATES);
    candidates
}
