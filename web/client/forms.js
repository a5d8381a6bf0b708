/**
 * The forms a gateway opens in this tab: what is open now, what was typed into it, how it ended. Part of ctigate.js.
 */

import { Emitter } from "./emitter.js";

const SHOWN_BY = {
  dlgcard_showreserve: "reserve",
  dlgcard_showconfirm: "confirm",
  dlgcard_showformdialog: "dialog",
  dlgcard_showformstop: "stop",
};

/**
 * The forms open in this tab. Events: `open` (form), `change` (form; shown again, perhaps with other fields), `close`
 * (form, `{reason, mine, by}`): reasons `answered`, `closed`, `expired`, `moved`, and `gone` for one that ended while
 * there was no connection. `mine` tells that this tab answered; `by` who did, where the gateway says so.
 */
export class Forms extends Emitter {
  #gateway;
  #open = new Map();
  #again = null;

  constructor(gateway) {
    super();
    this.#gateway = gateway;
    for (const [name, kind] of Object.entries(SHOWN_BY)) gateway.on(name, (card) => this.#show(card, kind));
    gateway.on("dlgcard_closereserve", (body) => this.#closed(body));
    gateway.on("dlgcard_closeall", (body) => this.#closed(body));
    gateway.on("dlgcard_closeformreturnvalues", ({ cardid }) => this.#giveBack(cardid, "values"));
    gateway.on("dlgcard_closeformreturncomment", ({ cardid }) => this.#giveBack(cardid, "comment"));
    gateway.on("statereset", ({ forms }) => {
      if (!Array.isArray(forms)) return;
      this.recount();
      for (const open of forms) {
        if (this.#open.has(open.formid)) this.#again.add(open.formid);
        else this.#show(cardOf(open), "dialog");
      }
      this.counted();
    });
  }

  /** Asks for forms, now and after every reconnect. */
  start() {
    return this.#gateway.subscribe("dlgcard");
  }

  /** The open forms, oldest first. */
  get all() {
    return [...this.#open.values()];
  }

  /** Called by the gateway after a login: what is not shown again until `counted` is over. */
  recount() {
    this.#again = new Set();
  }

  counted() {
    const again = this.#again;
    this.#again = null;
    for (const id of [...this.#open.keys()]) if (!again.has(id)) this.end(id, { reason: "gone" });
  }

  /** Called by a form that was answered. */
  end(id, { reason, mine = false, by = "" }) {
    const form = this.#open.get(id);
    if (!form) return;
    this.#open.delete(id);
    form.finish(reason);
    this.emit("close", form, { reason, mine, by });
  }

  #show(card, kind) {
    const known = this.#open.get(card.cardid);
    const form = known ?? new Form(this.#gateway, card.cardid);
    form.update(card, kind);
    this.#open.set(form.id, form);
    this.#again?.add(form.id);
    this.emit(known ? "change" : "open", form);
  }

  #closed({ cardid, reason = "closed", by, userlogin }) {
    for (const id of cardid ? [cardid] : [...this.#open.keys()]) this.end(id, { reason, by: by ?? userlogin });
  }

  #giveBack(id, what) {
    const form = this.#open.get(id);
    if (!form) return;
    const values = what === "values" ? { values: form.values } : { comment: form.comment };
    this.#gateway.call("dlgcard_values", { cardid: id, ...values }).catch(() => {});
    this.end(id, { reason: "closed" });
  }
}

/**
 * One form. `card` is the event as it came; `fields` its fields; `values` and `comment` what was typed: they outlive a
 * reconnect and a reload of the page.
 */
export class Form {
  #gateway;
  #key;

  constructor(gateway, id) {
    this.#gateway = gateway;
    this.#key = `ctigate.draft.${gateway.login}.${id}`;
    const { values = {}, comment = "" } = JSON.parse(sessionStorage.getItem(this.#key) ?? "{}");
    Object.assign(this, { id, values, comment, state: "open" });
  }

  /** Takes over the event; editable fields that nobody touched get its values. */
  update(card, kind) {
    this.card = card;
    this.kind = kind;
    this.name = card.formname ?? card.taskname ?? "";
    this.caption = card.caption || this.name;
    this.fields = Array.isArray(card.fields) ? card.fields : [];
    for (const { name, value, readonly } of this.fields) {
      if (!readonly && !(name in this.values) && value !== undefined && value !== null) this.values[name] = value;
    }
  }

  /** Notes what was typed into an editable field. */
  set(name, value) {
    this.values[name] = value;
    this.#keep();
  }

  /** Notes the comment. */
  setComment(text) {
    this.comment = text;
    this.#keep();
  }

  /** Sends the values that are filled in, and the comment. The first tab wins; another one gets the code 59013. */
  answer() {
    const filled = Object.entries(this.values).filter(([, value]) => value !== null && value !== undefined);
    const params = { cardid: this.id, values: Object.fromEntries(filled) };
    if (this.comment) params.comment = this.comment;
    return this.#reply("dlgcard_values", params);
  }

  /** Accepts or refuses what a form of the kind `confirm` asks. */
  confirm(accept) {
    return this.#reply("dlgcard_confirm", { cardid: this.id, accept });
  }

  finish(reason) {
    this.state = reason;
    sessionStorage.removeItem(this.#key);
  }

  #keep() {
    sessionStorage.setItem(this.#key, JSON.stringify({ values: this.values, comment: this.comment }));
  }

  async #reply(method, params) {
    try {
      await this.#gateway.call(method, params);
    } catch (error) {
      if (error.code === 59013) this.#gateway.forms.end(this.id, { reason: "answered", by: detail(error.message) });
      if (error.code === 59014) this.#gateway.forms.end(this.id, { reason: "gone" });
      throw error;
    }
    this.#gateway.forms.end(this.id, { reason: "answered", mine: true, by: this.#gateway.login });
  }
}

/** A card for a form that is told by a `statereset`: its values are there, its declaration is not. */
function cardOf({ formid, name, chainid, inputparameters }) {
  const fields = Object.entries(inputparameters ?? {}).map(([field, value]) => ({
    name: field,
    type: typeof value === "boolean" ? "bool" : "string",
    caption: field,
    value,
    readonly: true,
  }));
  return { cardid: formid, formid, formname: name, chainid, fields };
}

/** What follows the first colon of an `errormsg`: there it names who was first. */
function detail(message) {
  return message.split(": ").slice(1).join(": ");
}
