// What a person reads of an error.
import { ApiError, KonvertError } from "@konvert/sdk";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const problem = (name: string, more: object = {}) => new ApiError(400, { name, code: 700, detail: "name: 1 to 64 bytes", ...more }, 0);

describe("what is said of an error", () => {
  let say: typeof import("../src/words/index");
  let device: { onLine: boolean; languages: string[] };

  beforeEach(async () => {
    device = { onLine: true, languages: ["ru-RU"] };
    vi.stubGlobal("navigator", device);
    vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
    vi.stubGlobal("document", { documentElement: {} });
    vi.resetModules();
    say = await import("../src/words/index");
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is never the server's text", () => {
    for (const name of ["bad_request", "not_possible", "one_of_tomorrow", "toString", ""]) {
      const said = say.sayError(problem(name));
      expect(said, name).not.toMatch(/[a-z]/i);
      expect(said.length, name).toBeGreaterThan(8);
    }
    expect(say.sayError(new TypeError("Failed to fetch"))).not.toMatch(/[a-z]/i);
  });

  it("is what the place knows of it", () => {
    expect(say.sayError(problem("not_possible"), { not_possible: "Группа полна." })).toBe("Группа полна.");
    expect(say.sayError(problem("not_found"), { not_possible: "Группа полна." })).toBe("Этого больше нет.");
  });

  it("tells how long to wait", () => {
    expect(say.sayError(problem("rate_limited", { retry_after_ms: 850_000 }))).toBe("Слишком много попыток. Повторите через 15 минут.");
    expect(say.sayError(problem("rate_limited", { retry_after_ms: 21_000 }))).toContain("через 21 секунду");
    expect(say.sayError(problem("rate_limited", { retry_after_ms: 900 }))).toContain("Слишком быстро");
    expect(say.sayError(problem("quota_exceeded", { retry_after_ms: 5 * 3_600_000 }))).toContain("через 5 часов");
    // The SDK tells at most ten minutes of what comes in a frame.
    const frame = new KonvertError({ code: 503, name: "quota_exceeded", retryAfterMs: 7 * 3_600_000 });
    expect(say.sayError(frame)).toBe("На сегодня лимит исчерпан.");
    expect(say.sayError(problem("quota_exceeded"))).toContain("Место для ваших файлов");
  });

  it("says whether it is the server or the device", () => {
    const silent = new KonvertError({ code: 1009, name: "http" });
    expect(say.sayError(silent)).toBe("Сервер не отвечает.");
    device.onLine = false;
    expect(say.sayError(silent)).toBe("Устройство не в сети.");
  });
});
