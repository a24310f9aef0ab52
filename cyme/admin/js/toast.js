/* Short messages in a corner, read out by screen readers.

   toast("Instance w1 starts")
   toast("Queue purged", { detail: "12 messages are gone.", action: { label: "Undo", run } })
   toast.problem(error, "w1 was not started")     an error of the API: title, detail, stays longer

   Errors stay until they are closed, others go after a while unless they are pointed at. */

import { fill, h, icon } from "./dom.js";

const STAYS_MS = 5_000;
const TOASTS_MAX = 4;

let polite = null;
let urgent = null;

/** Makes the two regions; called once when the page starts. */
export function toastRegions() {
  polite = h("div", { class: "toasts-region", role: "status", aria: { live: "polite" } });
  urgent = h("div", { class: "toasts-region", role: "alert", aria: { live: "assertive" } });
  return h("div", { class: "toasts" }, urgent, polite);
}

export function toast(message, { kind = "ok", detail = "", action = null, timeoutMs } = {}) {
  const region = kind === "error" ? urgent : polite;
  if (!region) return () => {};
  const close = () => {
    clearTimeout(timer);
    node.remove();
  };
  const symbol = { ok: "check", error: "alert", warn: "warn", info: "about" }[kind] ?? "about";
  const node = h(
    "div",
    { class: "toast", dataset: { kind } },
    icon(symbol),
    h("div", { class: "toast-text" }, h("strong", {}, message), detail && h("p", {}, detail)),
    action &&
      h("button", { class: "button small", type: "button", onclick: () => (close(), action.run()) }, action.label),
    h("button", { class: "icon-button", type: "button", aria: { label: "Close this message" }, onclick: close }, icon("close")),
  );
  while (region.children.length >= TOASTS_MAX) region.firstElementChild.remove();
  region.append(node);
  let timer = 0;
  const wait = timeoutMs ?? (kind === "error" ? 0 : STAYS_MS);
  const arm = () => {
    if (wait) timer = setTimeout(close, wait);
  };
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("pointerleave", arm);
  arm();
  return close;
}

toast.problem = (error, title) => {
  if (error?.name === "AbortError") return () => {};
  const errors = (error?.errors ?? []).map((each) => `${each.parameter}: ${each.detail}`).join("; ");
  const detail = errors || error?.detail || error?.message || "";
  return toast(title ?? error?.title ?? "That did not work", {
    kind: "error",
    detail: detail === title ? "" : detail,
  });
};

/** Removes all messages; for whoever logs out. */
export function clearToasts() {
  for (const region of [polite, urgent]) if (region) fill(region);
}
