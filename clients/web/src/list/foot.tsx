// Who one is, how the connection is, and the way to the settings.
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { me } from "../session/session";
import { useChat } from "../shell/here";
import { Link } from "../shell/link";
import { words } from "../words";

export function Foot() {
  const chat = useChat();
  const { list, contacts } = words();
  const { id, name, avatar } = me.value ?? chat.me;
  const waiting = chat.contacts.waiting.value;
  const toContacts = waiting ? `${list.contacts}: ${contacts.waiting(waiting)}` : list.contacts;
  return (
    <footer class="list-foot">
      <Face id={id} name={name} avatar={avatar} />
      <div class="own">
        <span class="name" dir="auto">
          {name}
        </span>
        <Link />
      </div>
      <a class="quiet-button" href="/contacts" aria-label={toContacts} title={toContacts}>
        <Icon name="people" />
        {waiting > 0 && (
          <span class="badge" aria-hidden="true">
            {waiting}
          </span>
        )}
      </a>
      <a class="quiet-button" href="/settings" aria-label={list.settings} title={list.settings}>
        <Icon name="gear" />
      </a>
    </footer>
  );
}
