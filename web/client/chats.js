/**
 * Chats between people. Part of ctigate.js.
 */

import { Follower } from "./follower.js";

const PAGE = 50;

/**
 * `all`: the chats of the user, the one with the newest text first: `{id, name, creator, members, unread, time}`; a member
 * is `{id, name}`. Events: `change`; `message` (chat id, text) for every text that is written, own ones too; `viewed` (chat
 * id, text id, user id). A text: `{id, sender, name, text, time, viewers, mine}`; times are `YYYY-MM-DD HH:MM:SS`, as the
 * gateway's clock has it. On a gateway without chats `available` stays false.
 */
export class Chats extends Follower {
  constructor(gateway) {
    super(gateway, ["chat"], ["chatcreated", "chatmemberadded", "chatmemberremoved", "chatnamechanged"]);
    this.all = [];
    this.available = false;
    gateway.on("chatmessage", (body) => this.started && this.#written(body));
    gateway.on("chatmessageviewed", ({ chatid, messageid, viewerid }) => {
      if (!this.started) return;
      this.emit("viewed", chatid, messageid, viewerid);
      if (viewerid === this.gateway.userid) this.reload(); // another tab of the user has read it
    });
  }

  /** A chat by its id, or undefined. */
  byId(id) {
    return this.all.find((chat) => chat.id === id);
  }

  /** Makes a chat with these people, by their user ids; gives its id. */
  async create(members, name = "") {
    const { chatid } = await this.gateway.call("chatcreate", { name, members });
    await this.reload();
    return chatid;
  }

  /** The chat of the user and one other person; made when there is none. Gives its id. */
  async with(userid) {
    const two = this.all.find(
      ({ members, name }) => !name && members.length === 2 && members.some(({ id }) => id === userid),
    );
    return two?.id ?? this.create([userid]);
  }

  /** Writes into a chat; gives the text's id. */
  async send(chatid, text) {
    return (await this.gateway.call("chatsend", { chatid, text })).messageid;
  }

  /** The texts of a chat, newest last; `before` a text: the page that comes before it. */
  async history(chatid, { before, limit = PAGE } = {}) {
    const params = before ? { chatid, before, limit } : { chatid, limit };
    const { messages } = await this.gateway.call("chathistory", params);
    return messages.map((line) => this.#text(line)).reverse();
  }

  /** Says that the user has read a chat up to a text. */
  async viewed(chatid, messageid) {
    await this.gateway.call("chatviewed", { chatid, messageid });
    const chat = this.byId(chatid);
    if (!chat || !chat.unread) return;
    chat.unread = 0;
    this.emit("change");
  }

  rename(chatid, name) {
    return this.gateway.call("chatrename", { chatid, name }).then(() => this.reload());
  }

  addMember(chatid, memberid) {
    return this.gateway.call("chataddmember", { chatid, memberid }).then(() => this.reload());
  }

  /** Takes somebody out; oneself: leaves. */
  removeMember(chatid, memberid) {
    return this.gateway.call("chatremovemember", { chatid, memberid }).then(() => this.reload());
  }

  async ask() {
    const { chats } = await this.gateway.call("chatlist");
    this.available = true;
    this.all = chats.map(({ chatid, name, creatorid, members, unread, datetime }) => ({
      id: chatid,
      name: name ?? "",
      creator: creatorid,
      members: members.map(({ userid, username }) => ({ id: userid, name: username })),
      unread: unread ?? 0,
      time: datetime ?? "",
    }));
    this.emit("change");
  }

  #written(body) {
    const { chatid } = body;
    const text = this.#text({ ...body, viewers: [] });
    const chat = this.byId(chatid);
    if (!chat) return this.reload().then(() => this.emit("message", chatid, text));
    chat.time = text.time;
    if (!text.mine) chat.unread++;
    this.all = [chat, ...this.all.filter((other) => other !== chat)];
    this.emit("change");
    this.emit("message", chatid, text);
  }

  #text({ messageid, senderid, sendername, text, datetime, viewers = [] }) {
    const mine = senderid === this.gateway.userid;
    return { id: messageid, sender: senderid, name: sendername, text, time: datetime, viewers: [...viewers], mine };
  }
}
