// What the next message is about: the one it answers, or the one that is said anew.
import { Snippet } from "../conversation/quote";
import { Icon } from "../look/icons";
import type { Desk } from "../model/conversation_desk";
import { words } from "../words";

export function About({ desk }: { readonly desk: Desk }) {
  const { composer, conversation, talk, you } = words();
  const edit = desk.edit.value;
  const shown = edit ?? desk.reply.value;
  if (!shown) return null;
  const stop = edit ? composer.stopEdit : composer.stopReply;
  return (
    <div class="about-message">
      <Icon name={edit ? "pen" : "reply"} size={18} />
      <p>
        <b dir="auto">{edit ? talk.editing : talk.replyTo(shown.isOwn ? you : shown.senderName || conversation.unknown)}</b>
        <span dir="auto">
          <Snippet of={shown} />
        </span>
      </p>
      <button type="button" class="quiet-button" aria-label={stop} title={stop} onClick={() => desk.stop()}>
        <Icon name="close" size={18} />
      </button>
    </div>
  );
}
