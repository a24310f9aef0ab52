/* Tasks: queue one, look one up, see the recent ones; one of them at /admin/tasks/<app>/<uuid>/. */

import { mountDetail } from "./tasks/detail.js";
import { mountList } from "./tasks/list.js";

export const title = "Tasks";

export function mount(root, context) {
  return context.params.length > 1 ? mountDetail(root, context) : mountList(root, context);
}
