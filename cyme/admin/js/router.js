/* Addresses of screens: /admin/ is the overview, /admin/<screen>/<params...>?query the others.

   go("instances/w1", { replace })      go(href("events", { app: "foo" }))
   href("instances", "w1")              "/admin/instances/w1"; an object at the end is the query
   setQuery({ state: "running", q: "" })   changes the query of this screen without mounting it
                                           again; empty values leave it. { push: true } for history
   current()                            { screen, params, query }

   A screen is a module of screens/: { title, mount(root, context) } where mount returns what takes
   it down, or a promise of that. context: { params, query, api, live, go, href, setQuery, session,
   setTitle, logIn, signal }. params: the segments after the screen's name, decoded; query:
   URLSearchParams as they were when it was mounted; signal: aborted when the screen goes. */

const ROOT = "/admin/";

let onRoute = () => {};

export function href(screen = "", ...parts) {
  const query = typeof parts.at(-1) === "object" && parts.at(-1) !== null ? parts.pop() : {};
  const path = [screen, ...parts].filter((each) => each !== "").map(encodeURIComponent).join("/");
  return `${ROOT}${path}${textOf(query)}`;
}

export function current() {
  const segments = location.pathname.slice(ROOT.length).split("/").filter(Boolean).map(decoded);
  return {
    screen: segments[0] ?? "overview",
    params: segments.slice(1),
    query: new URLSearchParams(location.search),
  };
}

export function go(target, { replace = false } = {}) {
  const path = target.startsWith("/") ? target : ROOT + target;
  if (path === location.pathname + location.search) replace = true;
  history[replace ? "replaceState" : "pushState"](null, "", path);
  onRoute({ isBack: false });
}

export function setQuery(changes, { push = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "" || value === false) query.delete(name);
    else query.set(name, value === true ? "1" : String(value));
  }
  const text = query.toString();
  const path = location.pathname + (text ? `?${text}` : "");
  if (path !== location.pathname + location.search) {
    history[push ? "pushState" : "replaceState"](null, "", path);
  }
}

/** Begins to listen; route is called with every change of the address. */
export function startRouting(route) {
  onRoute = route;
  addEventListener("popstate", () => route({ isBack: true }));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(ROOT) || link.pathname.startsWith(`${ROOT}static/`)) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

function textOf(query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
