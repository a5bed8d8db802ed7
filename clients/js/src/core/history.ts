// Older messages: pages, and walking through them in either direction.
//
// Knows one question, `history`. Invariant: what is walked is without a hole and of one numbering, or it ends in an
// error that says why.
import type { Abort } from "./emitter.js";
import { KonvertError, sdkError } from "./errors.js";
import { Message } from "./message.js";
import type { Requests } from "./requests.js";
import type { Direction, History, WirePage } from "./wire.js";

/** What to read of a room's history. */
export interface HistoryOptions {
  /** The first offset wanted, itself included. Without it: the end that the direction starts at. */
  readonly from?: number;
  /** `backward` (the default) goes from new to old, `forward` from old to new. */
  readonly direction?: Direction;
  /** Stop after so many messages. */
  readonly limit?: number;
  /** Most messages asked for at a time; the server has a limit of its own. */
  readonly pageSize?: number;
  /** Gives it up. */
  readonly signal?: Abort;
}

/** One page of a room's history. */
export interface HistoryPage {
  /** In rising order of offset. */
  readonly messages: readonly Message[];
  /** Whether there is more in the direction asked for. */
  readonly more: boolean;
  /** First retained offset. */
  readonly firstOffset: number;
}

/** Asks for one page, and refuses what is none. */
export async function historyPage(requests: Requests, room: string, options: HistoryOptions): Promise<HistoryPage> {
  const { from = 0, direction = "backward", limit = 0, signal } = options;
  const question: History = { room, from, direction, limit };
  return judged(await requests.ask("history", question, signal), question);
}

function judged(page: WirePage, { room, from = 0, direction }: History): HistoryPage {
  const { messages } = page;
  const epoch = page.position?.epoch;
  const first = messages[0]?.offset ?? 0;
  const last = messages.at(-1)?.offset ?? 0;
  const start = direction === "forward" ? first : last;
  const isDense = messages.every((message, i) => message.offset === first + i);
  const isWhereAsked = !from || !messages.length || start === from || (direction === "backward" && start < from && !page.more);
  if (!epoch || !isDense || !isWhereAsked || (page.more && !messages.length)) throw sdkError("bad_answer", "history");
  return { messages: messages.map((message) => new Message(message, room, epoch)), more: page.more, firstOffset: page.firstOffset };
}

/** All messages in one direction, page by page as they are asked for. */
export async function* walkHistory(requests: Requests, room: string, options: HistoryOptions): AsyncGenerator<Message, void, undefined> {
  const { direction = "backward", limit = Number.POSITIVE_INFINITY, pageSize = 0, signal } = options;
  let from = options.from ?? 0;
  let epoch = 0;
  let left = limit;
  while (left > 0) {
    const wanted = Math.min(left, pageSize || left);
    const page = await historyPage(requests, room, {
      from,
      direction,
      limit: Number.isFinite(wanted) ? wanted : 0,
      ...(signal ? { signal } : {}),
    });
    const ordered = direction === "forward" ? page.messages : [...page.messages].reverse();
    for (const message of ordered) {
      epoch ||= message.position.epoch;
      if (message.position.epoch !== epoch) throw new KonvertError({ code: 304, name: "epoch_changed" });
      if (signal?.aborted) throw sdkError("aborted");
      yield message;
      if (--left <= 0) return;
    }
    const end = ordered.at(-1)?.offset;
    if (!page.more || end === undefined) return;
    from = direction === "forward" ? end + 1 : end - 1;
    if (from < 1) return;
  }
}
