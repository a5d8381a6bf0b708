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
  if (party.conference) return party.name || say("conferenceRoom", { room: party.conference.room });
  return [party.name, party.number].filter(Boolean).join(", ") || say("unknownNumber");
}

/** Why something was refused, in words for people. */
export function reasonWord(error) {
  const words = say(`why.${error.code}`);
  return words === `why.${error.code}` ? error.message : words;
}
