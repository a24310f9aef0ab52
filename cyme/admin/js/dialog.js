/* Dialogs, all of them native <dialog> elements: focus stays inside and comes back by itself.

   const { close, node, done } = openDialog({ title, body, actions, size, onClose })
       body: a node or a list of them; size: "small" | "medium" | "large";
       actions: [{ label, kind: "primary" | "danger" | "plain", run(close), disabled, id }];
       run may be async: the button is busy meanwhile, a Problem is shown in the dialog, and the
       dialog closes unless run returns false; an action without run only closes. Enter in a
       field of one line is as a press of the action that is primary or danger.
       done: a promise of what close(value) was given, undefined for Escape.

   await confirm({ title, body, action: "Delete", danger: true, typed: "w1" })  -> true or false
       typed: what must be typed first, for what cannot be undone.

   await ask({ title, lead, fields, submit: "Create", run })  -> what run returned, or undefined
       fields: [{ name, label, type, value, hint, required, options, placeholder, pattern, rows,
                  attributes }]
           type: "text" (default) | "number" | "password" | "url" | "select" | "checkbox" | "textarea"
           options: [{ value, label }] or texts
       run(values): may be async; a Problem's errors are shown at their fields, and focused. */

import { fill, h, icon, uniqueId } from "./dom.js";
import { toast } from "./toast.js";

export function openDialog({ title, body, actions = [], size = "medium", onClose, busy = true }) {
  let result;
  let settle;
  const done = new Promise((resolve) => {
    settle = resolve;
  });
  const heading = uniqueId("dialog");
  const close = (value) => {
    result = value;
    node.close();
  };
  const trouble = h("div", { class: "problem-place", role: "alert" });
  const foot = h("div", { class: "dialog-foot" });
  let isBusy = false;
  const perform = async (action, button) => {
    if (isBusy) return undefined;
    if (!action.run) return close(action.value);
    fill(trouble);
    isBusy = busy;
    if (busy) setBusy(foot, button, true);
    try {
      const answer = await action.run(close);
      if (answer !== false && node.open) close(answer);
    } catch (error) {
      if (!node.open) toast.problem(error);
      else if (error.name !== "AbortError") fill(trouble, problemBox(error));
      action.onProblem?.(error);
    } finally {
      isBusy = false;
      if (busy) setBusy(foot, button, false);
    }
    return undefined;
  };
  const buttons = actions.map((action) => {
    const button = h(
      "button",
      {
        class: `button ${action.kind ?? "plain"}`,
        type: "button",
        disabled: action.disabled,
        id: action.id,
        onclick: () => void perform(action, button),
      },
      h("span", { class: "button-label" }, action.label),
    );
    return button;
  });
  fill(foot, buttons);
  const node = h(
    "dialog",
    { class: `dialog ${size}`, aria: { labelledby: heading } },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: heading }, title),
      h("button", { class: "icon-button", type: "button", aria: { label: "Close" }, onclick: () => close() }, icon("close")),
    ),
    h("div", { class: "dialog-body" }, body, trouble),
    buttons.length > 0 && foot,
  );
  node.addEventListener("close", () => {
    node.remove();
    onClose?.(result);
    settle(result);
  });
  // A press that began and ended on the backdrop closes; one that only ended there selected text.
  let began = null;
  node.addEventListener("pointerdown", (event) => {
    began = event.target;
  });
  node.addEventListener("click", (event) => {
    if (event.target === node && began === node) close();
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.defaultPrevented) return;
    if (!event.target.matches(".dialog-body input")) return;
    event.preventDefault();
    foot.querySelector(".button:is(.primary, .danger)")?.click();
  });
  document.body.append(node);
  node.showModal();
  (node.querySelector("[autofocus]") ?? node.querySelector(".dialog-body :is(input, select, textarea)"))?.focus();
  return { close, node, done, trouble };
}

export async function confirm({ title, body, action = "Continue", danger = false, typed = "" }) {
  const input = h("input", { type: "text", class: "input", autocomplete: "off", spellcheck: "false", id: uniqueId("typed") });
  const say = typeof body === "string" ? h("p", {}, body) : body;
  const parts = typed
    ? [say, h("label", { for: input.id, class: "field-label" }, "Type ", h("code", {}, typed), " to confirm"), input]
    : [say];
  const opened = openDialog({
    title,
    body: parts,
    size: "small",
    actions: [
      { label: "Cancel", value: false },
      { label: action, kind: danger ? "danger" : "primary", run: () => true, disabled: Boolean(typed) },
    ],
  });
  const button = opened.node.querySelector(".dialog-foot .button:last-child");
  input.addEventListener("input", () => {
    button.disabled = input.value.trim() !== typed;
  });
  if (!typed) button.focus();
  return (await opened.done) === true;
}

export async function ask({ title, lead, fields, submit = "Save", run, size = "medium", danger = false }) {
  const made = fields.map(field);
  const form = h("div", { class: "form" }, lead && h("p", { class: "lead" }, lead), made.map((each) => each.node));
  const save = {
    label: submit,
    kind: danger ? "danger" : "primary",
    run: async () => {
      for (const each of made) each.say("");
      const wrong = made.find((each) => !each.input.checkValidity());
      if (wrong) {
        wrong.say(wrong.input.validationMessage);
        wrong.input.focus();
        return false;
      }
      const answer = await run(Object.fromEntries(made.map((each) => [each.name, each.value()])));
      return answer === undefined ? true : answer;
    },
    onProblem: (error) => {
      let first = null;
      for (const fault of error.errors ?? []) {
        const place = made.find((each) => each.name === fault.parameter);
        place?.say(fault.detail);
        first ??= place;
      }
      first?.input.focus();
    },
  };
  return openDialog({ title, body: form, size, actions: [{ label: "Cancel" }, save] }).done;
}

/** Returns a field of a form: { name, node, input, value(), say(trouble) }. */
export function field(spec) {
  const { name, label, type = "text", value = "", hint = "", required = false, options = [], attributes = {} } = spec;
  const id = uniqueId(name);
  const given = { id, name, required, placeholder: spec.placeholder, pattern: spec.pattern, ...attributes };
  const hintNode = h("p", { class: "field-hint", id: `${id}-hint` }, hint);
  const faultNode = h("p", { class: "field-fault", id: `${id}-fault`, role: "alert" });
  const input = inputOf(type, given, value, options, spec.rows);
  input.setAttribute("aria-describedby", `${id}-hint ${id}-fault`);
  const labelNode = h("label", { for: id, class: "field-label" }, label, required && h("span", { class: "required", aria: { hidden: "true" } }, " *"));
  const node =
    type === "checkbox"
      ? h("div", { class: "field check" }, input, labelNode, hint && hintNode, faultNode)
      : h("div", { class: "field" }, labelNode, input, hint && hintNode, faultNode);
  return {
    name,
    node,
    input,
    value: () => {
      if (type === "checkbox") return input.checked;
      if (type === "number") return input.value === "" ? null : Number(input.value);
      return input.value;
    },
    say: (trouble) => {
      faultNode.textContent = trouble;
      if (trouble) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
  };
}

function inputOf(type, given, value, options, rows) {
  if (type === "textarea") return h("textarea", { class: "input", rows: rows ?? 4, spellcheck: "false", ...given, value });
  if (type === "checkbox") return h("input", { type, ...given, checked: Boolean(value) });
  if (type === "select") {
    const select = h(
      "select",
      { class: "input", ...given },
      options.map((each) => {
        const option = typeof each === "string" ? { value: each, label: each } : each;
        return h("option", { value: option.value }, option.label);
      }),
    );
    if (value !== "") select.value = value;
    return select;
  }
  return h("input", { type, class: "input", autocomplete: "off", spellcheck: "false", ...given, value: value ?? "" });
}

/** Returns a box that tells of a problem of the API. */
export function problemBox(error) {
  const errors = error.errors ?? [];
  return h(
    "div",
    { class: "notice", dataset: { kind: "error" } },
    icon("alert"),
    h(
      "div",
      {},
      h("strong", {}, error.title || "That did not work"),
      errors.length
        ? h("ul", {}, errors.map((each) => h("li", {}, h("code", {}, each.parameter), ` ${each.detail}`)))
        : h("p", {}, error.detail || error.message),
    ),
  );
}

function setBusy(foot, button, isBusy) {
  // Nothing is disabled: the button that was pressed keeps the focus.
  for (const each of foot.querySelectorAll("button")) {
    if (isBusy) each.setAttribute("aria-disabled", "true");
    else each.removeAttribute("aria-disabled");
  }
  button.toggleAttribute("aria-busy", isBusy);
  button.classList.toggle("busy", isBusy);
}
