/* Apps: the list at /admin/apps/, one of them at /admin/apps/<name>/. */

import { mountDetail } from "./apps/detail.js";
import { mountList } from "./apps/list.js";

export const title = "Apps";

export function mount(root, context) {
  return context.params.length ? mountDetail(root, context) : mountList(root, context);
}
