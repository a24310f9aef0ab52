/* Light, dark, or as the system has it.

   themeSwitch()    the control
   nextTheme()      takes the next one; returns its name */

import { h, icon } from "./dom.js";

const KEY = "cyme-theme";
const CHOICES = [
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
  ["system", "As the system has it", "system"],
];

function chosen() {
  return document.documentElement.dataset.theme ?? "system";
}

function choose(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // It holds until the page is loaded again.
  }
  for (const button of document.querySelectorAll(".theme-choice")) {
    button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
  }
}

export function nextTheme() {
  const place = CHOICES.findIndex(([theme]) => theme === chosen());
  const [theme, label] = CHOICES[(place + 1) % CHOICES.length];
  choose(theme);
  return label;
}

export function themeSwitch() {
  return h(
    "div",
    { class: "theme-switch", role: "group", aria: { label: "Colours" } },
    CHOICES.map(([theme, label, symbol]) =>
      h("button", { type: "button", class: "theme-choice", title: label, dataset: { theme }, aria: { label, pressed: String(theme === chosen()) }, onclick: () => choose(theme) }, icon(symbol)),
    ),
  );
}
