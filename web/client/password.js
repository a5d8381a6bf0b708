/**
 * The hashes that `login` carries in place of a password. Part of ctigate.js.
 */

import { CtiError } from "./error.js";

/** The two hashes that `login` carries: of the password as typed, and of its lower-case form. */
export function passwordHashes(password) {
  return { Password: md5(windows1251(password)), password: md5(windows1251(password.toLowerCase())) };
}

/** ASCII and Russian letters as windows-1251; 128 to 1024 are dropped, as the protocol has it. */
function windows1251(text) {
  const bytes = [];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 128) bytes.push(unit);
    else if (unit === 0x401) bytes.push(0xa8);
    else if (unit === 0x451) bytes.push(0xb8);
    else if (unit > 1024 && unit - 848 < 256) bytes.push(unit - 848);
    else if (unit > 1024) throw new CtiError("password", "a password holds ASCII and Russian letters only", "login");
  }
  return Uint8Array.from(bytes);
}

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

/** MD5 (RFC 1321) in hex. The protocol asks for it; it protects nothing without TLS. */
export function md5(bytes) {
  const words = new Uint32Array((((bytes.length + 8) >> 6) + 1) * 16);
  bytes.forEach((byte, i) => (words[i >> 2] |= byte << ((i % 4) * 8)));
  words[bytes.length >> 2] |= 0x80 << ((bytes.length % 4) * 8);
  words[words.length - 2] = bytes.length * 8;
  const sum = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d] = sum;
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const mixed = [(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)][round];
      const word = words[block + ([i, 5 * i + 1, 3 * i + 5, 7 * i][round] % 16)];
      const turned = (a + mixed + word + SINES[i]) | 0;
      const shift = SHIFTS[round][i % 4];
      [a, d, c, b] = [d, c, b, (b + ((turned << shift) | (turned >>> (32 - shift)))) | 0];
    }
    [a, b, c, d].forEach((value, i) => (sum[i] += value));
  }
  return [...new Uint8Array(sum.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
