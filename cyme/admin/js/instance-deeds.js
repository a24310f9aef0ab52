/* What can be done to instances, when it makes sense, and why it does not otherwise.

   DEEDS.restart.refusal(row)        why it cannot be done to this one, "" if it can
   await DEEDS.restart.run(api, row, options)
   roleRefusal(session)              why somebody of this role can do nothing, "" if they can */

const MOVE_TIMEOUT_MS = 75_000;

/** Why a session may change nothing; empty if it may. */
export function roleRefusal(session) {
  return session.role === "viewer"
    ? "Your token may only look. Log in with an operator's token to change anything."
    : "";
}

const put = (row, body) => (api) => api.put(pathOf(api, row), { body });

function pathOf(api, row, ...more) {
  return api.path(row.app, "instances", row.name, ...more);
}

export const DEEDS = {
  start: {
    title: "Start",
    icon: "play",
    doing: "Starting",
    done: "asked to start",
    refusal: (row) => (row.is_enabled && row.state !== "disabled" ? "It is started already." : ""),
    // What the restart budget took out of service gets a new budget by a restart.
    run: (api, row) =>
      row.is_enabled ? api.post(pathOf(api, row, "restart")) : put(row, { is_enabled: true })(api),
  },
  stop: {
    title: "Stop",
    icon: "stop",
    doing: "Stopping",
    done: "asked to stop",
    refusal: (row) => (row.is_enabled ? "" : "It is stopped already."),
    run: (api, row) => put(row, { is_enabled: false })(api),
  },
  restart: {
    title: "Restart",
    icon: "restart",
    doing: "Restarting",
    done: "asked to restart",
    refusal: (row) => (row.is_enabled ? "" : "It is stopped: start it instead."),
    run: (api, row) => api.post(pathOf(api, row, "restart")),
  },
  move: {
    title: "Move",
    icon: "move",
    doing: "Moving",
    done: "moved",
    refusal: () => "",
    run: (api, row, { branch } = {}) =>
      api.post(pathOf(api, row, "move"), { query: { branch }, timeoutMs: MOVE_TIMEOUT_MS }),
  },
  remove: {
    title: "Delete",
    icon: "trash",
    doing: "Deleting",
    done: "deleted",
    refusal: () => "",
    run: (api, row) => api.delete(pathOf(api, row)),
  },
};
