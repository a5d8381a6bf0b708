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
