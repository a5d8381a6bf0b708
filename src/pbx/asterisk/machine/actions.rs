//! The actions by which channels are moved.

use super::super::ami::Action;
use super::channel::Channel;

/// `"Name" <number>`.
pub(super) fn shown_as(name: &str, number: &str) -> String {
    // Asterisk splits variables at commas, and reads quotes and brackets as its own.
    let clean = |text: &str| text.replace(['"', '<', '>', ',', '\\', '$', '{', '}', ';', '&', '|', '(', ')'], "");
    let (name, number) = (clean(name), clean(number));
    if name.is_empty() { format!("<{number}>") } else { format!("\"{name}\" <{number}>") }
}

pub(super) fn set(channel: &Channel, name: &str, value: &str) -> Action {
    Action::new("Setvar").with("Channel", &*channel.name).with("Variable", name).with("Value", value)
}

pub(super) fn redirect(channel: &Channel, context: &str, exten: &str) -> Action {
    Action::new("Redirect")
        .with("Channel", &*channel.name)
        .with("Context", context)
        .with("Exten", exten)
        .with("Priority", "1")
}

/// Redirects a second channel at the same moment: of two that talk, one alone would end the other.
pub(super) fn and(redirect: Action, channel: &Channel, context: &str, exten: &str) -> Action {
    redirect
        .with("ExtraChannel", &*channel.name)
        .with("ExtraContext", context)
        .with("ExtraExten", exten)
        .with("ExtraPriority", "1")
}

pub(super) fn bridge(one: &Channel, other: &Channel) -> Action {
    Action::new("Bridge").with("Channel1", &*one.name).with("Channel2", &*other.name).with("Tone", "no")
}

pub(super) fn hang_up(channel: &Channel, cause: u32) -> Action {
    Action::new("Hangup").with("Channel", &*channel.name).with("Cause", cause.to_string())
}
