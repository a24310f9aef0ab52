/* What is looked for in the lines of a log: a text, or a pattern between slashes.

   queryOf("timeout")       { source, flags, isPattern: false, fault: "" }
   queryOf("/time.?out/i")  isPattern: true; fault says why it is no pattern
   matchesOf(regexp, text)  [[from, to], ...] of a line that matches, null of one that does not

   search = new PatternSearch(query, { found: (lines, matches) => {}, failed: (words) => {} })
   search.add(lines)        found tells of all lines, in their order, a part at a time
   search.close()

   A text is found in a time that grows with the line, a pattern maybe in one that has no end, and
   nothing can stop the thread that looks for it but the end of the thread. So patterns are looked
   for in a thread of their own, which is ended when it takes too long. */

const RANGES_MAX = 50;
const LINES_AT_ONCE = 500;
const LINES_WAITING_MAX = 10_000;
const LOAD_MS_MAX = 15_000;
const SEARCH_MS_MAX = 2_000;

const TOO_SLOW = "This pattern takes too long, so all lines are shown. Make it simpler: a repetition "
  + "within a repetition, as in (a+)+, is what makes patterns slow.";
const NOT_LOADED = "The search for patterns could not be loaded. Look for a text, or reload the page.";

export function queryOf(query) {
  const shaped = /^\/(.+)\/(i?)$/.exec(query);
  if (!shaped) return { source: query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), flags: "gi", isPattern: false, fault: "" };
  const [, source, flags] = shaped;
  return { source, flags: `g${flags}`, isPattern: true, fault: faultOf(source) };
}

function faultOf(source) {
  try {
    new RegExp(source);
    return "";
  } catch {
    return "This is no pattern: see the brackets in it.";
  }
}

export function matchesOf(regexp, text) {
  regexp.lastIndex = 0;
  let match = regexp.exec(text);
  if (match === null) return null;
  const found = [];
  while (match !== null && found.length < RANGES_MAX) {
    if (match[0] === "") regexp.lastIndex += 1;
    else found.push([match.index, match.index + match[0].length]);
    match = regexp.exec(text);
  }
  return found;
}

export class PatternSearch {
  #waiting = [];
  #under = null;
  #timer = 0;
  #isReady = false;
  #worker = new Worker(new URL("./log-search-worker.js", import.meta.url), { type: "module" });
  #told;

  constructor({ source, flags }, told) {
    this.#told = told;
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = () => this.#fail(NOT_LOADED);
    this.#worker.postMessage({ source, flags });
    this.#timer = setTimeout(() => this.#fail(NOT_LOADED), LOAD_MS_MAX);
  }

  add(lines) {
    this.#waiting.push(...lines);
    this.#waiting.splice(0, this.#waiting.length - LINES_WAITING_MAX);
    this.#ask();
  }

  close() {
    clearTimeout(this.#timer);
    this.#worker.onmessage = null;
    this.#worker.onerror = null;
    this.#worker.terminate();
    this.#waiting = [];
  }

  #ask() {
    if (!this.#isReady || this.#under || !this.#waiting.length) return;
    this.#under = this.#waiting.splice(0, LINES_AT_ONCE);
    this.#timer = setTimeout(() => this.#fail(TOO_SLOW), SEARCH_MS_MAX);
    this.#worker.postMessage(this.#under.map((line) => line.text));
  }

  #hear(matches) {
    clearTimeout(this.#timer);
    const lines = this.#under;
    this.#under = null;
    // The first word is that the thread runs.
    if (this.#isReady) this.#told.found(lines, matches);
    this.#isReady = true;
    this.#ask();
  }

  #fail(words) {
    this.close();
    this.#told.failed(words);
  }
}
