// The end of an account.
//
// Invariant: nothing is deleted without the password, and what that means is said before.
import { signOut } from "../session/session";
import { Field, Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";

export function Delete() {
  const chat = useChat();
  const { settings, door, refusals } = words();
  const { act, isBusy, problem } = useAct();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const password = new FormData(event.currentTarget as HTMLFormElement).get("password");
    void act(async () => {
      await chat.konvert.api.delete("/api/auth/me", { body: { password } });
      await signOut();
    });
  };
  return (
    <details class="card grave-card">
      <summary>{settings.delete}</summary>
      <form class="form" data-form="delete" onSubmit={submit}>
        <p>{settings.deleteHint}</p>
        <Field label={door.password}>
          {(field) => (
            <input {...field} class="text-field" type="password" name="password" required autocomplete="current-password" maxLength={256} />
          )}
        </Field>
        <Problem of={problem.value} cases={{ wrong_credentials: refusals.wrongPassword, not_possible: refusals.lastAdministrator }} />
        <p class="acts">
          <button type="submit" class="primary grave" aria-busy={isBusy.value}>
            {settings.deleteSure}
          </button>
        </p>
      </form>
    </details>
  );
}
