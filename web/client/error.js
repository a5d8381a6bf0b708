/**
 * Why something failed. `code` is the gateway's number (59001 unknown method, 59013 already answered, …), or, when the
 * protocol has none: `credentials` and `session` (refused at login), `starting`, `refused`; or it happened on this side:
 * `offline`, `unreachable`, `timeout`, `closed`, `password` (letters that cannot be hashed), `usage`.
 */
export class CtiError extends Error {
  constructor(code, message, method = "") {
    super(message);
    this.name = "CtiError";
    this.code = code;
    this.method = method;
  }
}
