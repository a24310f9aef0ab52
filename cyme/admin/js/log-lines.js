/* Lines of a worker's log: cut from a stream, known by their level, kept up to a bound. */

const LEVEL = /\b(CRITICAL|FATAL|ERROR|WARNING|WARN|INFO|DEBUG)\b/;
const LEVELS = { CRITICAL: "error", FATAL: "error", ERROR: "error", WARNING: "warning",
  WARN: "warning", INFO: "info", DEBUG: "debug" };
const BEGINNING = /^\[?\d{4}-\d{2}-\d{2}[T ]/;
const LEVEL_CHARS = 64;
const LINE_CHARS_MAX = 10_000;
/** Colours of terminals (ECMA-48, SGR), as branches show them: with the escape written out. */
const COLOURS = /\\x1b\[[\d;:]*m/g;

/** The level of a line, '' if it has none of its own (the rest of a traceback, say). */
export function levelOf(line) {
  const found = LEVEL.exec(line.slice(0, LEVEL_CHARS));
  return found && (BEGINNING.test(line) || found.index < 2) ? LEVELS[found[1]] : "";
}

/**
 * Cuts chunks of text into lines; what has no end yet is kept for the next chunk.
 */
export class LineCutter {
  constructor() {
    this.rest = "";
  }

  /** The whole lines that a chunk ends. */
  take(chunk) {
    const parts = (this.rest + chunk).split("\n");
    this.rest = parts.pop();
    if (this.rest.length > LINE_CHARS_MAX) {
      parts.push(this.rest);
      this.rest = "";
    }
    return parts.map((line) => cleaned(line));
  }

  /** What is left when the stream has ended. */
  end() {
    const rest = this.rest;
    this.rest = "";
    return rest ? [cleaned(rest)] : [];
  }
}

/** A line as people read it: without the colours, which are for terminals. */
function cleaned(line) {
  return line.slice(0, LINE_CHARS_MAX).replace(/\r$/, "").replace(COLOURS, "");
}

const MOMENT = /^\[?(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?)/;

/**
 * Lines of several logs in the order in which they were written.
 *
 * A line without a moment belongs to the one before it.
 * Args: logs, a Map of lines by source. Returns: `[{ source, texts }]`, neighbours taken together.
 */
export function mergedLogs(logs) {
  const dated = [];
  for (const [source, texts] of logs) {
    let at = momentOf(texts.find((text) => MOMENT.test(text)) ?? "");
    for (const text of texts) {
      at = momentOf(text) || at;
      dated.push({ at, source, text });
    }
  }
  dated.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  const runs = [];
  for (const { source, text } of dated) {
    if (runs.at(-1)?.source === source) runs.at(-1).texts.push(text);
    else runs.push({ source, texts: [text] });
  }
  return runs;
}

function momentOf(line) {
  return MOMENT.exec(line)?.[1].replace("T", " ").replace(".", ",") ?? "";
}

/**
 * The last lines of several logs, at most `most` of them, each with a number that only grows.
 */
export class LogBuffer {
  constructor(most) {
    this.most = most;
    this.lines = [];
    this.next = 0;
    this.dropped = 0;
    this.levels = new Map();
  }

  /** Adds lines of a source; returns them as they are kept. */
  add(source, texts) {
    const added = texts.map((text) => {
      const level = levelOf(text) || (BEGINNING.test(text) ? "info" : this.levels.get(source) ?? "");
      this.levels.set(source, level);
      return { number: this.next++, source, text, level };
    });
    this.lines.push(...added);
    const surplus = this.lines.length - this.most;
    if (surplus > 0) {
      this.lines.splice(0, surplus);
      this.dropped += surplus;
    }
    return added;
  }

  clear() {
    this.lines = [];
    this.dropped = 0;
  }
}
