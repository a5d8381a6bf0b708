//! Words between people: text messages, notices, and the events of chats.

use crate::message::Text;

use super::define::{call, event, messages, records, reply};

messages! {
    /// Sends a text to other users.
    SendUserTextMessage: call("sendusertextmessage").by_both().replied("sendusertextmessageresult") => {
        /// The ids of those who get it.
        recipients: Vec<Text>,
        /// The text.
        text: Text,
    }

    /// The text is on its way, or waits for those who are not online.
    SendUserTextMessageResult: reply("sendusertextmessageresult").to_both() => {}

    /// A text from another user.
    UserTextMessageReceived: event("usertextmessagereceived").to_both().subscribed() => {
        /// Who gets it: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// Who sent it: the user's id.
        senderid: Text,
        /// The sender's name.
        sendername: Text,
        /// The text.
        text: Text,
        /// When it was sent: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        datetime: Text,
    }

    /// A notice to be shown.
    ShowNotifyMessage: event("shownotifymessage").to_both().subscribed() => {
        /// Who gets it: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// Its title.
        caption: Text,
        /// Its text.
        text: Text,
        /// How long to show it, in milliseconds; absent: until it is closed.
        timeoutms: Option<i64>,
    }

    /// A chat was made.
    ChatCreated: event("chatcreated").to_both().subscribed() => {
        ..chat: Chat,
        /// The chat's name.
        name: Text,
        /// Who made it: the user's id.
        creatorid: Text,
        /// Its members.
        members: Vec<ChatMember>,
    }

    /// Somebody wrote.
    ChatMessage: event("chatmessage").to_both().subscribed() => {
        ..chat: Chat,
        /// The text's id, a GUID.
        messageid: Text,
        /// Who wrote: the user's id.
        senderid: Text,
        /// The writer's name.
        sendername: Text,
        /// The text.
        text: Text,
        /// When: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        datetime: Text,
    }

    /// Somebody has read a text.
    ChatMessageViewed: event("chatmessageviewed").to_both().subscribed() => {
        ..chat: Chat,
        /// Which text.
        messageid: Text,
        /// Who read it: the user's id.
        viewerid: Text,
    }

    /// Somebody came into the chat.
    ChatMemberAdded: event("chatmemberadded").to_both().subscribed() => {
        ..chat: Chat,
        /// Who.
        member: ChatMember,
    }

    /// Somebody left the chat.
    ChatMemberRemoved: event("chatmemberremoved").to_both().subscribed() => {
        ..chat: Chat,
        /// Who.
        member: ChatMember,
    }

    /// The chat has another name.
    ChatNameChanged: event("chatnamechanged").to_both().subscribed() => {
        ..chat: Chat,
        /// The new name.
        name: Text,
    }
}

records! {
    /// What every event of a chat says.
    Chat = "chat" {
        /// Who is told: the user's id.
        userid: Text,
        /// The user's login.
        userlogin: Text,
        /// The chat's id, a GUID.
        chatid: Text,
    }

    /// A member of a chat.
    ChatMember = "chatmember" {
        /// The user's id.
        userid: Text,
        /// The user's name.
        username: Text,
    }
}
