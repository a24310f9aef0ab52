/* Follows one task until nothing more becomes of it.

   const follow = new TaskFollow({ api, app, uuid });
   follow.node          the state, how it went, and at last the result
   follow.close() */

import { fill, h } from "./dom.js";
import { duration } from "./format.js";
import { facts, failed, link, notice, time } from "./parts.js";
import { href } from "./router.js";
import { isFinal, resultView, taskBadge } from "./task-view.js";

/** How long one request waits for the result, in seconds, and a pause after trouble. */
const WAIT_S = 8;
const PAUSE_MS = 2_000;
const LOOK_MS = 1_000;
const DEADLINE = 504;
const FORBIDDEN = 403;

export class TaskFollow {
  #abort = new AbortController();
  #timer = 0;
  #refusal = null;

  constructor({ api, app, uuid }) {
    Object.assign(this, { api, app, uuid });
    this.state = "PENDING";
    this.sighting = null;
    this.badge = h("span", { class: "task-state", role: "status" }, taskBadge("PENDING"));
    this.story = h("div", { class: "task-story" });
    this.outcome = h("div", { class: "task-outcome" });
    this.node = h("div", { class: "task-follow" }, this.badge, this.story, this.outcome);
    void this.#wait();
    void this.#look();
  }

  close() {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  async #wait() {
    while (!this.#abort.signal.aborted) {
      try {
        const result = await this.api.get(this.api.path(this.app, "query", this.uuid, "wait"), {
          query: { timeout: WAIT_S }, signal: this.#abort.signal,
        });
        this.#end(result);
        return;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (error.status === DEADLINE) this.#tell(error.rest?.state);
        else if (error.status === FORBIDDEN) {
          // How it goes may be seen all the same.
          this.#refusal = failed(error);
          fill(this.outcome, this.#refusal);
          return;
        } else if (error.status >= 400 && error.status < 500) {
          fill(this.outcome, failed(error));
          this.close();
          return;
        } else {
          fill(this.outcome, failed(error));
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
      }
    }
  }

  /** What the events tell of it, for as long as it goes on. */
  async #look() {
    if (this.#abort.signal.aborted) return;
    try {
      this.sighting = (await this.#seen(this.#abort.signal)) ?? this.sighting;
      this.#tell(this.sighting?.state);
    } catch {
      // Nobody need have seen an event of it: the result is asked for by its id.
    }
    if (!isFinal(this.state) && !this.#abort.signal.aborted) {
      this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
    }
  }

  /** The task among those that events told of lately, undefined where none did. */
  async #seen(signal) {
    const found = await this.api.get("/cluster/tasks/", { query: { q: this.uuid, limit: 1 }, signal });
    return found.find((task) => task.uuid === this.uuid);
  }

  #tell(state) {
    if (state && !isFinal(this.state)) this.state = state;
    fill(this.badge, taskBadge(this.state));
    fill(this.story, this.#facts());
    if (!isFinal(this.state)) fill(this.outcome, this.#waiting());
  }

  #waiting() {
    if (this.#refusal) return this.#refusal;
    if (this.state !== "PENDING" || this.sighting) return null;
    return notice({
      kind: "info", title: "Nothing is known of it yet",
      body: "It waits in its queue for a worker, or there never was a task of this id. This goes on looking.",
    });
  }

  #facts() {
    const seen = this.sighting;
    const rows = [["Task", h("code", { class: "wrap-anywhere" }, this.uuid)]];
    if (seen) {
      rows.push(
        seen.app ? ["App", link(seen.app, href("apps", seen.app))] : null,
        seen.name ? ["Name", h("code", { class: "wrap-anywhere" }, seen.name)] : null,
        seen.queue ? ["Queue", this.app ? link(seen.queue, href("queues", this.app, seen.queue)) : seen.queue] : null,
        seen.instance ? ["Instance", link(seen.instance, href("instances", seen.instance))] : null,
        seen.url ? ["URL", h("span", { class: "mono wrap-anywhere" }, seen.url)] : null,
        ["Heard of", time(seen.at)],
        seen.runtime_s === null || seen.runtime_s === undefined ? null : ["Took", duration(seen.runtime_s)],
        // The result tells it at length; there is none where an app keeps its results elsewhere.
        seen.exception && !this.hasResult ? ["Failed with", h("span", { class: "problem-text" }, seen.exception)] : null,
        seen.retries ? ["Tried again", `${seen.retries} times`] : null,
      );
    }
    return facts(rows);
  }

  async #end(result) {
    this.state = result.state;
    this.hasResult = true;
    try {
      this.sighting = (await this.#seen()) ?? this.sighting;
    } catch {
      // The result is there, and that is what was asked for.
    }
    this.close();
    fill(this.badge, taskBadge(result.state));
    fill(this.story, this.#facts());
    fill(this.outcome, resultView(result));
  }
}
