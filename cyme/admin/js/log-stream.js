/* One log, read as it is written, and read on after the connection was lost.

   const stream = new LogStream({ api, app, instance, lines, since, follow, take, told });
   stream.close();

   take(lines) gets whole lines; told(state, problem) gets "opening", "following", "ended" (all
   of it was read), "retrying" or "failed". */

import { LineCutter } from "./log-lines.js";

const RETRY_MS = [1_000, 2_000, 5_000, 10_000];
const CATCH_UP_LINES = 1_000;
const CATCH_UP_MS = 700;

export class LogStream {
  #abort = new AbortController();
  #timer = 0;
  #tries = 0;
  #last = null;
  #given;

  constructor(given) {
    this.#given = given;
    void this.#read({ lines: given.lines, since: given.since });
  }

  close() {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  async #read(from) {
    const { api, app, instance, follow, told } = this.#given;
    told(this.#tries ? "retrying" : "opening");
    try {
      const response = await api.open(api.path(app, "instances", instance, "log"), {
        query: { ...from, follow: follow ? 1 : 0 },
        headers: { Accept: "text/plain, application/problem+json" },
        signal: this.#abort.signal,
      });
      told(follow ? "following" : "reading");
      await this.#take(response.body.getReader());
      if (!follow) return told("ended");
      this.#again();
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      if (error.status >= 400 && error.status < 500) return told("failed", error);
      this.#again(error);
    }
    return undefined;
  }

  async #take(reader) {
    const decoder = new TextDecoder();
    const cutter = new LineCutter();
    const sieve = new Overlap(this.#last, (lines) => this.#pass(lines));
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      this.#tries = 0;
      sieve.add(cutter.take(decoder.decode(value, { stream: true })));
    }
    sieve.add(cutter.end());
    sieve.end();
  }

  #pass(lines) {
    if (!lines.length || this.#abort.signal.aborted) return;
    this.#last = lines.at(-1);
    this.#given.take(lines);
  }

  /** Reads on from where it was; what comes twice is left out. */
  #again(problem) {
    if (this.#abort.signal.aborted) return;
    const wait = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)];
    this.#tries += 1;
    this.#given.told("retrying", problem);
    const from = this.#last === null
      ? { lines: this.#given.lines, since: this.#given.since }
      : { lines: CATCH_UP_LINES };
    this.#timer = setTimeout(() => void this.#read(from), wait);
  }
}

/** Leaves out the lines up to one that is known, from what comes first. */
class Overlap {
  #held = [];
  #timer = 0;
  #pass;
  #known;

  constructor(known, pass) {
    this.#pass = pass;
    this.#known = known;
    if (known !== null) this.#timer = setTimeout(() => this.end(), CATCH_UP_MS);
  }

  add(lines) {
    if (this.#known === null) this.#pass(lines);
    else this.#held.push(...lines);
  }

  end() {
    if (this.#known === null) return;
    clearTimeout(this.#timer);
    const at = this.#held.lastIndexOf(this.#known);
    this.#known = null;
    this.#pass(this.#held.slice(at + 1));
    this.#held = [];
  }
}
