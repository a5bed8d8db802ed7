// What concerns the whole app: there is no network, the server is silent, or another version is ready.
//
// Invariant: it says what is so: how much waits to be sent is counted, not guessed.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Icon } from "../look/icons";
import { words } from "../words";
import "./banner.css";
import { useChat } from "./here";
import { isUpdateReady, update } from "./worker";

export function Banner() {
  const chat = useChat();
  const { offline: say } = words();
  const { connection } = chat;
  const state = connection.state.value;
  // A first attempt that takes its time is no lost network.
  const hasFailed = state.name !== "connecting" || state.attempt > 0;
  const isAway = !connection.isCalm.value && (!connection.isDeviceOnline.value || (chat.isRecalled.value && hasFailed));
  const waiting = useWaiting();
  if (isUpdateReady.value) {
    return (
      <div class="banner" data-banner="update" role="status">
        <Icon name="send" size={18} />
        <span>{say.update}</span>
        <button type="button" class="plain" onClick={update}>
          {say.reload}
        </button>
        <button type="button" class="link" onClick={() => (isUpdateReady.value = false)}>
          {say.later}
        </button>
      </div>
    );
  }
  if (!isAway) return null;
  return (
    <div class="banner" data-banner="offline" role="status">
      <Icon name="cloud" size={18} />
      <span>
        {connection.isDeviceOnline.value ? say.silent : say.banner}
        {waiting > 0 && <b> {say.waiting(waiting)}</b>}
      </span>
    </div>
  );
}

/** How many messages wait to be sent. */
function useWaiting(): number {
  const { konvert } = useChat();
  const count = useSignal(0);
  useEffect(() => {
    const look = () => {
      count.value = konvert.outbox.filter(({ state }) => state !== "rejected").length;
    };
    look();
    return konvert.on("outbox", look);
  }, [konvert]);
  return count.value;
}
