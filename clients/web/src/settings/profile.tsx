// How one is shown to others.
import { useSignal } from "@preact/signals";
import { AvatarField } from "../groups/avatar";
import { aboutFault, BYTES_MAX, emailFault, lineFault } from "../model/fields";
import { became, type Me } from "../session/session";
import { Field, Problem, useAct, useFaults } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";

export function Profile({ user }: { readonly user: Me }) {
  const chat = useChat();
  const { settings } = words();
  const name = useSignal(user.name);
  const about = useSignal(user.about);
  const email = useSignal(user.email ?? "");
  const avatar = useSignal(user.avatar);
  const isComing = useSignal(false);
  const isSaved = useSignal(false);
  const { act, isBusy, problem } = useAct();
  const { faults, check, forget } = useFaults<"name" | "about" | "email">();
  const isSame =
    name.value.trim() === user.name &&
    about.value.trim() === user.about &&
    email.value.trim() === (user.email ?? "") &&
    avatar.value === user.avatar;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const found = {
      name: lineFault(name.value, BYTES_MAX.name),
      about: aboutFault(about.value.trim()),
      email: emailFault(email.value.trim()),
    };
    if (!check(event.currentTarget as HTMLFormElement, found)) return;
    const patch = {
      name: name.value.trim(),
      about: about.value.trim(),
      email: email.value.trim() || null,
      avatar: avatar.value,
    };
    isSaved.value = await act(async () => became(await chat.konvert.api.patch<Me>("/api/auth/me", patch)));
  };
  return (
    <form
      class="card form"
      data-form="profile"
      aria-label={settings.profile}
      noValidate
      onSubmit={submit}
      onInput={(event) => forget((event.target as HTMLInputElement).name as "name" | "about" | "email")}
    >
      <AvatarField id={user.id} name={name.value} avatar={avatar} isComing={isComing} />
      <p class="quiet">
        {words().door.login}: <b>{user.login}</b>
      </p>
      <Field label={settings.name} hint={words().door.nameHint} fault={faults.name ?? null}>
        {(field) => (
          <input
            {...field}
            class="text-field"
            name="name"
            required
            maxLength={256}
            autocomplete="name"
            dir="auto"
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label={settings.about} fault={faults.about ?? null}>
        {(field) => (
          <textarea
            {...field}
            class="text-field"
            name="about"
            rows={2}
            dir="auto"
            value={about.value}
            onInput={(event) => (about.value = event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label={settings.email} hint={settings.emailHint} fault={faults.email ?? null}>
        {(field) => (
          <input
            {...field}
            class="text-field"
            type="email"
            name="email"
            autocomplete="email"
            value={email.value}
            onInput={(event) => (email.value = event.currentTarget.value)}
          />
        )}
      </Field>
      <Problem of={problem.value} />
      <p class="acts">
        <button
          type="submit"
          class="primary"
          disabled={isComing.value || isSame || !name.value.trim()}
          aria-busy={isComing.value || isBusy.value}
        >
          {settings.save}
        </button>
        <span class="said" role="status">
          {isSaved.value && isSame ? settings.saved : ""}
        </span>
      </p>
    </form>
  );
}
