/* What the palette can always find: screens, things that live, what can be made and done to
   instances by whoever may, and what the shell does.

   addEverything({ session, deeds, help })  -> a function that removes it all again */

import { api } from "./api.js";
import { nextTheme } from "./appearance.js";
import { confirm } from "./dialog.js";
import { DEEDS } from "./instance-deeds.js";
import { shown } from "./keys.js";
import { live } from "./live.js";
import { addCommands } from "./palette.js";
import { href } from "./router.js";
import { SCREENS } from "./screens.js";

export function addEverything({ session, deeds, help }) {
  const removers = [
    addCommands("screens", () =>
      SCREENS.map((screen) => ({
        title: screen.label, group: "Screens", icon: screen.icon, hint: shown(`g ${screen.key}`),
        href: href(screen.name === "overview" ? "" : screen.name), rank: -1,
      })),
    ),
    addCommands("apps", () => rows("apps", "Apps", "apps", (row) => [row.name, href("apps", row.name), ""])),
    addCommands("instances", () => rows("instances", "Instances", "instances", (row) => [row.name, href("instances", row.name), `${row.app} · ${row.branch} · ${row.state}`])),
    addCommands("queues", () => rows("queues", "Queues", "queues", (row) => [row.name, href("queues", row.app, row.name), row.app])),
    addCommands("branches", () => rows("branches", "Branches", "branches", (row) => [row.id, href("branches", row.id), row.state])),
    addCommands("logs", () => live.instances.all().map((row) => ({
      title: `Log of ${row.name}`, group: "Logs", icon: "logs", hint: row.app, keywords: "read follow", href: href("logs", { instance: row.name }), rank: 1,
    }))),
    addCommands("making", () => (session.may("operator") ? MAKING : [])),
    addCommands("deeds", () => (session.may("operator") ? instanceDeeds(session) : [])),
    addCommands("shell", () => [
      { title: "Switch between light and dark", group: "This page", icon: "moon", keywords: "theme colours", run: () => nextTheme(), rank: 1 },
      { title: "Show the keys", group: "This page", icon: "keyboard", keywords: "shortcuts help", run: help, rank: 1 },
      session.isLoggedIn
        ? { title: "Log out", group: "This page", icon: "out", run: () => deeds.onLogOut(), rank: 1 }
        : { title: "Log in with a token", group: "This page", icon: "tokens", run: () => deeds.onLogIn({ canGoBack: true }), rank: 1 },
    ]),
  ];
  return () => removers.forEach((remove) => remove());
}

const MAKING = [
  { title: "Create an app", group: "Make", icon: "plus", keywords: "new add", href: href("apps", { create: 1 }), rank: 1 },
  { title: "Create an instance", group: "Make", icon: "plus", keywords: "new add worker", href: href("instances", { create: 1 }), rank: 1 },
  { title: "Declare a queue", group: "Make", icon: "plus", keywords: "new add create", href: href("queues", { create: 1 }), rank: 1 },
];

/** A few letters and Enter must end no worker by mistake. */
const ASKED = {
  restart: "Its worker finishes what it does, ends, and is started again.",
  stop: "Its worker finishes what it does and ends. It stays stopped until it is started again.",
};

/** What makes sense for each instance as it is. */
function instanceDeeds(session) {
  return live.instances.all().flatMap((row) =>
    ["restart", "stop", "start", "move"].filter((name) => !DEEDS[name].refusal(row)).map((name) => ({
      title: `${DEEDS[name].title} ${row.name}`, group: "Do", icon: DEEDS[name].icon, hint: `${row.app} · ${row.state}`, rank: 1,
      run: () => perform(name, row, session),
    })),
  );
}

async function perform(name, row, session) {
  const { title } = DEEDS[name];
  const isSure = !ASKED[name] || (await confirm({ title: `${title} ${row.name}?`, body: ASKED[name], action: title, danger: name === "stop" }));
  if (!isSure) return;
  const { doTo } = await import("./deed-dialogs.js");
  await doTo({ api, live, session }, name, [live.instances.get(row.name) ?? row]);
}

function rows(store, group, symbol, of) {
  return live[store].all().map((row) => {
    const [title, address, hint] = of(row);
    return { title, group, hint, icon: symbol, href: address };
  });
}
