// The state of the connection, truthfully: what it is, and when the next attempt is.
//
// Invariant: the countdown is apart from what is read aloud, so that nobody hears every second.
import type { Reason } from "@konvert/sdk";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { sayError, words } from "../words";
import { useChat } from "./here";

export function Link() {
  const { connection } = useChat();
  const { connection: say } = words();
  const state = connection.state.value;
  const isCalm = connection.isCalm.value;
  const isOffline = !connection.isDeviceOnline.value;
  const isShown = isCalm ? "connected" : isOffline && state.name !== "closed" ? "waiting" : state.name;
  const text = isOffline ? say.offline : say[isShown];
  const why = state.name === "closed" ? whyClosed(state.reason) : "";
  const over = state.name === "connected" ? say.over[state.transport as keyof typeof say.over] : undefined;
  return (
    <span class="link-state" data-state={isShown}>
      <span class="dot" aria-hidden="true" />
      <span role="status" title={over}>
        {why && !isCalm ? `${text}: ${why}` : text}
      </span>
      {!isCalm && state.name === "waiting" && <Countdown until={state.retryAtMs} />}
      {!isCalm && (state.name === "waiting" || state.name === "closed") && (
        <button type="button" class="link" onClick={() => connection.tryNow()}>
          {state.name === "closed" ? say.connectAgain : say.tryNow}
        </button>
      )}
    </span>
  );
}

/** In our words; of a reason that is newer than this app, the number is told. */
function whyClosed({ code, name, error }: Reason): string {
  const { connection: say } = words();
  const known: Readonly<Record<string, string>> = say.why;
  return known[name] ?? say.whyElse(error ? sayError(error) : words().errors.unknown, code);
}

function Countdown({ until }: { readonly until: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 1_000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(1, Math.ceil((until - now.value) / 1_000));
  return <span aria-hidden="true">{words().connection.retryIn(seconds)}</span>;
}
