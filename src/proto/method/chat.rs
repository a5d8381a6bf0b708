//! Words between people: text messages, notices, chats and their events.

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

    /// Has a notice shown to people: by a CRM for itself, by a supervisor to subordinates, by a program to anybody.
    SendNotifyMessage: call("sendnotifymessage").by_both().replied("sendnotifymessageresult").ours() => {
        /// The ids of those who see it.
        recipients: Vec<Text>,
        /// Its title.
        caption: Text,
        /// Its text.
        text: Text,
        /// How long to show it, in milliseconds; absent: until it is closed.
        timeoutms: Option<i64>,
    }

    /// The notice is on its way to those who are online.
    SendNotifyMessageResult: reply("sendnotifymessageresult").to_both().ours() => {}

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

    /// Makes a chat. Whoever makes it is a member.
    ChatCreate: call("chatcreate").by_both().replied("chatcreateresult").ours() => {
        /// The chat's name; absent or empty: none.
        name: Option<Text>,
        /// The ids of the other members.
        members: Vec<Text>,
    }

    /// The chat is there.
    ChatCreateResult: reply("chatcreateresult").to_both().ours() => {
        /// The chat's id, a GUID.
        chatid: Text,
    }

    /// Writes into a chat.
    ChatSend: call("chatsend").by_both().replied("chatsendresult").ours() => {
        /// The chat.
        chatid: Text,
        /// The text.
        text: Text,
    }

    /// The text is in the chat.
    ChatSendResult: reply("chatsendresult").to_both().ours() => {
        /// The text's id, a GUID.
        messageid: Text,
        /// When: `YYYY-MM-DD HH:MM:SS`, local time of the gateway.
        datetime: Text,
    }

    /// Says that one has read a chat up to a text.
    ChatViewed: call("chatviewed").by_both().replied("chatviewedresult").ours() => {
        /// The chat.
        chatid: Text,
        /// The text; those before it count as read too.
        messageid: Text,
    }

    /// It is noted.
    ChatViewedResult: reply("chatviewedresult").to_both().ours() => {}

    /// Takes somebody into a chat.
    ChatAddMember: call("chataddmember").by_both().replied("chataddmemberresult").ours() => {
        /// The chat.
        chatid: Text,
        /// Who: the user's id.
        memberid: Text,
    }

    /// Taken in.
    ChatAddMemberResult: reply("chataddmemberresult").to_both().ours() => {}

    /// Takes somebody out of a chat, or leaves it.
    ChatRemoveMember: call("chatremovemember").by_both().replied("chatremovememberresult").ours() => {
        /// The chat.
        chatid: Text,
        /// Who: the user's id.
        memberid: Text,
    }

    /// Taken out.
    ChatRemoveMemberResult: reply("chatremovememberresult").to_both().ours() => {}

    /// Gives a chat another name.
    ChatRename: call("chatrename").by_both().replied("chatrenameresult").ours() => {
        /// The chat.
        chatid: Text,
        /// The new name; may be empty.
        name: Text,
    }

    /// Renamed.
    ChatRenameResult: reply("chatrenameresult").to_both().ours() => {}

    /// Asks for one's chats.
    ChatList: call("chatlist").by_both().replied("chatlistresult").ours() => {}

    /// One's chats, the one with the newest text first.
    ChatListResult: reply("chatlistresult").to_both().ours() => {
        /// Every chat of which the user is a member.
        chats: Vec<ChatInfo>,
    }

    /// Asks for what was written in a chat.
    ChatHistory: call("chathistory").by_both().replied("chathistoryresult").ours() => {
        /// The chat.
        chatid: Text,
        /// Only what was written before this text.
        before: Option<Text>,
        /// At most so many texts: 1 to 200; 50 when absent.
        limit: Option<i64>,
    }

    /// What was written.
    ChatHistoryResult: reply("chathistoryresult").to_both().ours() => {
        /// The texts, newest first.
        messages: Vec<ChatLine>,
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

    /// A chat as its member sees it (ctigate).
    ChatInfo = "chatinfo" {
        /// The chat's id, a GUID.
        chatid: Text,
        /// Its name; empty when it has none.
        name: Text,
        /// Who made it: the user's id.
        creatorid: Text,
        /// Its members.
        members: Vec<ChatMember>,
        /// How many texts of others the member has not read.
        unread: i64,
        /// When the newest text was written: `YYYY-MM-DD HH:MM:SS`, local time of the gateway; absent when there is none.
        datetime: Option<Text>,
    }

    /// A text of a chat (ctigate).
    ChatLine = "chatline" {
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
        /// The ids of the other members who have read it.
        viewers: Vec<Text>,
    }
}
