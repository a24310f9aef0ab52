/* Who may use a branch: its tokens, made and revoked. A token's secret is shown once. */

import { ask, confirm, openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { badge, button, code, empty, failed, notice, screenHead, select, time } from "../parts.js";
import { createTable } from "../table.js";
import { tally } from "../table-bars.js";
import { toast } from "../toast.js";

export const title = "Tokens";

const ROLES = [
  { value: "viewer", label: "viewer: looks, sees no passwords" },
  { value: "operator", label: "operator: also creates, changes, queues" },
  { value: "admin", label: "admin: also chooses code, and makes tokens" },
];
const RANK = { viewer: 1, operator: 2, admin: 3 };
const TONES = { viewer: "idle", operator: "info", admin: "warn" };

export async function mount(root, context) {
  const { live, session, signal } = context;
  if (!session.may("admin")) {
    root.append(
      screenHead({ title: "Tokens", lead: "Who may use a branch, and for what." }),
      empty({
        icon: "tokens",
        title: "Tokens are made by administrators",
        body: h("p", {}, session.isLoggedIn ? `Your token has the role ${session.role}. ` : "You are the local operator. ", "Log in with a token whose role is admin: the first start of a branch wrote one into ", h("code", {}, "admin.token"), " in its directory."),
        actions: [button("Log in with a token", { icon: "tokens", kind: "primary", run: context.logIn })],
      }),
    );
    return undefined;
  }
  await live.ready;
  if (signal.aborted) return undefined;
  const screen = new TokensScreen(root, context);
  screen.start();
  return () => screen.stop();
}

class TokensScreen {
  #context;
  #root;
  #branch;
  #problem = null;
  #turn = 0;

  constructor(root, context) {
    this.#root = root;
    this.#context = context;
    this.#branch = context.query.get("branch") || context.session.branch;
  }

  start() {
    const { live, session, query } = this.#context;
    this.many = tally("token");
    this.table = createTable({
      label: "Tokens",
      columns: [
        { id: "name", label: "Name", head: true, value: (row) => row.name, render: (row) => [h("span", { class: "strong" }, row.name), row.name === session.name && this.#branch === session.branch && session.isLoggedIn && badge("yours", "accent")] },
        { id: "role", label: "Role", value: (row) => RANK[row.role], render: (row) => badge(row.role, TONES[row.role]) },
        { id: "created_at", label: "Made", first: "down", value: (row) => row.created_at, render: (row) => time(row.created_at, "ago") },
        { id: "do", label: "", name: "Revoke", align: "end", sortable: false, value: (row) => row.name, render: (row) => button("Revoke", { kind: "quiet", small: true, icon: "trash", title: `Revoke ${row.name}`, run: () => this.#revoke(row) }) },
      ],
      sort: { by: query.get("by") ?? "name", down: query.get("down") === "1" },
      onSort: ({ by, down }) => this.#context.setQuery({ by: by === "name" ? "" : by, down }),
      empty: () => (this.#problem ? failed(this.#problem, () => this.#load()) : empty({ icon: "tokens", title: "This branch has no tokens", body: "Make one for each person and program, with the least role that does." })),
    });
    const branches = live.branches.all().map((row) => row.id);
    if (!branches.includes(this.#branch)) branches.push(this.#branch);
    this.#root.append(
      screenHead({
        title: "Tokens",
        lead: "Who may use a branch, and for what. A token counts at the branch that it was made on. Once it is revoked, all that goes on with it ends.",
        actions: [button("New token", { kind: "primary", icon: "plus", run: () => this.#create() })],
      }),
      session.open && notice({ title: "This branch asks for no token", body: h("p", {}, "It serves this machine alone, and takes everybody on it for an operator. Start it with ", h("code", { class: "unbroken" }, "--require-token"), " to change that.") }),
      h("div", { class: "toolbar" }, select({ label: "Tokens of the branch", hideLabel: false, value: this.#branch, options: branches.sort(), run: (id) => this.#choose(id) }), this.many.node),
      this.table.node,
    );
    void this.#load();
  }

  stop() {
    this.#turn += 1;
    this.table.destroy();
  }

  async #load() {
    const turn = ++this.#turn;
    try {
      const rows = await this.#context.api.get(this.#path(""));
      if (turn !== this.#turn) return;
      this.#problem = null;
      this.#show(rows);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#problem = error;
      this.#show([]);
    }
  }

  #show(rows) {
    this.table.state = null;
    this.table.setRows(rows);
    this.many.update(this.table);
  }

  #choose(id) {
    this.#branch = id;
    this.#context.setQuery({ branch: id === this.#context.session.branch ? "" : id });
    void this.#load();
  }

  async #create() {
    const { api } = this.#context;
    await ask({
      title: `New token for ${this.#branch}`,
      lead: "Give each person and program a token of its own, with the least role that does.",
      submit: "Make the token",
      fields: [
        { name: "name", label: "Name", required: true, placeholder: "grafana", hint: "Whose it is. It is shown beside everything that is done with the token.", attributes: { maxlength: 128 } },
        { name: "role", label: "Role", type: "select", options: ROLES, value: "viewer" },
      ],
      run: async ({ name, role }) => {
        const made = await api.put(this.#path(name.trim()), { query: { role } });
        void this.#load();
        showSecret(made, this.#branch);
        return true;
      },
    });
  }

  async #revoke(row) {
    const { api, session } = this.#context;
    const isMine = session.isLoggedIn && row.name === session.name && this.#branch === session.branch;
    const sure = await confirm({
      title: `Revoke ${row.name}?`,
      body: h("div", {}, h("p", {}, "Whoever uses it is turned away from this moment on, and streams that were opened with it end. It cannot be brought back."), isMine && h("p", {}, h("strong", {}, "It is the token that you are logged in with: you will be logged out."))),
      action: "Revoke",
      danger: true,
      typed: row.role === "admin" ? row.name : "",
    });
    if (!sure) return;
    await api.delete(this.#path(row.name));
    toast(`${row.name} is revoked`);
    if (!isMine) await this.#load();
  }

  #path(name) {
    const { api } = this.#context;
    return name ? api.path("branches", this.#branch, "tokens", name) : api.path("branches", this.#branch, "tokens");
  }
}

function showSecret({ name, role, token }, branch) {
  openDialog({
    title: `The token ${name}`,
    body: [
      notice({ kind: "warn", title: "It is shown this once", body: "Copy it now and keep it where secrets are kept. The branch knows only its hash." }),
      code(token, { copy: true }),
      h("p", { class: "quiet" }, `Role ${role}, for branch ${branch}. Programs send it as `, h("code", {}, "Authorization: Bearer TOKEN"), "."),
    ],
    actions: [{ label: "I have kept it", kind: "primary" }],
  });
}
