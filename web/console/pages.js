/** The console's pages: which there are, in which order, and the letter that goes there behind `g`. */

import { Audit } from "./pages/audit.js";
import { Calls } from "./pages/calls.js";
import { Doctor } from "./pages/doctor.js";
import { Explain } from "./pages/explain.js";
import { Forms } from "./pages/forms.js";
import { Inspector } from "./pages/inspector.js";
import { Journal } from "./pages/journal.js";
import { Keys } from "./pages/keys.js";
import { Links } from "./pages/links.js";
import { Logs } from "./pages/logs.js";
import { Me } from "./pages/me.js";
import { Overview } from "./pages/overview.js";
import { People } from "./pages/people.js";
import { Settings } from "./pages/settings.js";

export const PAGES = [
  { id: "overview", icon: "overview", key: "o", page: Overview, group: "now" },
  { id: "calls", icon: "call", key: "c", page: Calls, group: "now" },
  { id: "forms", icon: "forms", key: "f", page: Forms, group: "now" },
  { id: "journal", icon: "journal", key: "j", page: Journal, group: "now" },
  { id: "links", icon: "links", key: "l", page: Links, group: "set" },
  { id: "people", icon: "people", key: "p", page: People, group: "set" },
  { id: "keys", icon: "key", key: "k", page: Keys, group: "set" },
  { id: "settings", icon: "settings", key: "s", page: Settings, group: "set" },
  { id: "doctor", icon: "doctor", key: "d", page: Doctor, group: "find" },
  { id: "inspector", icon: "inspect", key: "i", page: Inspector, group: "find" },
  { id: "explain", icon: "explain", key: "x", page: Explain, group: "find" },
  { id: "logs", icon: "logs", key: "g", page: Logs, group: "find" },
  { id: "audit", icon: "audit", key: "a", page: Audit, group: "find" },
  { id: "me", icon: "user", key: "m", page: Me, group: null },
];

/** Groups of the navigation, in order. */
export const GROUPS = ["now", "set", "find"];
