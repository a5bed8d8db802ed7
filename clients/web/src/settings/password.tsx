// Another password, with the server's advice when it is too easy to guess.
import { useSignal } from "@preact/signals";
import { newPasswordFault } from "../model/fields";
import { Field, Problem, useAct, useFaults } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";

export function Password() {
  const chat = useChat();
  const { settings, door, refusals } = words();
  const isChanged = useSignal(false);
  const { act, isBusy, problem } = useAct();
  const { faults, check, forget } = useFaults<"old" | "new">();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    isChanged.value = false;
    problem.value = null;
    if (!check(form, { old: data.get("old") ? null : "empty", new: newPasswordFault(String(data.get("new"))) })) return;
    isChanged.value = await act(() =>
      chat.konvert.api.put("/api/auth/password", { old_password: data.get("old"), new_password: data.get("new") }),
    );
    if (isChanged.value) return form.reset();
    const wrong = { wrong_credentials: "old", weak_password: "new" }[(problem.value as { name?: string } | null)?.name ?? ""];
    if (wrong) form.querySelector<HTMLInputElement>(`input[name=${wrong}]`)?.select();
  };
  return (
    <details class="card">
      <summary>{settings.changePassword}</summary>
      <form
        class="form"
        data-form="password"
        noValidate
        onSubmit={submit}
        onInput={(event) => forget((event.target as HTMLInputElement).name as "old" | "new")}
      >
        {/* For whoever keeps passwords: which sign-in it belongs to. */}
        <input type="text" name="username" autocomplete="username" value={chat.me.login ?? ""} hidden readOnly />
        <Field label={settings.oldPassword} fault={faults.old ?? null}>
          {(field) => (
            <input {...field} class="text-field" type="password" name="old" required autocomplete="current-password" maxLength={256} />
          )}
        </Field>
        <Field label={settings.newPassword} hint={door.passwordHint} fault={faults.new ?? null}>
          {(field) => (
            <input {...field} class="text-field" type="password" name="new" required autocomplete="new-password" maxLength={256} />
          )}
        </Field>
        <Problem of={problem.value} cases={{ wrong_credentials: refusals.wrongOldPassword }} />
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
