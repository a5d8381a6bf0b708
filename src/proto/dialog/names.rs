//! Small questions to the catalogue.

use crate::message::{Body, CallError, Text};
use crate::method::session::SubscribeEvent;
use crate::method::{self, Class, Typed};

/// The name of the reply to a message, known or not.
pub(crate) fn reply_name(name: &str) -> Text {
    match method::reply_name(name) {
        std::borrow::Cow::Borrowed(name) => Text::from_static(name),
        std::borrow::Cow::Owned(name) => name.into(),
    }
}

/// Whether a message of this name answers another, so that nothing is answered to it.
pub(crate) fn is_reply(name: &str) -> bool {
    match method::find(name) {
        Some(message) => message.class == Class::Reply,
        None => name.ends_with("result"),
    }
}

/// The names a `subscribeevent` brings.
///
/// # Errors
/// 59002 naming the field.
pub(crate) fn subscribed_names(body: &Body) -> Result<Vec<Text>, CallError> {
    Ok(SubscribeEvent::from_body(body)?.eventmethod.0)
}
