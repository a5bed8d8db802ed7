// The door: sign in, make an account, or look around as a guest.
//
// Owns which of the three is shown. Invariant: what was typed survives a refusal, and the refusal is said beside it.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Icon } from "../look/icons";
import { Mark } from "../look/mark";
import { LOBBY } from "../model/lobby";
import { go, pathOf, route } from "../router";
import { enterAsGuest, sentOut, signIn, signUp } from "../session/session";
import { language, languages, nameOf, sayError, speak, words } from "../words";
import "./door.css";

type Way = "sign-in" | "sign-up" | "guest";

export function Door() {
  const { door, app } = words();
  const way = useSignal<Way>("sign-in");
  const turn = (to: Way) => (
    <button type="button" class="link" onClick={() => (way.value = to)}>
      {{ "sign-in": door.haveAccount, "sign-up": door.signUp, guest: door.guest }[to]}
    </button>
  );
  return (
    <main class="door">
      <Languages />
      <section class="letter">
        <Mark size={64} />
        <h1>{app}</h1>
        <p class="quiet">{door.tagline}</p>
        {sentOut.value && <p class="notice">{door.sentOut}</p>}
        {way.value === "sign-in" && (
          <Form key="sign-in" name="sign-in" label={door.signIn} enter={(get) => signIn(get("login"), get("password"))}>
            <Field name="login" label={door.login} autocomplete="username" />
            <Password autocomplete="current-password" />
          </Form>
        )}
        {way.value === "sign-up" && (
          <Form key="sign-up" name="sign-up" label={door.signUp} enter={(get) => signUp(get("name"), get("login"), get("password"))}>
            <Field name="name" label={door.name} hint={door.nameHint} autocomplete="name" />
            <Field name="login" label={door.login} hint={door.loginHint} autocomplete="username" />
            <Password autocomplete="new-password" hint={door.passwordHint} />
          </Form>
        )}
        {way.value === "guest" && (
          <Form key="guest" name="guest" label={door.enter} enter={(get) => visit(get("name"))}>
            <Field name="name" label={door.name} hint={door.guestHint} autocomplete="nickname" />
          </Form>
        )}
        <p class="ways">
          {way.value === "sign-in" ? (
            <>
              <span class="quiet">{door.noAccount}</span> {turn("sign-up")}
            </>
          ) : (
            turn("sign-in")
          )}
        </p>
        {way.value !== "guest" && <p class="ways">{turn("guest")}</p>}
      </section>
    </main>
  );
}

/** Guests come for the lobby, unless a link has brought them elsewhere. */
async function visit(name: string): Promise<void> {
  await enterAsGuest(name);
  if (route.peek().at === "list" || route.peek().at === "door") go(pathOf(LOBBY, false), { replace: true });
}

interface FormProps {
  readonly name: Way;
  readonly label: string;
  readonly children: ComponentChildren;
  enter(get: (field: string) => string): Promise<void>;
}

function Form({ name, label, children, enter }: FormProps) {
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    isBusy.value = true;
    problem.value = null;
    try {
      await enter((field) => {
        const text = String(data.get(field) ?? "");
        return field === "password" ? text : text.trim();
      });
    } catch (error) {
      problem.value = error;
      form.querySelector("input")?.focus();
    }
    isBusy.value = false;
  };
  return (
    <form data-form={name} onSubmit={submit} aria-label={label}>
      {children}
      <p class="problem" role="alert">
        {problem.value ? sayError(problem.value) : ""}
      </p>
      <button class="primary" type="submit" aria-busy={isBusy.value}>
        {label}
      </button>
    </form>
  );
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly autocomplete: string;
  readonly hint?: string;
  readonly type?: "text" | "password";
  readonly children?: ComponentChildren;
}

function Field({ name, label, hint, autocomplete, type = "text", children }: FieldProps) {
  const id = `door-${name}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input">
        <input
          {...{ id, name, autocomplete }}
          type={type as "text"}
          required
          maxLength={256}
          autocapitalize={name === "name" ? "words" : "none"}
          spellcheck={false}
          aria-describedby={hint ? `${id}-hint` : undefined}
        />
        {children}
      </div>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

function Password({ autocomplete, hint }: { readonly autocomplete: string; readonly hint?: string }) {
  const { door } = words();
  const isShown = useSignal(false);
  return (
    <Field
      name="password"
      label={door.password}
      type={isShown.value ? "text" : "password"}
      {...{ autocomplete, ...(hint ? { hint } : {}) }}
    >
      <button
        type="button"
        class="quiet-button"
        aria-pressed={isShown.value}
        aria-label={door.showPassword}
        title={door.showPassword}
        onClick={() => (isShown.value = !isShown.value)}
      >
        <Icon name="eye" />
      </button>
    </Field>
  );
}

function Languages() {
  return (
    <p class="languages">
      {languages.map((name) => (
        <button
          key={name}
          type="button"
          class="quiet-button"
          lang={name}
          aria-pressed={language.value === name}
          onClick={() => speak(name)}
        >
          {nameOf(name)}
        </button>
      ))}
    </p>
  );
}
