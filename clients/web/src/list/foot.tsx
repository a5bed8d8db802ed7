// Who one is, how the connection is, and the way to the settings.
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { me } from "../session/session";
import { useChat } from "../shell/here";
import { Link } from "../shell/link";
import { words } from "../words";

export function Foot() {
  const chat = useChat();
  const { list } = words();
  const { id, name } = me.value ?? chat.me;
  return (
    <footer class="list-foot">
      <Face id={id} name={name} />
      <div class="own">
        <span class="name" dir="auto">
          {name}
        </span>
        <Link />
      </div>
      <a class="quiet-button" href="/settings" aria-label={list.settings} title={list.settings}>
        <Icon name="gear" />
      </a>
    </footer>
  );
}
