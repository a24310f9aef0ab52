/* What the palette can always find: screens, things that live, and what the shell does.

   addEverything({ session, deeds, help })  -> a function that removes it all again */

import { nextTheme } from "./appearance.js";
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

function rows(store, group, symbol, of) {
  return live[store].all().map((row) => {
    const [title, address, hint] = of(row);
    return { title, group, hint, icon: symbol, href: address };
  });
}
