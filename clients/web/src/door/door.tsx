// The door: sign in, make an account, or look around as a guest.
//
// Owns which of the three is shown. Invariant: what was typed survives a refusal, and the refusal is said beside it.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Icon } from "../look/icons";
import { Mark } from "../look/mark";
import { BYTES_MAX, type Fault, lineFault, loginFault, newPasswordFault } from "../model/fields";
import { LOBBY } from "../model/lobby";
import { go, pathOf, route } from "../router";
import { enterAsGuest, sentOut, signIn, signUp } from "../session/session";
import { useFaults } from "../shell/act";
import { type Cases, language, languages, nameOf, sayError, sayFault, speak, words } from "../words";
import "./door.css";

type Way = "sign-in" | "sign-up" | "guest";

export function Door() {
  const { door, app, refusals } = words();
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
          <Form
            key="sign-in"
            name="sign-in"
            label={door.signIn}
            cases={{ revoked: refusals.blocked }}
            check={(get) => ({ login: get("login") ? null : "empty", password: get("password") ? null : "empty" })}
            enter={(get) => signIn(get("login"), get("password"))}
          >
            {(asked) => (
              <>
                <Field {...asked("login")} label={door.login} autocomplete="username" />
                <Password {...asked("password")} autocomplete="current-password" />
              </>
            )}
          </Form>
        )}
        {way.value === "sign-up" && (
          <Form
            key="sign-up"
            name="sign-up"
            label={door.signUp}
            cases={{ forbidden: refusals.signUpClosed }}
            check={(get) => ({
              name: lineFault(get("name"), BYTES_MAX.name),
              login: loginFault(get("login")),
              password: newPasswordFault(get("password")),
            })}
            enter={(get) => signUp(get("name"), get("login"), get("password"))}
          >
            {(asked) => (
              <>
                <Field {...asked("name")} label={door.name} hint={door.nameHint} autocomplete="name" />
                <Field {...asked("login")} label={door.login} hint={door.loginHint} autocomplete="username" />
                <Password {...asked("password")} autocomplete="new-password" hint={door.passwordHint} />
              </>
            )}
          </Form>
        )}
        {way.value === "guest" && (
          <Form
            key="guest"
            name="guest"
            label={door.enter}
            check={(get) => ({ name: lineFault(get("name"), BYTES_MAX.name) })}
            enter={(get) => visit(get("name"))}
          >
            {(asked) => <Field {...asked("name")} label={door.name} hint={door.guestHint} autocomplete="nickname" />}
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

type Found = Readonly<Record<string, Fault | null>>;

interface FormProps {
  readonly name: Way;
  readonly label: string;
  /** What refusals mean here. */
  readonly cases?: Cases;
  readonly children: (asked: (name: string) => Asked) => ComponentChildren;
  /** What is wrong with what was typed, by the names of the fields. */
  check(get: (field: string) => string): Found;
  enter(get: (field: string) => string): Promise<void>;
}

/** A field as its form knows it. */
interface Asked {
  readonly name: string;
  readonly fault: Fault | null;
  /** The server has refused what is in it. */
  readonly isRefused: boolean;
}

/** Which fields a refusal is about; the first is where one goes on. */
const BLAMED: Readonly<Record<string, readonly string[]>> = {
  wrong_credentials: ["password", "login"],
  login_taken: ["login"],
  weak_password: ["password"],
  bad_name: ["name"],
};

const PROBLEM = "door-problem";

function Form({ name, label, cases, children, check, enter }: FormProps) {
  const problem = useSignal<unknown>(null);
  const refused = useSignal<readonly string[]>([]);
  const isBusy = useSignal(false);
  const { faults, check: isWell, forget } = useFaults<string>();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy.value) return;
    const form = event.currentTarget as HTMLFormElement;
    const data = new FormData(form);
    const get = (field: string) => {
      const text = String(data.get(field) ?? "");
      return field === "password" ? text : text.trim();
    };
    problem.value = null;
    refused.value = [];
    if (!isWell(form, check(get))) return;
    isBusy.value = true;
    try {
      await enter(get);
    } catch (error) {
      problem.value = error;
      refused.value = BLAMED[(error as { name?: string }).name ?? ""] ?? [];
      // What is wrong is typed over.
      if (refused.value[0]) form.querySelector<HTMLInputElement>(`input[name=${refused.value[0]}]`)?.select();
    }
    isBusy.value = false;
  };
  const asked = (field: string): Asked => ({ name: field, fault: faults[field] ?? null, isRefused: refused.value.includes(field) });
  const isMissing = Object.values(faults).includes("empty");
  return (
    <form
      data-form={name}
      onSubmit={submit}
      onInput={(event) => {
        const field = (event.target as HTMLInputElement).name;
        forget(field);
        if (refused.value.includes(field)) refused.value = [];
      }}
      noValidate
      aria-label={label}
    >
      {children(asked)}
      <button class="primary" type="submit" aria-busy={isBusy.value}>
        {label}
      </button>
      {/* Below the button, in a place of its own: nothing that one is about to touch moves when it comes. */}
      <p class="problem" role="alert" id={PROBLEM}>
        {problem.value ? sayError(problem.value, cases) : isMissing ? sayFault("empty") : ""}
      </p>
    </form>
  );
}

interface FieldProps extends Asked {
  readonly label: string;
  readonly autocomplete: string;
  readonly hint?: string;
  readonly type?: "text" | "password";
  readonly children?: ComponentChildren;
}

function Field({ name, label, hint, fault, isRefused, autocomplete, type = "text", children }: FieldProps) {
  const id = `door-${name}`;
  // In the place of the hint, which is of one line as well.
  const isSaidHere = !!fault && fault !== "empty" && !!hint;
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
          aria-invalid={!!fault || isRefused}
          aria-describedby={[hint && `${id}-hint`, (isRefused || fault === "empty") && PROBLEM].filter(Boolean).join(" ") || undefined}
        />
        {children}
      </div>
      {hint && (
        <p class={isSaidHere ? "hint wrong" : "hint"} id={`${id}-hint`} role={isSaidHere ? "alert" : undefined}>
          {isSaidHere ? sayFault(fault) : hint}
        </p>
      )}
    </div>
  );
}

function Password({ hint, ...asked }: Omit<FieldProps, "label" | "type" | "children">) {
  const { door } = words();
  const isShown = useSignal(false);
  return (
    <Field {...asked} {...(hint ? { hint } : {})} label={door.password} type={isShown.value ? "text" : "password"}>
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
