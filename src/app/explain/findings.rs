//! Why something did not happen: read off what was decided ([`super::fact`]), and off how a person is connected now.

use std::collections::BTreeSet;

use ctigate_proto::hub::settings::Trigger;
use ctigate_proto::hub::trace::PersonNow;
use ctigate_proto::method::Right;

use crate::admin::explain::Finding;

use super::causes;
use super::fact::Fact;

/// Findings in the order in which they were found, each once.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, finding: Finding) {
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    pub(super) fn into_list(self) -> Vec<Finding> {
        self.0
    }

    /// What is to be read off the decisions about one call or form; `telephone`: whether the telephone system is there now.
    pub(super) fn of_facts(&mut self, facts: &[Fact], telephone: bool) {
        self.rules(facts);
        self.asks(facts);
        self.forms(facts);
        self.rights(facts);
        self.numbers(facts);
        self.events(facts);
        self.node(facts, telephone);
    }

    fn rules(&mut self, facts: &[Fact]) {
        let fired: BTreeSet<&str> = facts.iter().filter(|f| f.is("fires")).map(|f| f.text("rule")).collect();
        let seen: Vec<&str> = {
            let mut seen: Vec<&str> = facts.iter().filter(|f| f.is("triggered")).map(|f| f.text("on")).collect();
            seen.dedup();
            seen
        };
        let foreign: Vec<&Fact> =
            facts.iter().filter(|f| f.is("not_for_user") && !fired.contains(f.text("rule"))).collect();
        for fact in &foreign {
            self.add(causes::user_not_in_rule(fact.text("rule"), &fact.user));
            for numberless in fact.texts("numberless") {
                self.add(causes::no_number(numberless));
            }
        }
        for fact in facts.iter().filter(|f| f.is("triggered")) {
            for (rule, on) in fact.pairs("others") {
                let never = !seen.contains(&on) && on != Trigger::Api.word();
                if never && !fired.contains(rule) {
                    self.add(causes::other_event(rule, on, &seen));
                }
            }
        }
        for fact in facts.iter().filter(|f| f.is("not_opened")) {
            let ends_with_number = fact.text("why").contains("is no user");
            if ends_with_number {
                self.add(causes::number_unknown(fact.text("why").split('"').nth(1).unwrap_or_default()));
            }
        }
    }

    fn asks(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.is("rule_asked")) {
            let outcome = fact.text("outcome");
            if !matches!(outcome, "ok" | "fallback") {
                self.add(causes::ask_failed(fact.text("rule"), outcome, fact.text("why")));
            }
        }
    }

    fn forms(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.is("ended") && f.text("how") == "expired") {
            self.add(causes::expired(fact.text("name")));
        }
        for fact in facts.iter().filter(|f| f.is("shown")) {
            let links = fact.pairs("links");
            let later = facts.iter().filter(|f| f.is("shown") && f.form == fact.form && f.at_ms > fact.at_ms);
            let nowhere = fact.count("tabs") == 0 && links.iter().all(|(_, why)| !why.is_empty());
            let shown_later =
                later.clone().any(|f| f.count("tabs") > 0 || f.pairs("links").iter().any(|(_, w)| w.is_empty()));
            if nowhere && !shown_later && fact.count("deaf") > 0 {
                self.add(causes::tab_not_subscribed(&fact.user, "dlgcard"));
            }
            for (link, why) in links {
                match why {
                    "undeclared" => self.add(causes::form_not_declared(fact.text("name"), link)),
                    "down" if nowhere => self.add(causes::link_down(link, &why_down(facts, link))),
                    _ => {}
                }
            }
            if nowhere && !shown_later && fact.count("deaf") == 0 {
                self.add(causes::no_tab(&fact.user));
            }
        }
    }

    fn rights(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.is("right_missing")) {
            self.add(causes::right_missing(&fact.user, fact.text("right"), fact.text("link")));
        }
    }

    fn numbers(&mut self, facts: &[Fact]) {
        let heard = facts.iter().any(|f| f.is("told"));
        let called = |number: &str| facts.iter().any(|f| f.is("began") && f.text("called") == number);
        for fact in facts.iter().filter(|f| f.is("nobodys_number")) {
            let number = fact.text("number");
            // A service number that was dialled is nobody's, and somebody heard of the call all the same.
            if !(heard && called(number)) {
                self.add(causes::number_unknown(number));
            }
        }
    }

    fn events(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.is("told") && f.text("event").starts_with("phoneevent_")) {
            let (event, links) = (fact.text("event"), fact.pairs("links"));
            let unheard = fact.count("tabs") == 0 && links.iter().all(|(_, why)| !why.is_empty());
            for (link, why) in &links {
                match *why {
                    "not_its_user" => self.add(causes::link_narrowed(link, &fact.user)),
                    "silent" => self.add(causes::silent_event(link, event)),
                    "down" => self.add(causes::link_down(link, &why_down(facts, link))),
                    _ => {}
                }
            }
            if fact.count("deaf") > 0 && fact.count("tabs") == 0 {
                self.add(causes::tab_not_subscribed(&fact.user, "phoneevent"));
            } else if unheard && fact.count("deaf") == 0 {
                self.add(causes::no_tab(&fact.user));
            }
        }
    }

    fn node(&mut self, facts: &[Fact], telephone: bool) {
        if !telephone {
            self.add(causes::pbx_down(true));
        } else if facts.iter().any(|f| f.is("telephone") && f.detail["up"] == false) {
            self.add(causes::pbx_down(false));
        }
        if self.0.iter().any(|f| f.cause == "no_tab") {
            self.origins(facts);
        }
    }

    fn origins(&mut self, facts: &[Fact]) {
        for fact in facts.iter().filter(|f| f.is("origin_refused")) {
            self.add(causes::origin_refused(fact.text("origin"), fact.text("host")));
        }
    }

    /// The number is nobody's here.
    pub(super) fn nobody(&mut self, number: &str) {
        self.add(causes::number_unknown(number));
    }

    /// What is to be read off how a person is connected now, and off what happened lately.
    pub(super) fn of_person(&mut self, person: &PersonNow, facts: &[Fact], telephone: bool) {
        let login = &*person.login;
        if !telephone {
            self.add(causes::pbx_down(true));
        }
        if person.number.is_empty() {
            self.add(causes::no_number(login));
        }
        let behind = person.links.iter().any(|link| link.up && link.reaches);
        if person.tabs.is_empty() && !behind {
            self.add(causes::no_tab(login));
        }
        if !person.tabs.is_empty() {
            let subscribed =
                [("dlgcard", person.tabs.iter().any(|t| t.cards)), ("phoneevent", person.tabs.iter().any(|t| t.phone))];
            for (to, _) in subscribed.iter().filter(|(_, hears)| !hears) {
                self.add(causes::tab_not_subscribed(login, to));
            }
        }
        self.links_of(person);
        for right in [Right::Forms, Right::Call].into_iter().filter(|right| !person.rights.has(*right)) {
            self.add(causes::right_missing(login, right.word(), ""));
        }
        for rule in person.rules.iter().filter(|rule| !rule.is_for) {
            self.add(causes::user_not_in_rule(&rule.name, login));
        }
        let newest = facts.iter().rev().find(|f| matches!(f.what.as_str(), "login_refused" | "tab_opened"));
        if let Some(fact) = newest.filter(|f| f.is("login_refused")) {
            self.add(causes::login_refused(login, fact.text("why")));
        }
        self.asks(facts);
        for fact in facts.iter().filter(|f| f.is("ended") && f.text("how") == "expired") {
            self.add(causes::expired(fact.text("name")));
        }
        self.rights(facts);
        self.origins(facts);
    }

    fn links_of(&mut self, person: &PersonNow) {
        let login = &*person.login;
        for link in &person.links {
            if !link.is_for {
                self.add(causes::link_narrowed(&link.name, login));
                continue;
            }
            if !link.up {
                self.add(causes::link_down(&link.name, &link.detail));
            }
            for event in &link.silent {
                self.add(causes::silent_event(&link.name, event));
            }
            if link.up && link.reaches {
                for rule in person.rules.iter().filter(|rule| rule.is_for && !link.forms.contains(&rule.name)) {
                    self.add(causes::form_not_declared(&rule.name, &link.name));
                }
            }
            for right in [Right::Forms, Right::Call] {
                if link.up && link.reaches && !link.rights.has(right) {
                    self.add(causes::right_missing(login, right.word(), &link.name));
                }
            }
        }
    }
}

/// Why a link went down last, as far as it was told meanwhile.
fn why_down(facts: &[Fact], link: &str) -> String {
    let last = facts.iter().rev().find(|f| f.is("link_down") && f.text("link") == link);
    last.map(|f| f.text("why").to_owned()).unwrap_or_default()
}
