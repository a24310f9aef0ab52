/* Starts the page: who is there, the shell, then the screen of the address. */

import { api } from "./api.js";
import { h, fill } from "./dom.js";
import { startKeys } from "./keys.js";
import { live } from "./live.js";
import { loginView } from "./login.js";
import { button, failed } from "./parts.js";
import { current } from "./router.js";
import { screenNamed } from "./screens.js";
import { session } from "./session.js";
import { Shell } from "./shell.js";
import { clearToasts, toast, toastRegions } from "./toast.js";

const app = document.getElementById("app");
let shell = null;
let isAsking = false;

async function start() {
  // What the screen is made of comes while the branch is asked who is there.
  screenNamed(current().screen)?.load().catch(() => {});
  document.body.append(toastRegions());
  startKeys();
  api.onLoggedOut = () => void loggedOut();
  session.onChanged = () => location.reload();
  addEventListener("unhandledrejection", (event) => {
    if (event.reason?.name === "AbortError" || event.reason?.status === 401) event.preventDefault();
  });
  await enter();
}

async function enter() {
  try {
    await session.load();
  } catch (error) {
    if (error.status === 401) askForToken();
    else fill(app, h("main", { class: "alone" }, h("h1", {}, "Cyme"), failed(error, () => void enter())));
    return;
  }
  shell = new Shell(app, { onLogIn: askForToken, onLogOut: () => void logOut() });
  live.start();
  shell.start();
}

function askForToken({ canGoBack = false } = {}) {
  leave();
  document.title = "Log in · Cyme";
  loginView(app, {
    canGoBack,
    done: async () => {
      // Everything that the page knows was told to somebody else.
      location.reload();
    },
    back: () => void enter(),
  });
}

async function loggedOut() {
  if (isAsking || !shell) return;
  isAsking = true;
  try {
    askForToken();
    toast("Your session has ended", { kind: "warn", detail: "It was idle for too long, or its token was revoked. Log in again; you come back to where you were." });
  } finally {
    isAsking = false;
  }
}

async function logOut() {
  await session.end();
  leave();
  location.reload();
}

function leave() {
  live.stop();
  shell?.stop();
  shell = null;
  clearToasts();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

start().catch((error) => {
  console.error("The page could not start", error);
  fill(app, h("main", { class: "alone" }, h("h1", {}, "Cyme"), h("p", {}, "The page could not start."), button("Load it again", { kind: "primary", run: () => location.reload() })));
});
