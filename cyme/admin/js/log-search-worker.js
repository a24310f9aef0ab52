/* The thread that looks for a pattern: the first message is the pattern, all others are lists of lines. */

import { matchesOf } from "./log-search.js";

let regexp = null;

self.onmessage = ({ data }) => {
  if (regexp) self.postMessage(data.map((text) => matchesOf(regexp, text)));
  else {
    regexp = new RegExp(data.source, data.flags);
    self.postMessage(null);
  }
};
