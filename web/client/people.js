/**
 * The people and numbers of the telephone system, with their states. Part of ctigate.js.
 */

import { Follower } from "./follower.js";

/**
 * `all` holds everybody, the user too, and the numbers that belong to nobody (queues, groups), by department and name:
 * `{id, name, number, numbers, state, department, subordinate, user, me, photo}`. `state` is a number of the protocol: 0
 * not online, 1 ready, 2 break, 3 not to be disturbed, 5 busy, 7 without a phone; `user` tells people from mere numbers.
 * Event: `change`.
 */
export class People extends Follower {
  #byNumber = new Map();
  #byId = new Map();

  constructor(gateway) {
    super(gateway, ["pbxnumberstatechanged"]);
    this.all = [];
    /** What the user is: `{name, number, operator}`. */
    this.me = { name: "", number: "", operator: false };
  }

  async ask() {
    const photos = this.gateway.call("getalluserphotolink", { mode: "page" }).catch(() => ({}));
    const [numbers, users, me] = await Promise.allSettled([
      this.gateway.call("getpbxnumbers", { mode: "full" }),
      this.gateway.call("getallusernumbers", { fillsubordinates: true }),
      this.gateway.call("getmyuserinfo"),
    ]);
    if (numbers.status === "rejected" && users.status === "rejected") throw numbers.reason;
    const { username = "", mainpbxnumber = "", isoperator = false } = me.value ?? {};
    this.me = { name: username || this.gateway.login, number: mainpbxnumber, operator: Boolean(isoperator) };
    this.#take(numbers.value?.numbers ?? [], users.value?.users ?? []);
    photos.then(({ links }) => this.#picture(links ?? [])); // people are shown without waiting for their photos
  }

  /** Who has a number, or undefined. */
  byNumber(number) {
    return this.#byNumber.get(String(number));
  }

  /** A person by the user's id, or undefined. */
  byId(id) {
    return this.#byId.get(id);
  }

  /** Those in whose name, number or department every word of the text occurs. */
  search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return this.all.filter(({ name, number, department }) => {
      const whole = `${name} ${number} ${department}`.toLowerCase();
      return words.every((word) => whole.includes(word));
    });
  }

  heard(name, { numbers }) {
    if (!Array.isArray(numbers)) return;
    let changed = false;
    for (const { num, numstateid } of numbers) {
      const one = this.#byNumber.get(String(num));
      if (!one || one.state === numstateid) continue;
      one.state = numstateid;
      changed = true;
    }
    if (changed) this.emit("change");
  }

  #picture(links) {
    const photos = new Map(links.map(({ id, link, link96x96 }) => [id, link ? link96x96 || link : ""]));
    const changed = this.all.filter((one) => one.photo !== (photos.get(one.id) ?? ""));
    for (const one of changed) one.photo = photos.get(one.id) ?? "";
    if (changed.length) this.emit("change");
  }

  #take(numbers, users) {
    const plan = new Map(numbers.map((number) => [number.number, number]));
    const people = users.map(({ id, name, main, nums, sub }) => ({
      id,
      name: name || main,
      number: main ?? "",
      numbers: nums ?? [],
      state: plan.get(main)?.state ?? 0,
      department: plan.get(main)?.department ?? "",
      subordinate: Boolean(sub),
      user: true,
      me: id === this.gateway.userid,
      photo: this.#byId.get(id)?.photo ?? "",
    }));
    const owned = new Set(users.flatMap(({ main, nums }) => [main, ...(nums ?? [])]));
    const others = numbers
      .filter(({ number }) => !owned.has(number))
      .map(({ number, id, caption, state, department }) => ({
        id: id ?? number,
        name: caption || number,
        number,
        numbers: [number],
        state: state ?? 1,
        department: department ?? "",
        subordinate: false,
        user: false,
        me: false,
        photo: "",
      }));
    const order = (a, b) => a.department.localeCompare(b.department) || a.name.localeCompare(b.name);
    this.all = [...people.sort(order), ...others.sort(order)];
    this.#byNumber = new Map(this.all.filter(({ number }) => number).map((one) => [one.number, one]));
    this.#byId = new Map(this.all.map((one) => [one.id, one]));
    this.emit("change");
  }
}
