/* What the cluster is like at this moment: one event stream, and stores of rows that it keeps fresh.

   live.instances, live.apps, live.queues, live.branches     stores:
       store.get(key)   store.all()   store.size   store.loaded
       store.subscribe(({ changed, gone }) => {})  -> unsubscribe; sets of keys
       store.put(row)   store.drop(key)            what a write of this page returned, at once
       store.key(row)   the name; of a queue "app/name"; of a branch the id
       the row of a branch has a member more, heard_at: when it was heard last, by this machine's clock
   live.vitals, live.status, live.hello                      values:
       value.get()   value.subscribe((value) => {})  -> unsubscribe
       status: "connecting" | "live" | "polling" (no stream: looked at now and then) | "lost"
   live.events                                               the latest events, newest first:
       events.all()   events.subscribe((fresh) => {})  -> unsubscribe; fresh: newest first
   live.usage(name)      the vitals of an instance, or undefined
   live.queueUsage(app, name)   the vitals of a queue, or undefined
   live.ready            a promise: the first lists are there, or have failed
   live.failures         what could not be loaded, by store ("instances": Problem)
   live.reload()         loads the lists again

   Subscribers are called at most once an animation frame, whatever the stream brings. */

import { api } from "./api.js";

const EVENTS_MAX = 500;
const POLL_MS = 5_000;
const RETRY_STREAM_MS = 15_000;
const RELOAD_MS_MIN = 2_000;
/** Figures come every five seconds: a stream that brings nothing for so long is dead, open or not. */
const SILENT_MS_MAX = 20_000;
const LISTEN_AGAIN_MS = 5_000;
/** A page that nobody sees hears nothing after so long: browsers open few connections to one host. */
const UNSEEN_MS_MAX = 60_000;

const due = new Set();
let isScheduled = false;

/** Has something told to its subscribers with the next frame; hidden pages have no frames. */
function tellSoon(part) {
  due.add(part);
  if (isScheduled) return;
  isScheduled = true;
  const flush = () => {
    if (!isScheduled) return;
    isScheduled = false;
    const parts = [...due];
    due.clear();
    for (const each of parts) each.tell();
  };
  if (document.hidden) setTimeout(flush, 250);
  else {
    requestAnimationFrame(flush);
    setTimeout(flush, 1000);
  }
}

class Told {
  #subscribers = new Set();

  subscribe(subscriber) {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  call(...given) {
    for (const subscriber of [...this.#subscribers]) {
      try {
        subscriber(...given);
      } catch (error) {
        console.error("A part of the page did not take news in", error);
      }
    }
  }
}

class Store extends Told {
  #rows = new Map();
  #changed = new Set();
  #gone = new Set();
  /** What changed while a list is on its way; null while none is. */
  #newer = null;

  constructor(keyOf) {
    super();
    this.key = keyOf;
    this.loaded = false;
  }

  get size() {
    return this.#rows.size;
  }

  get(key) {
    return this.#rows.get(key);
  }

  all() {
    return [...this.#rows.values()];
  }

  put(row) {
    const key = this.key(row);
    this.#newer?.add(key);
    this.#rows.set(key, row);
    this.#changed.add(key);
    this.#gone.delete(key);
    tellSoon(this);
  }

  drop(key) {
    this.#newer?.add(key);
    if (!this.#rows.delete(key)) return;
    this.#changed.delete(key);
    this.#gone.add(key);
    tellSoon(this);
  }

  /** A list is asked for: what is told before it comes is newer than what stands in it. */
  expect() {
    this.#newer = new Set();
  }

  /** Takes a whole list; rows that are not in it are gone. */
  replace(rows) {
    const newer = this.#newer ?? new Set();
    this.#newer = null;
    const kept = new Set(newer);
    for (const row of rows) {
      const key = this.key(row);
      if (newer.has(key)) continue;
      kept.add(key);
      const before = this.#rows.get(key);
      if (before && JSON.stringify(before) === JSON.stringify(row)) continue;
      this.put(row);
    }
    for (const key of [...this.#rows.keys()]) if (!kept.has(key)) this.drop(key);
    if (!this.loaded) {
      this.loaded = true;
      tellSoon(this);
    }
  }

  tell() {
    const news = { changed: this.#changed, gone: this.#gone };
    this.#changed = new Set();
    this.#gone = new Set();
    this.call(news);
  }
}

class Value extends Told {
  #value;

  constructor(value) {
    super();
    this.#value = value;
  }

  get() {
    return this.#value;
  }

  set(value) {
    if (value === this.#value) return;
    this.#value = value;
    tellSoon(this);
  }

  tell() {
    this.call(this.#value);
  }
}

class Events extends Told {
  #events = [];
  #ids = new Set();
  #fresh = [];

  all() {
    return this.#events;
  }

  /** Takes events, the oldest first; those that are known already are left out. */
  add(events) {
    const fresh = events.filter((event) => !this.#ids.has(idOf(event)));
    if (!fresh.length) return;
    for (const event of fresh) this.#ids.add(idOf(event));
    this.#events = [...fresh.toReversed(), ...this.#events];
    for (const old of this.#events.splice(EVENTS_MAX)) this.#ids.delete(idOf(old));
    this.#fresh = [...fresh.toReversed(), ...this.#fresh].slice(0, EVENTS_MAX);
    tellSoon(this);
  }

  tell() {
    const fresh = this.#fresh;
    this.#fresh = [];
    if (fresh.length) this.call(fresh);
  }
}

/** How long ago grows while a row stands here; when does not. */
const heardAt = (row) => ({ ...row, heard_at: Date.now() / 1000 - row.heard_s });

const idOf = (event) => event.id ?? `${event.branch ?? ""}:${event.seq}:${event.at}`;

class Live {
  instances = new Store((row) => row.name);
  apps = new Store((row) => row.name);
  queues = new Store((row) => `${row.app}/${row.name}`);
  branches = new Store((row) => row.id);
  vitals = new Value(null);
  status = new Value("connecting");
  hello = new Value(null);
  events = new Events();
  failures = {};

  #source = null;
  #poll = 0;
  #retry = 0;
  #reloading = null;
  #reloadedAt = 0;
  #again = 0;
  #unseen = 0;
  #watch = 0;
  #heardAt = 0;
  #queueUsage = new Map();
  #isOn = false;

  constructor() {
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
    this.vitals.subscribe(() => this.#index());
  }

  #isReady;

  start() {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#listen();
    this.#watch = setInterval(() => this.#notice(), LISTEN_AGAIN_MS);
    void this.reload();
    addEventListener("online", () => this.#isOn && this.#listen());
    document.addEventListener("visibilitychange", () => this.#seen(!document.hidden));
    addEventListener("pagehide", () => this.#source?.close());
    addEventListener("pageshow", (event) => event.persisted && this.#isOn && this.#listen());
  }

  stop() {
    this.#isOn = false;
    this.#pause();
    clearTimeout(this.#again);
    clearTimeout(this.#unseen);
    clearInterval(this.#watch);
  }

  usage(name) {
    return this.vitals.get()?.instances?.[name];
  }

  queueUsage(app, name) {
    this.#index();
    return this.#queueUsage.get(`${app}/${name}`);
  }

  async reload() {
    this.#reloading ??= this.#load().finally(() => {
      this.#reloading = null;
      this.#reloadedAt = Date.now();
      this.#isReady();
    });
    return this.#reloading;
  }

  async #load() {
    const list = async (name, path, take) => {
      if (this[name] instanceof Store) this[name].expect();
      try {
        take(await api.get(path));
        delete this.failures[name];
      } catch (error) {
        this.failures[name] = error;
        if (this[name] instanceof Store) tellSoon(this[name]);
      }
    };
    await Promise.all([
      list("branches", "/branches/?details=1", (rows) => this.branches.replace(rows.map(heardAt))),
      list("apps", "/?details=1", (rows) => this.apps.replace(rows)),
      list("instances", "/instances/?details=1", (rows) => this.instances.replace(rows)),
      list("queues", "/queues/?details=1", (rows) => this.queues.replace(rows)),
      list("vitals", "/cluster/vitals/", (vitals) => this.vitals.set(vitals)),
      list("events", "/events/?follow=0&limit=100", (events) => this.events.add(events)),
    ]);
  }

  #listen() {
    this.#source?.close();
    clearTimeout(this.#retry);
    const source = new EventSource("/events/?rows=1");
    this.#source = source;
    this.#heardAt = Date.now();
    const on = (type, take) =>
      source.addEventListener(type, (frame) => {
        if (this.#source !== source) return;
        this.#heardAt = Date.now();
        take(JSON.parse(frame.data));
      });
    on("hello", (hello) => this.#begun(hello));
    on("message", (event) => this.events.add([event]));
    on("instance", (row) => this.instances.put(row));
    on("instance-gone", ({ name }) => this.instances.drop(name));
    on("app", (row) => this.apps.put(row));
    on("app-gone", ({ name }) => this.apps.drop(name));
    on("branch", (row) => this.branches.put(heardAt(row)));
    on("queue", (row) => this.queues.put(row));
    on("queue-gone", ({ app, name }) => this.queues.drop(`${app}/${name}`));
    on("vitals", (vitals) => this.vitals.set(vitals));
    on("dropped", () => this.#reloadSoon());
    source.onopen = () => this.#source === source && this.status.set("live");
    source.onerror = () => this.#source === source && this.#broken(source);
  }

  #begun(hello) {
    const before = this.hello.get();
    this.hello.set(hello);
    this.status.set("live");
    clearInterval(this.#poll);
    this.#poll = 0;
    // What changed while nobody listened came in no frame.
    if (before) this.#reloadSoon();
  }

  #broken(source) {
    if (source.readyState !== EventSource.CLOSED) {
      this.status.set("lost");
      void this.#ask(source);
      return;
    }
    // The branch answers, and not with a stream: no login any more, or too many listen.
    this.#poll ||= setInterval(() => void this.#look(), POLL_MS);
    this.#retry = setTimeout(() => this.#isOn && this.#listen(), RETRY_STREAM_MS);
    void this.#look();
  }

  /** A stream can end though its branch answers: a token was revoked, or a proxy closed it. */
  async #ask(source) {
    try {
      await api.get("/admin/session/");
      if (this.#source === source && source.readyState === EventSource.CONNECTING) this.status.set("connecting");
    } catch {
      // Who has to log in is asked to; otherwise it is as lost as it was.
    }
  }

  /** Nothing tells of a branch that hangs, or of a network that is gone, but that nothing comes. */
  #notice() {
    if (document.hidden || !this.#source || this.#source.readyState === EventSource.CLOSED) return;
    if (Date.now() - this.#heardAt < SILENT_MS_MAX) return;
    this.status.set("lost");
    this.#listen();
  }

  async #look() {
    try {
      await api.get("/admin/session/");
      this.status.set("polling");
      await this.reload();
    } catch (error) {
      if (error.status !== 401) this.status.set("lost");
    }
  }

  #seen(isSeen) {
    clearTimeout(this.#unseen);
    if (!this.#isOn) return;
    if (!isSeen) this.#unseen = setTimeout(() => this.#pause(), UNSEEN_MS_MAX);
    else if (!this.#source) this.#listen();
  }

  #pause() {
    this.#source?.close();
    this.#source = null;
    clearInterval(this.#poll);
    clearTimeout(this.#retry);
    this.#poll = 0;
  }

  #reloadSoon() {
    clearTimeout(this.#again);
    const wait = Math.max(0, this.#reloadedAt + RELOAD_MS_MIN - Date.now());
    this.#again = setTimeout(() => void this.reload(), wait);
  }

  #index() {
    const queues = this.vitals.get()?.queues ?? [];
    if (this.#queueUsage.of === queues) return;
    this.#queueUsage = new Map(queues.map((row) => [`${row.app}/${row.name}`, row]));
    this.#queueUsage.of = queues;
  }
}

export const live = new Live();
