// The reactions to a message: how many of each, ours pressed.
import type { Shown } from "../model/shown";
import { useChat } from "../shell/here";
import { words } from "../words";
import { useLog } from "./open";

/** A reaction is what its sender wrote: more than this of it is not shown. */
const REACTION_MAX = 24;
const NAMES_MAX = 8;

export function Reactions({ shown }: { readonly shown: Shown }) {
  const log = useLog();
  const { me, people } = useChat();
  const { talk, you, conversation: say } = words();
  const nameOf = (user: string) => (user === me.id ? you : (log.conversation.nameOf(user) ?? people.get(user).peek()?.name ?? say.unknown));
  return (
    <ul class="reactions">
      {shown.reactions.map((reaction) => {
        const { text, users } = reaction;
        const names = users.slice(0, NAMES_MAX).map(nameOf).join(", ");
        const label = talk.reactedBy(text, users.length > NAMES_MAX ? `${names} ${talk.andMore(users.length - NAMES_MAX)}` : names);
        return (
          <li key={text}>
            <button
              type="button"
              class="reaction"
              aria-pressed={users.includes(me.id)}
              title={label}
              disabled={!log.mayWrite}
              onClick={() => log.conversation.react(shown, text)}
            >
              <bdi>{[...text].slice(0, REACTION_MAX).join("")}</bdi> <span>{users.length}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
