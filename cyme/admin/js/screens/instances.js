/* Instances: the list at /admin/instances/, one of them at /admin/instances/<name>/. */

export const title = "Instances";

export async function mount(root, context) {
  if (context.params.length) return (await import("./instances/detail.js")).mountDetail(root, context);
  return (await import("./instances/list.js")).mountList(root, context);
}
