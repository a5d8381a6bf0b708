//! Personal redirection.

use crate::message::Text;

use super::define::{Right, call, messages, records, reply};

messages! {
    /// Asks for one's redirection rules.
    GetRedirectRules: call("getredirectrules").by_both().replied("getredirectrulesresult").right(Right::State) => {}

    /// The rules.
    GetRedirectRulesResult: reply("getredirectrulesresult").to_both() => {
        /// Every rule of the user.
        redirectrules: Vec<RedirectRule>,
    }

    /// Makes or replaces a rule, by its id.
    SaveRedirectRules: call("saveredirectrules").by_both().replied("saveredirectrulesresult").right(Right::State) => {
        /// The rule.
        redirectrule: RedirectRule,
    }

    /// The rule is kept.
    SaveRedirectRulesResult: reply("saveredirectrulesresult").to_both() => {}

    /// Removes rules. One that does not exist fails the whole call with 59014.
    DeleteRedirectRules: call("deleteredirectrules").by_both().replied("deleteredirectrulesresult").right(Right::State) => {
        /// Their ids.
        ids: Vec<Text>,
    }

    /// They are gone.
    DeleteRedirectRulesResult: reply("deleteredirectrulesresult").to_both() => {}
}

records! {
    /// A redirection rule.
    RedirectRule = "redirectrule" {
        /// Its id: 32 hex digits, with or without dashes. Known clients keep their own rule under the MD5 of the lower-case
        /// user id written twice.
        id: Text,
        /// Where calls go.
        destinationnumber: Text,
        /// Its name.
        caption: Option<Text>,
        /// What it is for.
        description: Option<Text>,
        /// Its rank among the rules.
        priority: Option<i64>,
        /// Whose rule it is.
        userid: Option<Text>,
        /// Whether it is in force.
        isenabled: Option<bool>,
        /// Whether a redirected call may be redirected again.
        allowcascade: Option<bool>,
        /// What triggers it, as a number; kept and returned as it came.
        state: Option<i64>,
        /// Whether it works only while the user's redirection is on.
        onlyforredirectstate: Option<bool>,
        /// Whether it is narrowed to certain callers.
        definesources: Option<bool>,
    }
}
