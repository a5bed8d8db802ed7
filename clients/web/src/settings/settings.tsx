// The settings: how the app looks and speaks, and the way out.
//
// Loaded when somebody goes there.
import type { ComponentChildren } from "preact";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { dress, THEMES, theme } from "../look/theme";
import { isGuest, me, signOut } from "../session/session";
import { language, languages, nameOf, speak, words } from "../words";
import "./settings.css";

export function Settings() {
  const { settings, back } = words();
  const user = me.value;
  return (
    <section class="settings" aria-labelledby="settings-title">
      <header class="bar">
        <a class="quiet-button back" href="/" aria-label={back} title={back}>
          <Icon name="back" />
        </a>
        <h1 id="settings-title">{settings.title}</h1>
      </header>
      <div class="settings-body">
        {user && (
          <div class="card who">
            <Face id={user.id} name={user.name} />
            <p>
              <b dir="auto">{user.name}</b>
              <span class="quiet">{isGuest(user) ? settings.guest : user.login}</span>
            </p>
            <button type="button" class="plain" onClick={() => void signOut()}>
              <Icon name="door" />
              {settings.signOut}
            </button>
          </div>
        )}
        <Choice label={settings.theme}>
          {THEMES.map((name) => (
            <Option key={name} isChosen={theme.value === name} choose={() => dress(name)}>
              {settings.themes[name]}
            </Option>
          ))}
        </Choice>
        <Choice label={settings.language}>
          {languages.map((name) => (
            <Option key={name} isChosen={language.value === name} choose={() => speak(name)}>
              {nameOf(name)}
            </Option>
          ))}
        </Choice>
      </div>
    </section>
  );
}

function Choice({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <fieldset class="card">
      <legend>{label}</legend>
      <div class="options">{children}</div>
    </fieldset>
  );
}

interface OptionProps {
  readonly isChosen: boolean;
  readonly children: ComponentChildren;
  choose(): void;
}

function Option({ isChosen, choose, children }: OptionProps) {
  return (
    <button type="button" class="option" aria-pressed={isChosen} onClick={choose}>
      {children}
    </button>
  );
}
