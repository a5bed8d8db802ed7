// How much one may do, and how much of it one has done; live.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { UserLimit } from "../model/resources";
import { useChat } from "../shell/here";
import { language, words } from "../words";
import { sizeOf } from "./sizes";

const PATH = "/api/user-limits";

export function Limits() {
  const chat = useChat();
  const { settings } = words();
  const limits = useSignal<readonly UserLimit[]>([]);
  const isConnected = chat.connection.state.value.name === "connected";
  useEffect(() => {
    const take = (body: unknown) => {
      limits.value = (body as { limits: readonly UserLimit[] } | null)?.limits ?? limits.peek();
    };
    // What is not told now is told by the next connection.
    chat.konvert.api.get(PATH).then(take, () => {});
    return chat.konvert.on("changed", ({ path, body }) => {
      if (path === PATH) take(body);
    });
  }, [isConnected]);
  const number = new Intl.NumberFormat(language.value);
  const say = (kind: UserLimit["kind"], n: number) =>
    kind === "storage_bytes" ? sizeOf(n, settings.bytes, language.value) : number.format(n);
  if (!limits.value.length) return null;
  return (
    <section class="card limits" aria-labelledby="limits-title">
      <h2 id="limits-title">{settings.limits}</h2>
      <dl>
        {limits.value.map(({ kind, max, used }) => (
          <div key={kind} data-limit={kind}>
            <dt>{settings.limit[kind] ?? kind}</dt>
            <dd>{max === null ? settings.unlimited(say(kind, used)) : settings.of(say(kind, used), say(kind, max))}</dd>
            {max !== null && (
              <dd class="gauge">
                <meter min={0} max={max || 1} high={max * 0.9} value={used} aria-label={settings.limit[kind] ?? kind} />
              </dd>
            )}
          </div>
        ))}
      </dl>
    </section>
  );
}
