/* The lines of one or several logs on the screen.

   Laws:
    - what is paused stands still: not a pixel moves until somebody resumes;
    - to scroll back is to pause, so that nothing is torn from under the reader's eyes;
    - lines are drawn once a frame, however many come;
    - a pattern is never looked for in the thread of the page. */

import { h } from "./dom.js";
import { LogBuffer } from "./log-lines.js";
import { matchesOf, PatternSearch, queryOf } from "./log-search.js";

const LINES_MAX = 10_000;
const NEAR_END_PX = 24;
const HUES = 6;

export class LogView {
  /**
   * Args: told(state) is called when something changes that controls show: `{ paused, waiting,
   * shown, kept, dropped }`; faulted(words) when what is looked for cannot be found after all.
   */
  constructor({ told, faulted = () => {} }) {
    this.told = told;
    this.faulted = faulted;
    this.shownLines = new LogBuffer(LINES_MAX);
    this.waiting = new LogBuffer(LINES_MAX);
    this.isPaused = false;
    this.onlyMatching = true;
    this.regexp = null;
    this.search = null;
    this.hues = new Map();
    this.frame = 0;
    this.undrawn = [];
    this.list = h("ol", { class: "log-lines" });
    this.element = h("div", {
      class: "log-view", role: "log", tabindex: "0", "aria-label": "Lines of the log",
      "aria-live": "off",
    }, this.list);
    this.element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.lastTop = 0;
    // A telephone that is turned, and a window that is drawn smaller, still show the end.
    this.resized = new ResizeObserver(() => this.isPaused || this.#toEnd());
    this.resized.observe(this.element);
  }

  /** Names the sources, in the order in which they get their colours; one source gets none. */
  setSources(names) {
    this.hues = new Map(names.map((name, index) => [name, index % HUES]));
    this.showsSources = names.length > 1;
    this.element.classList.toggle("log-several", this.showsSources);
  }

  /** Takes lines of a source. */
  add(source, texts) {
    if (!texts.length) return;
    if (this.isPaused) {
      this.waiting.add(source, texts);
      this.#tell();
      return;
    }
    this.undrawn.push(...this.shownLines.add(source, texts));
    this.frame ||= requestAnimationFrame(() => this.#draw());
  }

  pause() {
    if (this.isPaused) return;
    this.#draw();
    this.isPaused = true;
    this.#tell();
  }

  /** Shows what came meanwhile, and goes to the end. */
  resume() {
    if (!this.isPaused) return;
    this.isPaused = false;
    for (const { source, text } of this.waiting.lines) {
      this.undrawn.push(...this.shownLines.add(source, [text]));
    }
    this.shownLines.dropped += this.waiting.dropped;
    this.waiting.clear();
    this.#draw();
    this.#toEnd();
  }

  /** Looks for something; returns the fault of the pattern, '' if there is none. */
  find(query, onlyMatching) {
    const wanted = queryOf(query);
    if (wanted.fault) return wanted.fault;
    this.search?.close();
    this.search = null;
    this.onlyMatching = onlyMatching;
    this.regexp = query && !wanted.isPattern ? new RegExp(wanted.source, wanted.flags) : null;
    if (wanted.isPattern) this.#searchFor(wanted);
    else this.#redraw();
    return "";
  }

  #searchFor(pattern) {
    this.#flush();
    let isFirst = true;
    this.search = new PatternSearch(pattern, {
      found: (lines, matches) => {
        // What stood there stays until there is something in its place.
        if (isFirst) this.list.replaceChildren();
        isFirst = false;
        this.#append(lines, matches);
      },
      failed: (words) => {
        this.search = null;
        this.#redraw();
        this.faulted(words);
      },
    });
    this.search.add(this.shownLines.lines);
  }

  setWrap(wraps) {
    this.element.classList.toggle("log-wraps", wraps);
    if (!this.isPaused) this.#toEnd();
  }

  clear() {
    this.shownLines.clear();
    this.waiting.clear();
    this.undrawn = [];
    this.list.replaceChildren();
    this.#tell();
  }

  /** All lines that are kept, as a file has them. */
  text() {
    const lines = [...this.shownLines.lines, ...this.waiting.lines];
    return lines
      .map((line) => (this.showsSources ? `${line.source}: ${line.text}` : line.text))
      .join("\n");
  }

  close() {
    this.#flush();
    this.search?.close();
    this.resized.disconnect();
  }

  /** Takes what has not been drawn yet. */
  #flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    return this.undrawn.splice(0).slice(-LINES_MAX);
  }

  #draw() {
    const lines = this.#flush();
    if (this.search) this.search.add(lines);
    else this.#append(lines, this.#matches(lines));
  }

  #redraw() {
    this.#flush();
    this.list.replaceChildren();
    this.#append(this.shownLines.lines, this.#matches(this.shownLines.lines));
    if (!this.isPaused) this.#toEnd();
  }

  /** What stands in each line of the text that is looked for; of nothing that is looked for, nothing. */
  #matches(lines) {
    return lines.map((line) => (this.regexp ? matchesOf(this.regexp, line.text) : []));
  }

  /** Appends lines; matches says of each what to mark, null where it does not match. */
  #append(lines, matches) {
    const rows = [];
    lines.forEach((line, index) => {
      if (matches[index] || !this.onlyMatching) rows.push(this.#row(line, matches[index] ?? []));
    });
    this.list.append(...rows);
    this.#trim();
    if (!this.isPaused && rows.length) this.#toEnd();
    this.#tell();
  }

  #trim() {
    const oldest = this.shownLines.lines[0]?.number ?? Infinity;
    while (this.list.firstChild && Number(this.list.firstChild.dataset.number) < oldest) {
      this.list.firstChild.remove();
    }
  }

  #row(line, ranges) {
    const source = this.showsSources
      ? h("span", { class: `log-source hue-${this.hues.get(line.source) ?? 0}` }, line.source)
      : null;
    const row = h("li", { class: line.level ? `log-line log-${line.level}` : "log-line" },
      source, marked(line.text, ranges));
    row.dataset.number = line.number;
    return row;
  }

  #toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
    this.lastTop = this.element.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const wentBack = scrollTop < this.lastTop - 1;
    this.lastTop = scrollTop;
    if (wentBack && scrollHeight - scrollTop - clientHeight > NEAR_END_PX) this.pause();
  }

  #tell() {
    this.told({
      paused: this.isPaused,
      waiting: this.waiting.lines.length + this.waiting.dropped,
      shown: this.list.childElementCount,
      kept: this.shownLines.lines.length,
      dropped: this.shownLines.dropped + this.waiting.dropped,
    });
  }
}

function marked(text, ranges) {
  const parts = [];
  let at = 0;
  for (const [from, to] of ranges) {
    parts.push(text.slice(at, from), h("mark", {}, text.slice(from, to)));
    at = to;
  }
  parts.push(text.slice(at) || (parts.length ? "" : " "));
  return parts;
}
