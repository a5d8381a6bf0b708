//! What the machine knows of the house before Asterisk says a word.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ctigate_proto::message::Text;

use crate::config::{self, NumberRule, PhoneAnswer};
use crate::pbx::Directory;

/// What the machine is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `systemname` of the Asterisk, or any word that names this one. Ids are made from it: with the same word a restart
    /// of the node gives a call that still goes on the same id.
    pub system: String,
    /// Inside numbers and queues.
    pub directory: Directory,
    /// The phone of each inside number; a number without one cannot be rung.
    pub phones: BTreeMap<Text, Phone>,
    /// Endpoints of outside lines (`PJSIP/trunk`). When empty, every endpoint that is no phone of an inside number is one.
    pub lines: BTreeSet<String>,
    /// The number of each queue by the name that Asterisk has for it.
    pub queues: BTreeMap<String, Text>,
    /// Further numbers that can be dialled and are neither phones nor queues: voice menus, conference rooms, services.
    pub services: BTreeSet<Text>,
    /// The dialplan context in which an inside user's number can be dialled.
    pub context: String,
    /// How a number outside is written.
    pub numbering: Numbering,
    /// Where talks are recorded: a folder as Asterisk sees it, without a slash at its end. `None`: nothing is recorded.
    pub recordings: Option<String>,
    /// How long an own phone, or that of somebody who is invited, rings.
    pub ring: Duration,
    /// How long Asterisk may take to do what it was told.
    pub patience: Duration,
}

/// The phone of an inside number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phone {
    /// The endpoint (`PJSIP/101`).
    pub endpoint: String,
    /// How the phone can be made to answer.
    pub answer: Answer,
}

/// How a phone that rings can be made to answer from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Not at all.
    #[default]
    Never,
    /// By a NOTIFY with the event `talk`. A phone that does not know it loses the call.
    Notify,
    /// By ringing it anew with the headers that tell a phone to answer by itself.
    Intercom,
}

/// How a number outside is written by Asterisk, by the CRM and for dialling. The first rule that fits is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbering {
    /// From Asterisk to the CRM.
    pub told: Vec<Rewrite>,
    /// From the CRM to the dialplan.
    pub dialled: Vec<Rewrite>,
}

/// One rule of writing a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// It fits numbers that begin so.
    pub begins: String,
    /// It fits numbers of so many characters only.
    pub length: Option<usize>,
    /// How many characters are cut off at the front.
    pub cut: usize,
    /// What is put before the rest.
    pub put: String,
}

/// How many digits a number outside has: below it would be a mistyped inside number, above it is none.
const OUTSIDE_DIGITS: std::ops::RangeInclusive<usize> = 5..=32;

impl Default for Plan {
    fn default() -> Self {
        Self {
            system: String::new(),
            directory: Directory::default(),
            phones: BTreeMap::new(),
            lines: BTreeSet::new(),
            queues: BTreeMap::new(),
            services: BTreeSet::new(),
            context: "internal".to_owned(),
            numbering: Numbering::default(),
            recordings: None,
            ring: Duration::from_secs(30),
            patience: Duration::from_secs(5),
        }
    }
}

impl From<PhoneAnswer> for Answer {
    fn from(answer: PhoneAnswer) -> Self {
        match answer {
            PhoneAnswer::Intercom => Self::Intercom,
            PhoneAnswer::Never => Self::Never,
        }
    }
}

impl Plan {
    /// What is known of an Asterisk with these inside numbers and queues.
    pub fn of(asterisk: &config::Asterisk, directory: Directory) -> Self {
        let phone = |number: &Text| Phone {
            endpoint: asterisk.endpoint_of(number),
            answer: match asterisk.answer {
                _ if asterisk.talk_notify.iter().any(|n| number == n.as_str()) => Answer::Notify,
                other => other.into(),
            },
        };
        let rule = |rule: &NumberRule| Rewrite {
            begins: rule.begins.clone(),
            length: rule.length,
            cut: rule.cut,
            put: rule.put.clone(),
        };
        let rules = |rules: &[NumberRule]| rules.iter().map(rule).collect();
        let queue = |number: &Text| (asterisk.queue_name(number).to_owned(), number.clone());
        Self {
            system: match asterisk.system.as_str() {
                "" => format!("{}:{}", asterisk.host, asterisk.port),
                system => system.to_owned(),
            },
            phones: directory.extensions.iter().map(|e| (e.number.clone(), phone(&e.number))).collect(),
            lines: asterisk.trunks.iter().cloned().collect(),
            queues: directory.queues.iter().map(|q| queue(&q.number)).collect(),
            services: asterisk.services.iter().map(|number| Text::from(number.as_str())).collect(),
            context: asterisk.context.clone(),
            numbering: Numbering { told: rules(&asterisk.number_told), dialled: rules(&asterisk.number_dialled) },
            recordings: Some(asterisk.record_folder.trim_end_matches('/').to_owned())
                .filter(|folder| !folder.is_empty()),
            ring: asterisk.ring,
            directory,
            ..Self::default()
        }
    }

    /// The endpoint of an inside number.
    pub(super) fn endpoint(&self, number: &str) -> Option<&str> {
        self.phones.get(number).map(|phone| &*phone.endpoint)
    }

    /// Whether somebody can be expected to answer for a number that is dialled from inside.
    pub(super) fn leads(&self, number: &str) -> bool {
        self.phones.contains_key(number)
            || self.queues.values().any(|queue| queue == number)
            || self.services.contains(number)
            || looks_outside(number)
    }

    /// Whether a number is the phone of somebody, inside or outside.
    pub(super) fn is_person(&self, number: &str) -> bool {
        let house = self.queues.values().any(|queue| queue == number) || self.services.contains(number);
        self.phones.contains_key(number) || !house && looks_outside(number)
    }

    /// What the dialplan is given for a number.
    pub(super) fn for_dialling(&self, number: &str) -> String {
        let house = self.phones.contains_key(number)
            || self.queues.values().any(|queue| queue == number)
            || self.services.contains(number);
        if house { number.to_owned() } else { rewrite(&self.numbering.dialled, number) }
    }

    /// How the CRM is told a number outside.
    pub(super) fn for_crm(&self, number: &str) -> String {
        rewrite(&self.numbering.told, number)
    }

    /// The name of an inside number.
    pub(super) fn name_of(&self, number: &str) -> Text {
        self.directory.find(number).map_or_else(Text::new, |extension| extension.name.clone())
    }
}

/// Whether a number can be one of somebody outside.
fn looks_outside(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    OUTSIDE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

fn rewrite(rules: &[Rewrite], number: &str) -> String {
    let fits = |rule: &&Rewrite| {
        number.starts_with(&rule.begins) && rule.length.is_none_or(|length| length == number.chars().count())
    };
    match rules.iter().find(fits) {
        Some(rule) => rule.put.chars().chain(number.chars().skip(rule.cut)).collect(),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_writes_a_number() {
        let rule = |begins: &str, length, cut, put: &str| Rewrite {
            begins: begins.to_owned(),
            length,
            cut,
            put: put.to_owned(),
        };
        let rules = [rule("8", Some(11), 1, "+7"), rule("9", None, 1, ""), rule("", Some(10), 0, "+7")];
        let written = ["89161234567", "979161234567", "9161234567", "112"].map(|number| rewrite(&rules, number));
        assert_eq!(written, ["+79161234567", "79161234567", "161234567", "112"]);
    }
}
