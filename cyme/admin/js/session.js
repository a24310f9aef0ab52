/* Who uses this page.

   session.name, .role, .open, .branch, .cluster, .version
   session.may("operator")      whether the role suffices; roles: viewer, operator, admin
   session.isLoggedIn           false for the local operator of a branch that asks for no token
   await session.load()         asks the branch; throws a Problem (401: a login is needed)
   await session.begin(token)   logs in      await session.end()   logs out
   session.onChanged = () => {}   called when another tab of this browser logged in or out: the
                                tabs share their cookie, so this one is somebody else now */

import { api } from "./api.js";

const tabs = new BroadcastChannel("cyme-session");

const ROLES = ["viewer", "operator", "admin"];

class Session {
  name = "";
  role = "viewer";
  open = false;
  branch = "";
  cluster = "";
  version = "";
  isLoggedIn = false;
  onChanged = () => {};

  may(role) {
    return ROLES.indexOf(this.role) >= ROLES.indexOf(role);
  }

  async load() {
    this.#take(await api.get("/admin/session/"));
  }

  async begin(token) {
    this.#take(await api.post("/admin/session/", { body: { token } }));
    tabs.postMessage("begun");
  }

  async end() {
    await api.delete("/admin/session/");
    tabs.postMessage("ended");
    api.csrf = "";
    this.isLoggedIn = false;
  }

  #take(told) {
    api.csrf = told.csrf;
    Object.assign(this, {
      name: told.name, role: told.role, open: told.open, branch: told.branch,
      cluster: told.cluster, version: told.version, isLoggedIn: Boolean(told.csrf),
    });
  }
}

export const session = new Session();

tabs.onmessage = () => session.onChanged();
