/* What stands where no screen is. */

import { h } from "../dom.js";
import { button, empty, link, screenHead } from "../parts.js";
import { openPalette } from "../palette.js";
import { href } from "../router.js";
import { SCREENS } from "../screens.js";

export const title = "Not found";

export function mount(root) {
  root.append(
    screenHead({ title: "There is no such screen" }),
    empty({
      icon: "search",
      title: location.pathname,
      body: h("p", {}, "The address leads nowhere. Perhaps it was mistyped, or what it names has another name by now. ", SCREENS.slice(0, 4).map((screen, index) => [index > 0 && ", ", link(screen.label, href(screen.name === "overview" ? "" : screen.name))]), " are there."),
      actions: [button("Find anything", { icon: "search", kind: "primary", run: () => openPalette() })],
    }),
  );
}
