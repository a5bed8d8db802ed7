// Another password, with the server's advice when it is too easy to guess.
import { useSignal } from "@preact/signals";
import { Field, Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";

export function Password() {
  const chat = useChat();
  const { settings, door } = words();
  const isChanged = useSignal(false);
  const { act, isBusy, problem } = useAct();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    isChanged.value = false;
    isChanged.value = await act(() =>
      chat.konvert.api.put("/api/auth/password", { old_password: data.get("old"), new_password: data.get("new") }),
    );
    if (isChanged.value) form.reset();
  };
  return (
    <details class="card">
      <summary>{settings.changePassword}</summary>
      <form class="form" data-form="password" onSubmit={submit}>
        {/* For whoever keeps passwords: which sign-in it belongs to. */}
        <input type="text" name="username" autocomplete="username" value={chat.me.login ?? ""} hidden readOnly />
        <Field label={settings.oldPassword}>
          {(field) => (
            <input {...field} class="text-field" type="password" name="old" required autocomplete="current-password" maxLength={256} />
          )}
        </Field>
        <Field label={settings.newPassword} hint={door.passwordHint}>
          {(field) => (
            <input {...field} class="text-field" type="password" name="new" required autocomplete="new-password" maxLength={256} />
          )}
        </Field>
        <Problem of={problem.value} />
        <p class="acts">
          <button type="submit" class="primary" aria-busy={isBusy.value}>
            {settings.changePassword}
          </button>
          <span class="said" role="status">
            {isChanged.value ? settings.passwordChanged : ""}
          </span>
        </p>
      </form>
    </details>
  );
}
