/** Types of ctigate.js. What each thing does is told there. */

export interface Options {
  /** Where the gateway is; by default where the page came from. */
  url?: string | URL;
  login: string;
  /** Without a password the session kept for this login is resumed. */
  password?: string;
  /** A session to resume instead of the kept one. */
  session?: string;
  /** Wished life of the session, seconds. */
  expires?: number;
  workplace?: string;
  format?: "json";
  /** Milliseconds a call waits for its reply; 20000 by default. */
  timeout?: number;
}

export interface OpenOptions {
  /** Whether to go on trying when the gateway cannot be reached at first. */
  patient?: boolean;
}

export type State = "connecting" | "online" | "waiting" | "closed";

export interface StateChange {
  state: State;
  /** Why it is waiting or closed. */
  error: CtiError | null;
  /** When it tries again (waiting), milliseconds since 1970; else 0. */
  retryAt: number;
}

export type Body = Record<string, unknown>;

export type Code =
  | number
  | "credentials"
  | "session"
  | "starting"
  | "refused"
  | "offline"
  | "unreachable"
  | "timeout"
  | "closed"
  | "password"
  | "usage";

export class CtiError extends Error {
  constructor(code: Code, message: string, method?: string);
  readonly code: Code;
  /** The method that failed, or empty. */
  readonly method: string;
}

export function connect(options: Options & OpenOptions): Promise<Gateway>;
export function keptLogins(): string[];
export function passwordHashes(password: string): { Password: string; password: string };

/** Ends the handler it was returned for. */
export type Off = () => void;

export interface ExecutionContext {
  executionid: string;
  chainid?: string;
  /** Aborted when the result is no longer wanted. */
  signal: AbortSignal;
}

export class Gateway {
  constructor(options: Options);
  readonly login: string;
  /** Known after the login. */
  readonly userid: string;
  readonly state: State;
  readonly forms: Forms;
  readonly phone: Phone;
  readonly conference: Conference;
  readonly people: People;
  readonly presence: Presence;
  readonly queue: Queue;
  readonly journal: Journal;
  readonly chats: Chats;
  readonly messages: Messages;
  /** Where the gateway serves files: recordings, photos. */
  readonly webOrigin: string;
  open(options?: OpenOptions): Promise<this>;
  close(): void;
  logout(): Promise<void>;
  on(event: "state", handler: (change: StateChange) => void): Off;
  on(event: string, handler: (body: any) => void): Off;
  subscribe(...names: string[]): Promise<void>;
  call<Reply = Body>(method: string, params?: Body, options?: { timeout?: number }): Promise<Reply>;
  provide(
    name: string,
    run: (input: any, context: ExecutionContext) => Body | void | Promise<Body | void>,
  ): Promise<void>;
  procedure(name: string, input?: Body): Promise<Record<string, unknown>[][]>;
  changePassword(before: string, after: string): Promise<void>;
  execute<Output = Body>(name: string, input?: Body, options?: { timeout?: number }): Promise<Output>;
}

export type Kind = "reserve" | "confirm" | "dialog" | "stop";
export type Reason = "answered" | "closed" | "expired" | "moved" | "gone";
export type FieldType = "string" | "int" | "float" | "bool" | "datetime" | "guid" | "object" | "array";

export interface Field {
  name: string;
  type?: FieldType;
  caption?: string;
  value?: unknown;
  readonly?: boolean;
  required?: boolean;
}

export interface Ending {
  reason: Reason;
  /** Whether this tab answered. */
  mine: boolean;
  /** Who answered, where the gateway tells, or empty. */
  by: string;
}

export interface Forms {
  readonly all: Form[];
  start(): Promise<void>;
  on(event: "open" | "change", handler: (form: Form) => void): Off;
  on(event: "close", handler: (form: Form, ending: Ending) => void): Off;
}

export interface Form {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string;
  readonly caption: string;
  readonly fields: Field[];
  /** The event that opened it, as it came. */
  readonly card: any;
  readonly state: "open" | Reason;
  readonly values: Body;
  readonly comment: string;
  set(name: string, value: unknown): void;
  setComment(text: string): void;
  answer(): Promise<void>;
  confirm(accept: boolean): Promise<void>;
}

/** A part that keeps a picture of something, from `start()` on. */
export interface Follower {
  start(): Promise<void>;
  reload(): Promise<void>;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
}

export type Phase =
  | "unknown"
  | "off"
  | "idle"
  | "alone"
  | "planned"
  | "callback"
  | "ringing"
  | "dialling"
  | "menu"
  | "talking"
  | "onhold"
  | "conference";

export type Action =
  | "call"
  | "intercom"
  | "conference"
  | "ghost"
  | "answer"
  | "decline"
  | "stopdialling"
  | "hangup"
  | "hold"
  | "toggle"
  | "join"
  | "return"
  | "drophold"
  | "transfer"
  | "takein"
  | "invite"
  | "leave";

export interface Party {
  number: string;
  /** Empty when it would only repeat the number. */
  name: string;
  /** Of an inside user, or empty. */
  userid: string;
  outside: boolean;
  conference: { id: string; name: string; room: string | number } | null;
}

export interface Line {
  readonly phase: Phase;
  readonly party: Party | null;
  /** Who is on hold. */
  readonly held: Party | null;
  readonly chain: string;
  /** The number that was dialled. */
  readonly called: string;
  /** When the talk began, milliseconds since 1970; 0 without a talk. */
  readonly since: number;
  /** What can be done now. */
  readonly actions: readonly Action[];
}

export interface Phone extends Follower {
  readonly line: Line;
  can(action: Action): boolean;
  on(event: "change", handler: (line: Line, before: Line) => void): Off;
  on(
    event: "fax",
    handler: (fax: { number: string; name: string; file: string; pages: number; recording: string }) => void,
  ): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
  dial(number: string, options?: { first?: "me" | "other"; intercom?: boolean }): Promise<void>;
  answer(): Promise<void>;
  decline(): Promise<void>;
  stopDialling(): Promise<void>;
  hangUp(): Promise<void>;
  end(): Promise<void>;
  hold(): Promise<void>;
  back(): Promise<void>;
  dropHeld(): Promise<void>;
  join(): Promise<void>;
  transfer(number: string): Promise<void>;
}

export type Invitee = string | { userid: string };
export type ListenMode = "listen" | "help" | "join";

export interface Member {
  id: string;
  number: string;
  name: string;
  userid: string;
  outside: boolean;
  state: "Inviting" | "InConference" | string;
  creator: boolean;
  me: boolean;
  /** Whether this is the one listened to. */
  target: boolean;
}

export interface ConferenceNow {
  id: string;
  name: string;
  room: number;
  listening: boolean;
  /** Empty unless listening. */
  mode: ListenMode | "";
  members: Member[];
}

export interface Conference extends Follower {
  readonly now: ConferenceNow | null;
  on(event: "change", handler: (now: ConferenceNow | null) => void): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
  create(whom: Invitee[], options?: { name?: string; record?: boolean }): Promise<string>;
  widen(): Promise<void>;
  invite(...whom: Invitee[]): Promise<void>;
  throwOut(member: string): Promise<void>;
  leave(): Promise<void>;
  takeIn(): Promise<void>;
  listen(userid: string, mode?: ListenMode): Promise<void>;
  setMode(mode: ListenMode): Promise<void>;
}

export interface Person {
  id: string;
  name: string;
  number: string;
  numbers: string[];
  /** 0 not online, 1 ready, 2 break, 3 not to be disturbed, 5 busy, 6 reserved, 7 without a phone. */
  state: number;
  department: string;
  subordinate: boolean;
  /** Whether it is a person, not a queue or group. */
  user: boolean;
  me: boolean;
  /** Path of the photo on the gateway, or empty. */
  photo: string;
}

export interface People extends Follower {
  readonly all: Person[];
  readonly me: { name: string; number: string; operator: boolean };
  on(event: "change", handler: () => void): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
  byNumber(number: string): Person | undefined;
  byId(id: string): Person | undefined;
  search(text: string): Person[];
}

export type Status = "ready" | "queues" | "manual" | "break" | "dnd" | "busy" | "redirect";

export interface Presence extends Follower {
  readonly state: number;
  readonly status: Status;
  readonly reason: number;
  readonly note: string;
  readonly task: boolean;
  readonly breaks: { id: number; name: string }[];
  readonly redirect: string;
  on(event: "change", handler: () => void): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
  set(status: Status, options?: { reason?: number; note?: string }): Promise<void>;
  redirectTo(number: string): Promise<void>;
}

export interface WaitingCall {
  chain: string;
  number: string;
  name: string;
  called: string;
  queue: string;
  /** Since when, milliseconds since 1970. */
  since: number;
}

export interface Queue extends Follower {
  readonly waiting: WaitingCall[];
  total(): Promise<{ name: string; waiting: WaitingCall[] }[]>;
  on(event: "change", handler: () => void): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
}

export type Direction = "incoming" | "outgoing" | "internal";

export interface JournalFilter {
  /** Days, `YYYY-MM-DD`. */
  from?: string;
  to?: string;
  direction?: Direction | "";
  number?: string;
  missed?: boolean;
  chain?: string;
  /** Seconds. */
  atLeast?: number;
  limit?: number;
  offset?: number;
}

export interface PastCall {
  chain: string;
  talk: string;
  /** `YYYY-MM-DD HH:MM:SS`, local time of the gateway. */
  time: string;
  seconds: number;
  waited: number;
  direction: Direction;
  caller: string;
  called: string;
  userid: string;
  name: string;
  outcome: string;
  queue: string;
  /** Empty when there is none. */
  recording: string;
}

export interface Step {
  time: string;
  kind: string;
  number: string;
  userid: string;
  detail: string;
}

export interface Journal {
  calls(filter?: JournalFilter): Promise<PastCall[]>;
  trace(chain: string): Promise<Step[]>;
  recording(call: { recording: string }): Promise<string>;
}

export interface Chat {
  id: string;
  name: string;
  /** The user id of who made it. */
  creator: string;
  members: { id: string; name: string }[];
  unread: number;
  /** Of the newest text, or empty. */
  time: string;
}

export interface ChatText {
  id: string;
  /** The writer's user id. */
  sender: string;
  name: string;
  text: string;
  time: string;
  /** The user ids of those who have read it. */
  viewers: string[];
  mine: boolean;
}

export interface Chats extends Follower {
  readonly all: Chat[];
  readonly available: boolean;
  on(event: "change", handler: () => void): Off;
  on(event: "message", handler: (chat: string, text: ChatText) => void): Off;
  on(event: "viewed", handler: (chat: string, text: string, viewer: string) => void): Off;
  on(event: "trouble", handler: (error: CtiError) => void): Off;
  byId(id: string): Chat | undefined;
  create(members: string[], name?: string): Promise<string>;
  with(userid: string): Promise<string>;
  send(chat: string, text: string): Promise<string>;
  history(chat: string, options?: { before?: string; limit?: number }): Promise<ChatText[]>;
  viewed(chat: string, text: string): Promise<void>;
  rename(chat: string, name: string): Promise<void>;
  addMember(chat: string, userid: string): Promise<void>;
  removeMember(chat: string, userid: string): Promise<void>;
}

export interface Messages {
  start(): Promise<void>;
  on(event: "text", handler: (text: { sender: string; name: string; text: string; time: string }) => void): Off;
  on(event: "notice", handler: (notice: { caption: string; text: string; timeout: number }) => void): Off;
  send(recipients: string[], text: string): Promise<void>;
  notify(recipients: string[], caption: string, text: string, timeout?: number): Promise<void>;
  trigger(name: string, param?: unknown, options?: { to?: string[] | null; back?: boolean }): Promise<void>;
  onTriggered(name: string, handler: (param: any, sender: { userid: string; login: string }) => void): Off;
}
