/* The form of how workers are run, of an app or of an instance. */

import { h } from "./dom.js";
import { GROUPS, fieldsOf, readText, shownValue, textOf } from "./worker-fields.js";

let forms = 0;

export class WorkerForm {
  /**
   * Args: noun `app` or `instance`; before what is edited, `{}` for something new; app the app of
   * an instance, where it is known; role of the session; queues names to suggest; lead elements
   * that come first in the group Work.
   */
  constructor({ noun, before, app = null, role, queues = [], lead = [] }) {
    this.noun = noun;
    this.before = before;
    this.app = app;
    this.role = role;
    this.id = `form${forms++}`;
    this.controls = new Map();
    this.faults = new Map();
    this.element = h("div", { class: "worker-form" },
      ...GROUPS.map((group) => this.#group(group, group === "Work" ? lead : [], queues)));
  }

  /** The changes that the texts ask for, null if one of them is wrong; tells what is wrong. */
  changes() {
    const changes = {};
    let firstWrong = null;
    for (const field of fieldsOf(this.noun)) {
      const control = this.controls.get(field.name);
      this.#tellFault(field.name, "");
      if (control.value === control.dataset.before) continue;
      const { value, fault } = readText(field, control.value, this.before[field.name]);
      if (fault) {
        this.#tellFault(field.name, fault);
        firstWrong ??= control;
      } else {
        changes[field.name] = value;
      }
    }
    if (firstWrong) this.#reach(firstWrong);
    return firstWrong ? null : changes;
  }

  /** Shows what the branch said is wrong, each at its place; returns what found no place. */
  showFaults(faults) {
    const homeless = [];
    let first = null;
    for (const { parameter, detail } of faults ?? []) {
      const name = BROKER_PARTS.has(parameter) ? "broker" : parameter;
      if (this.controls.has(name)) {
        this.#tellFault(name, detail);
        first ??= this.controls.get(name);
      } else {
        homeless.push(`${parameter}: ${detail}`);
      }
    }
    if (first) this.#reach(first);
    return homeless;
  }

  #reach(control) {
    const group = control.closest("details");
    if (group) group.open = true;
    control.focus();
  }

  #group(group, lead, queues) {
    const fields = fieldsOf(this.noun).filter((field) => field.group === group);
    const isLocked = group === "Code" && this.role !== "admin";
    const note = isLocked
      ? h("p", { class: "worker-form-note" },
        "What code runs is chosen with an admin token only: log in with one to change this.")
      : null;
    const rows = fields.map((field) => this.#row(field, isLocked, queues));
    const body = h("fieldset", { class: "form-grid", disabled: isLocked },
      h("legend", { class: "hidden" }, group), note, ...lead, ...rows);
    if (group === "Work") return body;
    return h("details", { open: fields.some((field) => this.#text(field)) },
      h("summary", {}, TITLES[group]), body);
  }

  #row(field, isLocked, queues) {
    const id = `${this.id}-${field.name}`;
    const text = this.#text(field);
    const control = this.#control(field, id, text, isLocked, queues);
    control.value = text;
    control.dataset.before = control.value;
    const fault = h("p", { class: "field-fault", id: `${id}-fault`, role: "alert" });
    this.controls.set(field.name, control);
    this.faults.set(field.name, fault);
    const isWide = ["env", "text", "broker", "url", "names", "path"].includes(field.kind);
    return h("div", { class: isWide ? "field field-wide" : "field" },
      h("label", { for: id, class: "field-label" }, field.label), control,
      h("p", { class: "field-hint", id: `${id}-hint` }, field.hint), fault);
  }

  /** The text of a field: what is said here; what follows from the app stays empty. */
  #text(field) {
    const { own } = this.before;
    if (own !== undefined && field.kind !== "names" && !own.includes(field.name)) return "";
    return textOf(field, this.before[field.name]);
  }

  /** What holds where nothing is said. */
  #usual(field) {
    if (this.noun === "app") return field.usual ?? "";
    const said = this.app?.[field.name] ?? this.before[field.name];
    const shown = said === null || said === undefined ? field.usual : shownValue(field, said);
    return field.kind === "names" ? "" : `as the app says${shown ? `: ${shown.split("\n")[0]}` : ""}`;
  }

  #control(field, id, text, isLocked, queues) {
    const common = {
      id, name: field.name, class: "input", "aria-describedby": `${id}-hint ${id}-fault`,
    };
    if (field.kind === "choice" || field.kind === "flag") {
      return h("select", common, ...this.#options(field));
    }
    if (field.kind === "env") {
      const area = h("textarea", {
        ...common, rows: "4", spellcheck: "false", autocomplete: "off", placeholder: this.#usual(field),
      });
      if (text) area.classList.add("is-secret");
      return area;
    }
    const control = h("input", {
      ...common, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none",
      placeholder: this.#usual(field),
    });
    if (field.kind === "number") control.inputMode = "numeric";
    if (field.kind === "names" && queues.length) {
      control.setAttribute("placeholder", queues.slice(0, 3).join(", "));
    }
    return control;
  }

  #options(field) {
    const usual = this.#usual(field);
    const unset = this.noun === "app" ? `Usual: ${usual}` : usual[0].toUpperCase() + usual.slice(1);
    const named = field.kind === "flag"
      ? [["true", "Yes"], ["false", "No"]]
      : field.choices.map((choice) => [choice, choice]);
    return [["", unset], ...named].map(([value, text]) => h("option", { value }, text));
  }

  #tellFault(name, words) {
    const fault = this.faults.get(name);
    fault.textContent = words;
    if (words) this.controls.get(name).setAttribute("aria-invalid", "true");
    else this.controls.get(name).removeAttribute("aria-invalid");
  }
}

const BROKER_PARTS = new Set(["hostname", "port", "userid", "password", "virtual_host", "vhost"]);

const TITLES = {
  Connections: "Broker and results",
  Celery: "Options and settings of Celery",
  Place: "Where it may run",
  Code: "Which code runs",
};
