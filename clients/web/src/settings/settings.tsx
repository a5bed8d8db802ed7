// The settings: who one is, how one is known to the server, how the app looks and speaks, the way out.
//
// Loaded when somebody goes there. Invariant: a guest is shown what a guest can do, and nothing that would be refused.
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { dress, THEMES, theme } from "../look/theme";
import { isGuest, type Me, me, signOut } from "../session/session";
import "../shell/act.css";
import { language, languages, nameOf, speak, words } from "../words";
import { Delete } from "./delete";
import { Install } from "./install";
import { Limits } from "./limits";
import { NoticeChoice } from "./notices";
import { Choice, Option } from "./option";
import { Password } from "./password";
import { Profile } from "./profile";
import { Sessions } from "./sessions";
import "./settings.css";

export function Settings() {
  const { settings, back } = words();
  const user = me.value;
  // Somebody else vouches for users of another origin: they have no password here.
  const hasAccount = user?.origin === "account";
  return (
    <section class="settings" aria-labelledby="settings-title">
      <header class="bar">
        <a class="quiet-button back" href="/" aria-label={back} title={back}>
          <Icon name="back" />
        </a>
        <h1 id="settings-title">{settings.title}</h1>
      </header>
      <div class="settings-body">
        {user && (hasAccount ? <Profile user={user} /> : <Who user={user} />)}
        <NoticeChoice />
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
              <span lang={name}>{nameOf(name)}</span>
            </Option>
          ))}
        </Choice>
        <Install />
        {hasAccount && <Password />}
        {hasAccount && <Sessions />}
        <Limits />
        {hasAccount && <Delete />}
        <button type="button" class="plain out" onClick={() => void signOut()}>
          <Icon name="door" />
          {settings.signOut}
        </button>
      </div>
    </section>
  );
}

function Who({ user }: { readonly user: Me }) {
  const { settings } = words();
  return (
    <div class="card who">
      <Face id={user.id} name={user.name} avatar={user.avatar} />
      <p>
        <b dir="auto">{user.name}</b>
        <span class="quiet">{isGuest(user) ? settings.guest : user.login}</span>
      </p>
      {isGuest(user) && <p class="quiet hint">{settings.guestHint}</p>}
    </div>
  );
}
