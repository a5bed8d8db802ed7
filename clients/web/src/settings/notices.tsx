// Whether one wants to be told of what happens while one looks elsewhere.
import { allow, notices } from "../notices/notices";
import { words } from "../words";
import { Option } from "./option";

export function NoticeChoice() {
  const { settings } = words();
  const state = notices.value;
  return (
    <fieldset class="card">
      <legend>{settings.notifications}</legend>
      <div class="options">
        <Option isChosen={state === "on"} isDisabled={state === "unsupported"} choose={() => void allow(true)}>
          {settings.on}
        </Option>
        <Option isChosen={state !== "on"} isDisabled={state === "unsupported"} choose={() => void allow(false)}>
          {settings.off}
        </Option>
      </div>
      <p class="quiet hint" role="status">
        {state === "blocked" ? settings.blocked : state === "unsupported" ? settings.unsupported : settings.notificationsHint}
      </p>
    </fieldset>
  );
}
