// One room over one connection: stays in step with the log, keeps what was not sent, comes back by itself.
//
// Owns the rules of PROTOCOL.md that a client must keep. Knows no page: what happens is told through `on`.
// Invariants: messages are handed over once each, in rising order of offset, without a hole; a message of the outbox
// keeps its id until the server says it is stored, however often it is sent.

const SUBPROTOCOL = "konvert.v1.json";
const AGENT = "konvert-web/1";
const FIRST_PAGE = 50;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** Close codes of the range "later" wait at least this long. */
const LATER_MS = 5_000;
const ANSWER_MS = 15_000;
const TYPING_EVERY_MS = 2_500;
const HANDSHAKE_MS = 10_000;
const NUDGE_MS = 5_000;

/** 128 random bits. `crypto.randomUUID` is missing where a page is not served from localhost or by TLS. */
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Room {
  #socket = null;
  #command = 0;
  /** What to do with the reply to a command, by its id. */
  #waiting = new Map();
  #attempt = 0;
  #retry = 0;
  #watch = 0;
  #advice = null;
  #heardAt = 0;
  #saidAt = 0;
  #isProbing = false;
  #typedAt = -Infinity;
  #heartbeat = 25_000;
  /** Pushes count only while attached; a catch-up brings what is missed in between. */
  #attached = false;
  #epoch = 0;
  #last = null;
  #first = 1;
  #oldest = null;
  #presence = { version: 0, members: new Map() };

  /**
   * @param url of the socket
   * @param name of the room
   * @param store `{load(): {name, token, user, outbox}, save(value)}`, this visitor's memory
   *
   * Before connecting set `on`, with the handlers state, identity, messages, stored, failed, people, typing, reset,
   * notice and refused.
   */
  constructor(url, name, store) {
    Object.assign(this, { url, name, store });
    this.visitor = { name: "", token: "", user: "", outbox: [], ...store.load() };
    addEventListener("online", () => this.#nudge());
    document.addEventListener("visibilitychange", () => document.hidden || this.#nudge());
  }

  get user() { return this.visitor.user; }
  get isAttached() { return this.#attached; }
  get outbox() { return this.visitor.outbox; }
  get hasOlder() { return this.#oldest !== null && this.#oldest > this.#first; }
  get isTrimmed() { return this.#first > 1; }

  connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.#advice = null;
    this.#drop();
    this.#state("connecting");
    const socket = this.#socket = new WebSocket(this.url, SUBPROTOCOL);
    // A handshake that never ends looks the same as a silent server.
    this.#heardAt = performance.now();
    this.#watch = setInterval(() => this.#beat(), 1_000);
    socket.onopen = () => this.#hello();
    socket.onmessage = (event) => {
      this.#heardAt = performance.now();
      for (const line of event.data.split("\n")) if (line.trim()) this.#frame(JSON.parse(line));
      this.#beat(); // Timers of a page in the background are held back; what arrives is not.
    };
    socket.onclose = (event) => this.#closed(event.code);
  }

  /** Chooses the name of a new guest. */
  enterAs(name) {
    this.visitor.name = name;
    this.#save();
  }

  /** Leaves for good: the visitor is forgotten. */
  leave() {
    clearTimeout(this.#retry);
    if (this.#attached) this.#send(this.#next(), { unsubscribe: { room: this.name } });
    this.#socket?.close(1000);
    this.#drop();
    this.visitor = { name: "", token: "", user: "", outbox: [] };
    this.#save();
  }

  /** Takes a message in; it is sent when there is a connection, and until it is stored. */
  publish(text) {
    const message = { id: newId(), text, time: Date.now() };
    this.outbox.push(message);
    this.#typedAt = -Infinity;
    this.#save();
    if (this.#attached) this.#post(message);
    return message;
  }

  /** Tries a refused message again. */
  retry(message) {
    delete message.failed;
    this.#save();
    if (this.#attached) this.#post(message);
  }

  remove(id) {
    const place = this.outbox.findIndex((message) => message.id === id);
    if (place < 0) return;
    this.outbox.splice(place, 1);
    this.#save();
  }

  typing() {
    const now = performance.now();
    if (!this.#attached || now - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = now;
    this.#send(0, { signal: { room: this.name, payload: "typing" } });
  }

  async older() {
    const history = { room: this.name, from: this.#oldest - 1, direction: "backward", limit: FIRST_PAGE };
    const answer = await this.#ask({ history });
    const page = answer?.history;
    if (!page) {
      if (answer?.error?.first_offset) this.#first = answer.error.first_offset;
      return [];
    }
    this.#first = page.first_offset ?? 1;
    const messages = (page.messages ?? []).filter((message) => message.offset < this.#oldest);
    if (messages.length) this.#oldest = messages[0].offset;
    return messages;
  }

  /** The page let go of messages before this offset; they can be asked for again. */
  forgetBefore(offset) { this.#oldest = offset; }

  // ── the connection ─────────────────────────────────────────────────────────────────────────────────────────────

  async #hello() {
    const { token, name } = this.visitor;
    const who = token ? { token } : { name };
    const connect = { ...who, agent: AGENT, rooms: [this.#subscription()] };
    const { connected, error } = await this.#ask({ connect }) ?? {};
    if (error) return this.#notLetIn(error);
    if (!connected) return;
    this.#heartbeat = connected.heartbeat_ms || this.#heartbeat;
    this.visitor.user = connected.user;
    if (connected.token) this.visitor.token = connected.token;
    this.#save();
    this.on.identity(this.visitor);
    this.#subscribed(connected.rooms?.[0] ?? {});
  }

  #notLetIn(error) {
    if (this.visitor.token && ["token_expired", "bad_token"].includes(error.name)) {
      this.visitor.token = "";
      this.#save();
      this.on.notice("new_identity");
      this.#advice = { after: 0 };
    } else if (!error.temporary) {
      this.#advice = { stop: true };
      this.on.refused(error);
    }
    this.#socket?.close(1000);
  }

  #subscription() {
    const since = this.#last === null ? { last: FIRST_PAGE } : { since: { epoch: this.#epoch, offset: this.#last } };
    return { room: this.name, presence: true, ...since };
  }

  async #subscribe() {
    this.#attached = false;
    this.#state("catching_up");
    const { subscribed, error } = await this.#ask({ subscribe: this.#subscription() }) ?? {};
    if (subscribed || error) this.#subscribed(subscribed ?? { error });
  }

  /** The loop of PROTOCOL.md: pages until the server says that we are attached. */
  #subscribed({ position, first_offset, messages = [], more, presence, error }) {
    if (error) return this.#notSubscribed(error);
    this.#epoch = position.epoch;
    this.#first = first_offset ?? 1;
    this.#take(messages);
    if (more) return this.#subscribe();
    this.#last ??= position.offset ?? 0;
    this.#attached = true;
    this.#attempt = 0;
    this.#state("online");
    if (presence) this.#people(presence);
    for (const message of this.outbox) if (!message.failed) this.#post(message);
  }

  #notSubscribed(error) {
    const position = error.position ?? {};
    if (error.name === "trimmed") {
      this.on.notice("lost");
      this.#last = error.first_offset - 1;
      return this.#subscribe();
    }
    if (["epoch_changed", "ahead_of_log"].includes(error.name)) {
      this.#epoch = position.epoch ?? 0;
      this.#last = this.#oldest = null;
      this.on.reset();
      return this.#subscribe();
    }
    if (error.temporary) return this.#socket?.close(1000);
    this.#advice = { stop: true };
    this.on.refused(error);
    this.#socket?.close(1000);
  }

  #closed(code) {
    this.#drop();
    const advice = this.#advice ?? {};
    this.#advice = null;
    const stop = advice.stop || (code >= 4400 && code < 4600 && advice.after === undefined);
    if (stop) return this.#state("stopped");
    const cap = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++);
    const later = code >= 4200 && code < 4400 ? LATER_MS : 0;
    // Full jitter: all the clients of a restarted server must not come at the same instant.
    const wait = advice.after ?? later + Math.random() * cap;
    this.#retry = setTimeout(() => this.connect(), wait);
    this.#state(navigator.onLine ? "waiting" : "offline", Date.now() + wait);
  }

  /** Something about the network changed: look now, do not wait for a timer. */
  #nudge() {
    if (this.#retry) return this.connect();
    if (this.#attached) this.#probe(NUDGE_MS);
  }

  #beat() {
    if (!this.#socket) return;
    const now = performance.now();
    const isOpen = this.#socket.readyState === WebSocket.OPEN;
    if (now - this.#heardAt > (isOpen ? 2 * this.#heartbeat + 5_000 : HANDSHAKE_MS)) return this.#lost();
    // With an answer, so that both sides know: a page does not see the pings of WebSocket itself.
    if (this.#attached && !this.#isProbing && now - Math.min(this.#heardAt, this.#saidAt) > this.#heartbeat / 2) this.#probe(ANSWER_MS);
  }

  async #probe(patience) {
    this.#isProbing = true;
    await this.#ask({ ping: {} }, patience);
    this.#isProbing = false;
  }

  /** The connection is dead though nobody said so. */
  #lost() {
    this.#socket?.close(1000);
    this.#closed(1006);
  }

  #drop() {
    clearInterval(this.#watch);
    this.#attached = false;
    if (this.#socket) {
      this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close(1000);
      this.#socket = null;
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answer of waiting) answer(null);
  }

  #next() { return (this.#command = (this.#command % 0xffff_ffff) + 1); }

  #send(id, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#saidAt = performance.now();
    this.#socket.send(JSON.stringify(id ? { id, ...body } : body));
  }

  /** The reply to a command, or null when the connection ended before it came. */
  #ask(body, patience = ANSWER_MS) {
    const id = this.#next();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#waiting.has(id) && this.#lost(), patience);
      this.#waiting.set(id, (answer) => (clearTimeout(timer), resolve(answer)));
      this.#send(id, body);
    });
  }

  // ── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #frame(frame) {
    if (frame.id) {
      const answer = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      return answer?.(frame);
    }
    if (frame.message) this.#message(frame.message);
    else if (frame.signal) this.on.typing(frame.signal.sender);
    else if (frame.presence_diff) this.#peopleChanged(frame.presence_diff);
    else if (frame.closing) this.#advice = { after: frame.closing.reconnect_after_ms || undefined };
    else if (frame.room_changed) this.#roomChanged(frame.room_changed);
    else if (frame.membership_changed && !frame.membership_changed.allow?.length) this.#notSubscribed({ name: "not_allowed" });
    // The token of a guest cannot be renewed: when it ends, the visitor comes back as a new guest.
  }

  #message(message) {
    if (!this.#attached || message.room !== this.name || message.offset <= this.#last) return;
    if (message.offset > this.#last + 1) this.#subscribe();
    else this.#take([message]);
  }

  #roomChanged({ position, first_offset }) {
    this.#first = first_offset ?? 1;
    if (position && position.epoch !== this.#epoch) this.#notSubscribed({ name: "epoch_changed", position });
  }

  /** Messages of the log, in order. */
  #take(messages) {
    const fresh = messages.filter((message) => this.#last === null || message.offset > this.#last);
    if (!fresh.length) return;
    this.#last = fresh.at(-1).offset;
    this.#oldest ??= fresh[0].offset;
    for (const message of fresh) this.remove(message.message_id);
    this.on.messages(fresh);
  }

  async #post(message) {
    const publish = { room: this.name, message_id: message.id, payload: message.text };
    const answer = await this.#ask({ publish });
    if (!answer) return; // Unknown: it is sent again, with the same id, once we are attached again.
    const { published, error } = answer;
    if (published) {
      // The push tells its place, unless that is behind us: a retry of what was stored long ago.
      if (published.position.offset > this.#last || !this.outbox.includes(message)) return;
      this.remove(message.id);
      return this.on.stored(message);
    }
    if (!error.temporary) {
      message.failed = error;
      this.#save();
      return this.on.failed(message);
    }
    await new Promise((resolve) => setTimeout(resolve, error.retry_after_ms || 1_000 + Math.random() * 2_000));
    if (this.#attached && this.outbox.includes(message)) this.#post(message);
  }

  // ── who is here ────────────────────────────────────────────────────────────────────────────────────────────────

  #people({ version = 0, count = 0, members = [], count_only = false }) {
    this.#presence = { version, count, members: new Map(members.map((member) => [member.user, member])), count_only };
    this.on.people([...this.#presence.members.values()], count);
  }

  async #peopleChanged({ version, count = 0, joined = [], left = [], count_only = false }) {
    const held = this.#presence;
    if (!this.#attached || version <= held.version) return;
    if (version > held.version + 1 || (held.count_only && !count_only)) {
      const answer = await this.#ask({ presence: { room: this.name } });
      if (answer?.presence) this.#people(answer.presence);
      return;
    }
    for (const member of joined) held.members.set(member.user, member);
    for (const user of left) held.members.delete(user);
    Object.assign(held, { version, count, count_only });
    if (count_only) held.members.clear();
    this.on.people([...held.members.values()], count);
  }

  #state(name, until) { this.on.state(name, until); }
  #save() { this.store.save(this.visitor); }
}
