/** The words and colours of the states of people and numbers. */

import { say } from "./words.js";

const TONES = { 1: "good", 2: "warn", 3: "warn", 5: "bad", 6: "accent" };

export function stateWord(id) {
  const word = say(`state.${id}`);
  return word === `state.${id}` ? say("state.?") : word;
}

export function stateTone(id) {
  return TONES[id] ?? "";
}

/** A party in one line: name and number. */
export function partyWord(party) {
  if (!party) return "";
  // A conference without a room is a talk that is listened to.
  if (party.conference)
    return Number(party.conference.room)
      ? party.name || say("conferenceRoom", party.conference)
      : say("phone.listening");
  return [party.name, party.number].filter(Boolean).join(", ") || say("unknownNumber");
}

/** Why something was refused, in words for people. */
export function reasonWord(error) {
  const words = say(`why.${error.code}`);
  return words === `why.${error.code}` ? error.message : words;
}
