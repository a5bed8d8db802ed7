// REST for what is not live: JSON in, JSON or a typed error out.
//
// Knows no resource by name. Invariants: the token goes to this server only; a refused token is replaced once.
import type { Abort } from "./emitter.js";
import { KonvertError, SDK_ERRORS, sdkError } from "./errors.js";
import type { Platform, ResponseLike } from "./platform.js";
import type { Tokens } from "./tokens.js";

/** An HTTP error, as problem details (RFC 9457) tell it. */
export class ApiError extends KonvertError {
  /** HTTP status. */
  readonly status: number;
  /** The whole body, where it was JSON. */
  readonly problem: Record<string, unknown>;

  /** Made by the SDK. */
  constructor(status: number, problem: Record<string, unknown>, retryAfterMs: number) {
    const text = (name: string) => (typeof problem[name] === "string" ? (problem[name] as string) : "");
    super({
      code: typeof problem.code === "number" ? problem.code : SDK_ERRORS.http[0],
      name: text("name") || "http",
      message: text("detail") || text("title") || `HTTP ${status}`,
      temporary: typeof problem.temporary === "boolean" ? problem.temporary : status === 429 || status >= 500,
      retryAfterMs: typeof problem.retry_after_ms === "number" ? problem.retry_after_ms : retryAfterMs,
    });
    this.status = status;
    this.problem = problem;
  }
}

/** What may go with a request. */
export interface ApiOptions {
  /** Added to the path as `?name=value`; those undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Headers besides those the SDK sets. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives it up. */
  readonly signal?: Abort;
}

/** REST with the token of a `Konvert`. */
export class Api {
  readonly #url: string;
  readonly #platform: Platform;
  readonly #tokens: Tokens;

  /** Made by `Konvert`. */
  constructor(url: string, platform: Platform, tokens: Tokens) {
    this.#url = url;
    this.#platform = platform;
    this.#tokens = tokens;
  }

  /** Reads. */
  get<Value = unknown>(path: string, options?: Omit<ApiOptions, "body">): Promise<Value> {
    return this.#json("GET", path, options);
  }
  /** Makes something new. */
  post<Value = unknown>(path: string, body?: unknown, options?: ApiOptions): Promise<Value> {
    return this.#json("POST", path, { ...options, body });
  }
  /** Replaces. */
  put<Value = unknown>(path: string, body?: unknown, options?: ApiOptions): Promise<Value> {
    return this.#json("PUT", path, { ...options, body });
  }
  /** Changes a part. */
  patch<Value = unknown>(path: string, body?: unknown, options?: ApiOptions): Promise<Value> {
    return this.#json("PATCH", path, { ...options, body });
  }
  /** Deletes. */
  delete<Value = unknown>(path: string, options?: ApiOptions): Promise<Value> {
    return this.#json("DELETE", path, options);
  }

  /** A request with our token and a body as it is; fails unless the status says success. For what is not JSON. */
  async raw(method: string, path: string, headers: Record<string, string>, body: unknown, signal?: Abort): Promise<ResponseLike> {
    const [first, token] = await this.#send(method, path, headers, body, signal);
    if (first.ok) return first;
    if (first.status === 401 && this.#tokens.canAsk) {
      this.#tokens.refused(token);
      const [second] = await this.#send(method, path, headers, body, signal);
      if (second.ok) return second;
      throw await problemOf(second);
    }
    throw await problemOf(first);
  }

  async #json<Value>(method: string, path: string, { query = {}, body, headers, signal }: ApiOptions = {}): Promise<Value> {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value as string)}`).join("&");
    const sent = { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.raw(method, path + (search && `?${search}`), sent, text, signal);
    const answer = await response.text();
    if (!answer) return undefined as Value;
    try {
      return JSON.parse(answer) as Value;
    } catch {
      throw sdkError("http", "the answer is not JSON");
    }
  }

  async #send(method: string, path: string, headers: Record<string, string>, body: unknown, signal?: Abort): Promise<[ResponseLike, string | null]> {
    const { fetch, now } = this.#platform;
    if (!fetch) throw sdkError("http", "there is no fetch here");
    if (signal?.aborted) throw sdkError("aborted");
    const token = await this.#tokens.current(now());
    const authorized = token ? { ...headers, authorization: `Bearer ${token}` } : headers;
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers: authorized,
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      });
      return [response, token];
    } catch (error) {
      throw signal?.aborted ? sdkError("aborted") : sdkError("http", String(error), true);
    }
  }
}

async function problemOf(response: ResponseLike): Promise<ApiError> {
  let problem: unknown;
  try {
    problem = JSON.parse(await response.text());
  } catch {
    // A proxy in between speaks HTML; the status has to do.
  }
  const isMap = typeof problem === "object" && problem !== null;
  const seconds = Number(response.headers.get("retry-after")) || 0;
  return new ApiError(response.status, isMap ? (problem as Record<string, unknown>) : {}, seconds * 1_000);
}
