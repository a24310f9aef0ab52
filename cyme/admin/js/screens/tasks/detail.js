/* One task, followed until its result is there. */

import { fill } from "../../dom.js";
import { panel, screenHead } from "../../parts.js";
import { TaskFollow } from "../../task-follow.js";

export function mountDetail(root, context) {
  const [app, uuid] = context.params;
  const { api, href } = context;
  context.setTitle?.("Task");
  const follow = new TaskFollow({ api, app, uuid });
  fill(root,
    screenHead({ title: "Task", lead: uuid, back: { href: href("tasks"), label: "Tasks" } }),
    panel({ title: "What becomes of it" }, follow.node));
  return () => follow.close();
}
