// Where one is signed in, and ending that.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type SignInPlace, segment } from "../model/resources";
import { Problem, Sure, useAct, useNewest } from "../shell/act";
import { useChat } from "../shell/here";
import { times, words } from "../words";

export function Sessions() {
  const chat = useChat();
  const { settings } = words();
  const places = useSignal<readonly SignInPlace[] | null>(null);
  const { act, problem } = useAct();
  const isConnected = chat.connection.state.value.name === "connected";
  const newest = useNewest();
  const read = () =>
    newest(
      () => chat.konvert.api.get<readonly SignInPlace[]>("/api/auth/sessions"),
      (list) => (places.value = list),
    );
  useEffect(() => void act(read, `read ${isConnected}`), [isConnected]);
  const end = (id: string) =>
    act(async () => {
      await chat.konvert.api.delete(`/api/auth/sessions/${segment(id)}`);
      await read();
    }, id);
  return (
    <section class="card form" aria-labelledby="sessions-title" aria-busy={!places.value}>
      <h2 id="sessions-title">{settings.sessions}</h2>
      <ul class="people-list">
        {places.value?.map(({ id, agent, address, used_ms, is_current }) => (
          <li key={id} class="person" data-session={id}>
            <span class="told">
              <b>{agent || settings.unknownDevice}</b>
              <span class="quiet">
                {is_current ? settings.thisDevice : settings.usedAt(times().seen(used_ms, Date.now()))} · {address}
              </span>
            </span>
            {!is_current && (
              <button
                type="button"
                class="plain"
                aria-label={settings.endSessionOn(agent || settings.unknownDevice)}
                onClick={() => end(id)}
              >
                {settings.endSession}
              </button>
            )}
          </li>
        ))}
      </ul>
      <Problem of={problem.value} />
      <Sure
        label={settings.everywhere}
        question={settings.everywhereSure}
        do={() => chat.konvert.api.post("/api/auth/sign-out-everywhere")}
      />
    </section>
  );
}
