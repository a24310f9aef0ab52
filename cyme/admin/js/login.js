/* The login: a token in exchange for a session.

   loginView(root, { done, back, canGoBack }) */

import { fill, h, icon } from "./dom.js";
import { button } from "./parts.js";
import { session } from "./session.js";
import { themeSwitch } from "./appearance.js";

export function mark() {
  return h("img", { src: "/admin/static/icon.svg", alt: "", width: 32, height: 32, class: "mark" });
}

export function loginView(root, { done, back, canGoBack }) {
  const fault = h("p", { class: "field-fault", id: "token-fault", role: "alert" });
  const input = h("input", {
    type: "password", class: "input", id: "token", name: "token", required: true,
    autocomplete: "current-password", spellcheck: "false",
    aria: { describedby: "token-hint token-fault" },
  });
  // Browsers offer to keep a password only beside a name.
  const name = h("input", { type: "text", name: "username", value: "cyme", autocomplete: "username", class: "hidden", tabindex: "-1", aria: { hidden: "true" }, readonly: true });
  const submit = button("Log in", { kind: "primary", type: "submit" });
  const say = (trouble) => {
    fault.textContent = trouble;
    input.toggleAttribute("aria-invalid", Boolean(trouble));
    if (trouble) input.focus();
  };
  const form = h(
    "form",
    { class: "form", novalidate: true },
    name,
    h("div", { class: "field" }, h("label", { for: "token", class: "field-label" }, "Token"), input, h("p", { class: "field-hint", id: "token-hint" }, "It begins with cyme_ and was shown once, when it was made."), fault),
    submit,
    canGoBack && button("Back", { kind: "quiet", run: back }),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (!token) return say("Paste a token first.");
    say("");
    submit.setAttribute("aria-busy", "true");
    try {
      await session.begin(token);
      await done();
    } catch (error) {
      say(error.detail ?? error.message);
    } finally {
      submit.removeAttribute("aria-busy");
    }
    return undefined;
  });
  fill(
    root,
    h(
      "main",
      { class: "login" },
      h(
        "div",
        { class: "login-card" },
        h("div", { class: "login-head" }, mark(), h("h1", {}, "Log in to Cyme")),
        form,
        h(
          "details",
          { class: "login-help" },
          h("summary", {}, icon("about"), "Where do I get a token?"),
          h("p", {}, "The first start of a branch wrote an administrator's token into ", h("code", {}, "admin.token"), " in the branch's directory."),
          h("p", {}, "Whoever looks after the branch makes others:"),
          h("pre", {}, h("code", {}, "cyme-branch token create NAME --role operator")),
          h("p", {}, "Roles: viewer looks, operator changes, admin also chooses what code runs and makes tokens."),
        ),
      ),
      themeSwitch(),
    ),
  );
  input.focus();
}
