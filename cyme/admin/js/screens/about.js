/* What this is, which keys there are, and where else to look. */

import { h } from "../dom.js";
import { keysInUse } from "../keys.js";
import { facts, link, panel, screenHead } from "../parts.js";
import { keyCaps } from "../shell.js";

export const title = "About and keys";

export function mount(root, { session, href }) {
  const keys = keysInUse();
  const groups = [...new Set(keys.map((each) => each.group))];
  root.append(
    screenHead({ title: "About and keys", lead: "Cyme runs Celery workers: it keeps them running as you said, on every machine of the cluster." }),
    h(
      "div",
      { class: "columns" },
      panel(
        { title: "Keys" },
        h(
          "div",
          { class: "keys" },
          groups.map((group) => [h("h3", {}, group), h("dl", {}, keys.filter((each) => each.group === group).map((each) => h("div", {}, h("dt", {}, keyCaps(each.keys)), h("dd", {}, each.label))))]),
          h("h3", {}, "In a table"),
          h(
            "dl",
            {},
            [
              ["↑ ↓", "Go from row to row"],
              ["Enter", "Open the row"],
              ["Space", "Select the row"],
              ["Shift ↑ ↓", "Select several"],
              ["Ctrl A", "Select all"],
              ["Esc", "Select none"],
            ].map(([caps, label]) => h("div", {}, h("dt", {}, caps.split(" ").map((cap) => h("kbd", {}, cap))), h("dd", {}, label))),
          ),
        ),
      ),
      h(
        "div",
        { class: "stack" },
        panel(
          { title: "This page" },
          facts([
            ["Version", `Cyme ${session.version}`],
            ["Served by", link(session.branch, href("branches", session.branch))],
            ["Cluster", session.cluster],
            ["You", session.isLoggedIn ? `${session.name}, ${session.role}` : `local operator, ${session.role}`],
          ]),
          h("p", { class: "footnote" }, `This is the page of ${session.branch}. What you create is placed on it unless you choose another branch; what you see is the whole cluster's. Every branch serves the same page.`),
        ),
        panel(
          { title: "Elsewhere" },
          facts([
            ["The HTTP API", h("a", { href: "/openapi.json", target: "_blank", rel: "noopener" }, "Its description, as OpenAPI")],
            ["Metrics", h("a", { href: "/metrics", target: "_blank", rel: "noopener" }, "For Prometheus")],
            ["Dashboard", h("a", { href: "/metrics/dashboard/", target: "_blank", rel: "noopener" }, "For Grafana, as JSON")],
            ["The command line", h("code", {}, "cyme --help")],
          ]),
        ),
        panel(
          { title: "What it keeps in this browser" },
          h("p", {}, "A cookie for the session, if you logged in with a token, which ends after 8 hours without use and 7 days at most; and light or dark, if you chose. Nothing else, and nothing is loaded from elsewhere."),
        ),
      ),
    ),
  );
}
