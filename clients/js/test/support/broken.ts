// Rules of the SDK, and how each looks when it is broken. What is broken must be found by the test that is named.

export interface Broken {
  readonly name: string;
  /** In `src/core`. */
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
  /** The suite that finds it, and the test in it. */
  readonly test: "hostile" | "hostile_connections" | "hostile_advice";
  readonly by: string;
  /** What follows is that something never happens, or never ends: a test that is late has found it. */
  readonly isSilence?: boolean;
}

/** The name under which the suites run with nothing broken. */
export const WHOLE = "nothing is broken";

export const broken: readonly Broken[] = [
  {
    name: "a push behind a gap is delivered",
    file: "sync.ts",
    right: "if (message.offset === this.#last + 1) return this.#deliver([message]);",
    wrong: "this.#last = message.offset - 1; return this.#deliver([message]);",
    test: "hostile",
    by: "a gap, a repetition and a reordering are repaired before anybody sees them",
  },
  {
    name: "a page with a hole is delivered",
    file: "sync.ts",
    right: "if (last !== null && message.offset !== last + 1) break;",
    wrong: "",
    test: "hostile",
    by: "a page with a hole is not believed; the server is asked ever more slowly, not for ever quickly",
  },
  {
    name: "a push that comes again is delivered again",
    file: "sync.ts",
    right: 'if (this.#phase !== "attached" || this.#last === null || message.offset <= this.#last) return [];',
    wrong: 'if (this.#phase !== "attached" || this.#last === null) return []; if (message.offset <= this.#last) return [{ do: "deliver", messages: [message] }];',
    test: "hostile",
    by: "a gap, a repetition and a reordering are repaired before anybody sees them",
  },
  {
    name: "a loss is not told",
    file: "sync.ts",
    right: 'const reset: Reset = { reason: "trimmed", forget: false, lostFrom: from, lostTo: firstOffset - 1 };',
    wrong: 'const reset = { reason: "trimmed" as const, forget: false, lostFrom: from, lostTo: from };',
    test: "hostile_advice",
    by: "a retention that runs ahead for ever: each loss is told, and slowly asked about",
  },
  {
    name: "what brings nothing is asked again as quickly as before",
    file: "attachment.ts",
    right: "2 ** Math.min(stall, 20)",
    wrong: "0.1",
    test: "hostile",
    by: "a page with a hole is not believed; the server is asked ever more slowly, not for ever quickly",
  },
  {
    name: "history with a hole is a shorter history",
    file: "history.ts",
    right: "!epoch || !isDense ||",
    wrong: "!epoch ||",
    test: "hostile",
    by: "history with a hole is an error, not a shorter history",
  },
  {
    name: "a lost acknowledgement loses the message",
    file: "outbox.ts",
    right: 'if (isHeld) this.#enter(item, "waiting");',
    wrong: "if (isHeld) this.drop(key);",
    test: "hostile",
    by: "acks that never come: the same id again, one stored copy, order kept",
  },
  {
    name: "a message that is sent again gets another id",
    file: "outbox.ts",
    right: 'link.command("publish", publish,',
    wrong: 'link.command("publish", { ...publish, messageId: this.#platform.id() },',
    test: "hostile",
    by: "acks that never come: the same id again, one stored copy, order kept",
  },
  {
    name: "several messages of a room are under way at once",
    file: "outbox.ts",
    right: 'return link.command("publish", publish, (reply) => this.#answered(item, reply));',
    wrong: 'link.command("publish", publish, (reply) => this.#answered(item, reply));',
    test: "hostile_advice",
    by: "a server that stores the second before the first is never given both; other rooms do not wait",
  },
  {
    name: "what is behind a refused message does not wait",
    file: "outbox.ts",
    right: "this.#busy.set(room, cancel);",
    wrong: "this.#busy.delete(room); item.state = 'rejected'; this.#pump(room); void cancel;",
    test: "hostile",
    by: "temporary refusals are waited for as told, and hold back what is behind them",
    isSilence: true,
  },
  {
    name: "a wait of a century is believed",
    file: "errors.ts",
    right: "ADVICE_MAX_MS = 600_000",
    wrong: "ADVICE_MAX_MS = 2 ** 32",
    test: "hostile_advice",
    by: "come back in a century: in ten minutes",
  },
  {
    name: "pauses do not grow",
    file: "pause.ts",
    right: "const growing = 2 ** Math.min(attempt, 30);",
    wrong: "const growing = 0.2;",
    test: "hostile_connections",
    by: "endless closes: the pauses grow",
  },
  {
    name: "the server's advice is not heard",
    file: "pause.ts",
    right: "const asked = Math.min(adviceMs, ADVICE_MAX_MS);",
    wrong: "const asked = Math.min(adviceMs, 0);",
    test: "hostile_connections",
    by: "advice is kept: closing, later, stop",
  },
  {
    name: "whoever is told to stop comes back",
    file: "pause.ts",
    right: 'if (advice === "stop") return null;',
    wrong: "",
    test: "hostile_connections",
    by: "advice is kept: closing, later, stop",
  },
  {
    name: "being let in is enough to begin counting anew",
    file: "connection.ts",
    right: "this.#refusals = 0;\n    // The server's clock",
    wrong: "this.#refusals = 0; this.#attempt = 0;\n    // The server's clock",
    test: "hostile_connections",
    by: "closes right after letting us in do not begin the count anew",
  },
  {
    name: "every push that the token ends is obeyed",
    file: "connection.ts",
    right: "const REFRESH_EVERY_MS = 5_000;",
    wrong: "const REFRESH_EVERY_MS = 0;",
    test: "hostile_advice",
    by: "a token that always ends soon is asked for now and then",
    isSilence: true,
  },
  {
    name: "a silent server is not found out",
    file: "link.ts",
    right: "else if (now - Math.min(this.#heardAt, this.#saidAt) >= this.#heartbeatMs / 2) this.probe(ANSWER_MS);",
    wrong: "",
    test: "hostile_connections",
    by: "a silent server is found out, and a device that slept asks at once",
  },
  {
    name: "an answer that fits no question is taken for one",
    file: "link.ts",
    right: 'if (frame.type !== waiting.expects && frame.type !== "error") {',
    wrong: "if (Number.isNaN(frame.id)) {",
    test: "hostile_connections",
    by: "garbage, half frames, wrong answers end the connection, and it comes back",
  },
  {
    name: "what is no frame is passed over",
    file: "websocket.ts",
    right: "      socket.close(CLOSE.bad_server);\n      return end(CLOSE.bad_server, String(error), true);",
    wrong: "      return void error;",
    test: "hostile_connections",
    by: "garbage, half frames, wrong answers end the connection, and it comes back",
  },
];
