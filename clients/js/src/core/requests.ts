// Questions that outlive a connection: asked again on the next one, until there is an answer or nobody wants it.
//
// For what changes nothing by being asked twice: history, presence, read markers. Invariants: every question ends,
// with an answer, an error, or the caller's abort; there are never more than `WAITING_MAX`.
import { type Abort, onAbort } from "./emitter.js";
import { KonvertError, sdkError } from "./errors.js";
import type { Link, Reply } from "./link.js";
import type { Platform } from "./platform.js";
import type { Answers, Commands, WireError } from "./wire.js";

const WAITING_MAX = 1_000;
/** A temporary refusal is tried again this often. */
const TRIES_MAX = 6;
const RETRY_MS = 250;

/** Commands that may be asked twice, and what answers them. */
interface Questions {
  history: "history";
  presence: "presence";
  presenceUpdate: "presence";
  read: "read";
}

interface Question {
  ask(link: Link): void;
  fail(error: KonvertError): void;
}

export class Requests {
  readonly #platform: Platform;
  readonly #waiting = new Set<Question>();
  #link: Link | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Connected: everything that waits is asked. */
  up(link: Link): void {
    this.#link = link;
    for (const question of [...this.#waiting]) question.ask(link);
  }

  /** The link is gone. */
  lost(): void {
    this.#link = null;
  }

  /** There will be no other connection. */
  close(): void {
    for (const question of [...this.#waiting]) question.fail(sdkError("closed"));
  }

  /** The answer, whenever there is a connection to ask on. */
  ask<Type extends keyof Questions>(type: Type, value: Commands[Type], signal?: Abort): Promise<Answers[Questions[Type]]> {
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(sdkError("too_many_waiting"));
    return new Promise((resolve, reject) => {
      let tries = 0;
      let offAbort = () => {};
      const settle = (then: () => void) => {
        if (!this.#waiting.delete(question)) return;
        offAbort();
        then();
      };
      const question: Question = {
        ask: (link) => link.command(type, value, (reply) => answered(reply as Reply<Questions[Type]>)),
        fail: (error) => settle(() => reject(error)),
      };
      const answered = (reply: Reply<Questions[Type]>) => {
        if (!reply || !this.#waiting.has(question)) return;
        if (reply.type !== "error") return settle(() => resolve(reply.value as Answers[Questions[Type]]));
        const error = new KonvertError(reply.value as WireError);
        if (!error.temporary || ++tries >= TRIES_MAX) return question.fail(error);
        const link = this.#link;
        const pause = Math.max(error.retryAfterMs, RETRY_MS * 2 ** tries * this.#platform.random());
        // On another link it has been asked already.
        this.#platform.after(pause, () => link && link === this.#link && this.#waiting.has(question) && question.ask(link));
      };
      this.#waiting.add(question);
      offAbort = onAbort(signal, () => question.fail(sdkError("aborted")));
      if (this.#link && this.#waiting.has(question)) question.ask(this.#link);
    });
  }
}
