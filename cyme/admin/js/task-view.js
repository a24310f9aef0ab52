/* What became of a task, as people read it. */

import { h } from "./dom.js";
import { badge, code } from "./parts.js";

const TEXT_CHARS_MAX = 200_000;

/** The states of Celery and of its events, as one word and its tone. */
const STATES = {
  PENDING: ["waiting", "idle"],
  SENT: ["sent", "info"],
  RECEIVED: ["received", "info"],
  STARTED: ["running", "info"],
  SUCCESS: ["done", "ok"],
  SUCCEEDED: ["done", "ok"],
  FAILURE: ["failed", "bad"],
  FAILED: ["failed", "bad"],
  RETRY: ["retrying", "warn"],
  RETRIED: ["retrying", "warn"],
  REVOKED: ["revoked", "warn"],
  REJECTED: ["rejected", "bad"],
};

/** The state of a task as a badge. */
export function taskBadge(state) {
  const [word, tone] = STATES[String(state).toUpperCase()] ?? [String(state).toLowerCase(), "idle"];
  return badge(word, tone, String(state));
}

/** Whether nothing more will become of it. */
export function isFinal(state) {
  return ["SUCCESS", "SUCCEEDED", "FAILURE", "FAILED", "REVOKED", "REJECTED"].includes(
    String(state).toUpperCase(),
  );
}

/** A result: of a queued URL the response that the worker got, of any other task its value. */
export function resultView({ state, result, traceback }) {
  if (state === "FAILURE" || traceback) return failureView(result, traceback);
  if (isResponse(result)) return responseView(result);
  return h("div", { class: "task-result" }, codeBlock("Value", pretty(result)));
}

function isResponse(result) {
  return result !== null && typeof result === "object" && "status_code" in result;
}

function failureView(result, traceback) {
  const told = exceptionTold(result);
  return h("div", { class: "task-result" },
    h("p", { class: "problem-text" }, told || "It failed and did not say why."),
    traceback ? codeBlock("Traceback", traceback) : null);
}

function exceptionTold(result) {
  if (typeof result === "string") return result;
  return result?.exc_type ? `${result.exc_type}: ${result.exc_message ?? ""}` : pretty(result);
}

function responseView(response) {
  const isGood = response.status_code < 400;
  const headers = Object.entries(response.headers ?? {});
  return h("div", { class: "task-result" },
    h("p", { class: "task-answer" },
      badge(`HTTP ${response.status_code}`, isGood ? "ok" : "bad"), " ",
      h("span", { class: "mono wrap-anywhere" }, response.url ?? "")),
    headers.length ? headerTable(headers) : null,
    contentView(response));
}

function headerTable(headers) {
  return h("details", {},
    h("summary", {}, `${headers.length} headers`),
    h("table", { class: "header-table" },
      h("tbody", {}, headers.map(([name, value]) => h("tr", {},
        h("th", { scope: "row", class: "mono" }, name),
        h("td", { class: "mono wrap-anywhere" }, String(value)))))));
}

function contentView({ content, encoding, headers }) {
  if (encoding === "base64") {
    const bytes = Math.floor((String(content).length * 3) / 4);
    return codeBlock(`Content, ${bytes} bytes that are no text, in base64`, String(content));
  }
  if (!content) return h("p", { class: "quiet-note" }, "The answer has no content.");
  return codeBlock("Content", prettyText(String(content), headers));
}

function prettyText(text, headers = {}) {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  if (!/json/.test(String(type ?? "")) && !/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function pretty(value) {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}

function codeBlock(title, text) {
  const shown = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}\n…` : text;
  return h("figure", { class: "code-block" },
    h("figcaption", {}, title),
    code(shown, { copy: true }));
}
