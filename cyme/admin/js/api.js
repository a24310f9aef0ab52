/* Talks to the branch.

   await api.get("/instances/", { query: { details: 1 } })   the JSON of the reply
   await api.put(api.path("foo", "instances", name), { body: { is_enabled: true } })
   await api.post(path, { query })    await api.delete(path)
   await api.request("PUT", path, { query, body, headers, ifMatch, signal, timeoutMs })
                                      -> { status, headers, data, tag }
   await api.open(path, { query, signal })   -> Response whose body is read as it comes (logs)
   api.url(path, query)               the path with its query
   api.path("foo", "queues", name)    "/foo/queues/name/", each segment quoted

   A refusal is a Problem: { status, title, detail, errors: [{ parameter, detail }], state };
   status 0 means that the branch did not answer. Its message is fit to be shown.
   api.onLoggedOut = () => {}         called when the branch wants a login (401) */

const TIMEOUT_MS = 30_000;

export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "", errors = [], ...rest }) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
    this.detail = detail || title;
    this.errors = errors;
    this.rest = rest;
  }
}

class Api {
  constructor() {
    this.csrf = "";
    this.onLoggedOut = () => {};
  }

  path(...segments) {
    return `/${segments.map((each) => `${encodeURIComponent(each)}/`).join("")}`;
  }

  url(path, query) {
    const pairs = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== null && value !== undefined && value !== "") pairs.set(name, String(value));
    }
    const text = pairs.toString();
    return text ? `${path}?${text}` : path;
  }

  async get(path, options) {
    return (await this.request("GET", path, options)).data;
  }

  async put(path, options) {
    return (await this.request("PUT", path, options)).data;
  }

  async post(path, options) {
    return (await this.request("POST", path, options)).data;
  }

  async delete(path, options) {
    return (await this.request("DELETE", path, options)).data;
  }

  async request(method, path, options = {}) {
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort("timeout"), options.timeoutMs ?? TIMEOUT_MS);
    const signals = options.signal ? [options.signal, clock.signal] : [clock.signal];
    try {
      const response = await this.#send(method, path, options, AbortSignal.any(signals));
      const data = method === "HEAD" ? null : await read(response);
      return { status: response.status, headers: response.headers, data, tag: response.headers.get("ETag") };
    } catch (error) {
      if (clock.signal.aborted) {
        throw new Problem({
          title: "No answer",
          detail: "The branch did not answer in time. What was asked may still happen; look before trying again.",
        });
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async open(path, options = {}) {
    return this.#send("GET", path, options, options.signal);
  }

  async #send(method, path, { query, body, headers = {}, ifMatch }, signal) {
    const sent = { "X-CSRF-Token": this.csrf, ...headers };
    if (!("Accept" in sent)) sent.Accept = "application/json, application/problem+json";
    if (ifMatch) sent["If-Match"] = ifMatch;
    let content = body;
    if (body !== undefined && typeof body !== "string") {
      content = JSON.stringify(body);
      sent["Content-Type"] ??= "application/json";
    }
    let response;
    try {
      response = await fetch(this.url(path, query), {
        method, body: content, headers: sent, signal, credentials: "same-origin", cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError" || signal?.aborted) throw error;
      throw new Problem({
        title: "The branch cannot be reached",
        detail: "The branch that serves this page does not answer. It may be restarting; this page goes on by itself once it is back.",
      });
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 401) this.onLoggedOut(problem);
    throw problem;
  }
}

async function read(response) {
  if (response.status === 204) return null;
  const type = response.headers.get("Content-Type") ?? "";
  return type.includes("json") ? response.json() : response.text();
}

async function problemOf(response) {
  try {
    const told = await response.json();
    return new Problem({ ...told, status: response.status });
  } catch {
    return new Problem({
      status: response.status,
      title: `HTTP ${response.status}`,
      detail: `The branch answered with status ${response.status} and did not say why.`,
    });
  }
}

export const api = new Api();
