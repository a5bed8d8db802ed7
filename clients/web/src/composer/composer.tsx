// Where one writes: a text that grows with what is in it, Enter sends, Shift+Enter is a new line.
//
// Owns the draft of its room. Invariant: what was written is in the drafts until it is in the outbox.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import type { Conversation } from "../model/conversation";
import { useChat } from "../shell/here";
import { words } from "../words";
import "./composer.css";

interface ComposerProps {
  readonly conversation: Conversation;
  readonly isReadOnly: boolean;
}

const encoder = new TextEncoder();

export function Composer({ conversation, isReadOnly }: ComposerProps) {
  const chat = useChat();
  const { composer } = words();
  const text = useSignal(chat.drafts.get(conversation.id));
  const area = useRef<HTMLTextAreaElement>(null);
  // What cannot become too long is not measured at every key.
  const max = chat.konvert.limits.payloadBytes;
  const over = text.value.length * 3 > max ? encoder.encode(text.value.trim()).length - max : 0;

  // Where a keyboard on the screen would cover half of it, nobody asked for it by looking.
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, [conversation]);
  useLayoutEffect(() => grow(area.current), [text.value]);

  if (isReadOnly) return <p class="desk read-only quiet">{composer.readOnly}</p>;

  const write = (value: string) => {
    text.value = value;
    chat.drafts.set(conversation.id, value);
  };
  const send = () => {
    const said = text.value.trim();
    if (!said || over > 0) return;
    // A message that is refused for good is shown as such in the conversation.
    conversation.say(said).catch(() => {});
    write("");
    area.current?.focus();
  };
  return (
    <form
      class="desk"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="composer" data-over={over > 0 || undefined}>
        <textarea
          ref={area}
          name="message"
          rows={1}
          value={text.value}
          placeholder={composer.placeholder}
          aria-label={composer.label}
          aria-invalid={over > 0}
          autocomplete="off"
          dir="auto"
          enterkeyhint="send"
          onInput={(event) => {
            write(event.currentTarget.value);
            if (event.currentTarget.value.trim()) conversation.room.type();
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button
          type="submit"
          class="primary send"
          aria-label={composer.send}
          title={composer.send}
          disabled={!text.value.trim() || over > 0}
        >
          <Icon name="send" />
        </button>
      </div>
      {over > 0 && (
        <p class="problem" role="alert">
          {composer.tooLong(over)}
        </p>
      )}
    </form>
  );
}

function grow(area: HTMLTextAreaElement | null): void {
  if (!area) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.3)}px`;
}
