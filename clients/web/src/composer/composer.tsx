// Where one writes: a text that grows with what is in it, Enter sends, Shift+Enter is a new line, ↑ in an empty one
// says one's last message anew.
//
// Owns the draft of its room. Invariants: what was written is in the drafts until it is in the outbox; nothing is sent
// before its files are there.
import { effect, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import type { Conversation } from "../model/conversation";
import { FILES_MAX } from "../model/conversation_desk";
import type { Shown } from "../model/shown";
import { joinFiles } from "../model/shown_files";
import { mentioned } from "../model/shown_mentions";
import { useChat } from "../shell/here";
import { words } from "../words";
import { About } from "./about";
import { Attachments } from "./attachments";
import { Complete, type Completion, useCompletion } from "./complete";
import "./composer.css";
import { addFiles } from "./files";

interface ComposerProps {
  readonly conversation: Conversation;
  readonly isReadOnly: boolean;
}

const encoder = new TextEncoder();

export function Composer({ conversation, isReadOnly }: ComposerProps) {
  const chat = useChat();
  const { composer, talk } = words();
  const { desk } = conversation;
  const text = useSignal(chat.drafts.get(conversation.id));
  const area = useRef<HTMLTextAreaElement>(null);
  const chosen = useRef<HTMLInputElement>(null);
  const completion = useCompletion(conversation, text, area);
  const editing = desk.edit.value;
  const files = desk.files.value;
  // What cannot become too long is not measured at every key.
  const max = chat.konvert.limits.payloadBytes;
  const over = text.value.length * 3 + files.length * 700 > max ? encoder.encode(joinFiles(text.value.trim(), files)).length - max : 0;
  const hindrance = editing ? null : desk.hindrance.value;
  const isReady = over <= 0 && !!(text.value.trim() || (files.length && !editing));
  // Whoever sends and sees nothing go is told why, until nothing is in the way any more.
  const isTold = useSignal(false);
  useEffect(() => {
    if (!hindrance) isTold.value = false;
  }, [hindrance]);

  // Where a keyboard on the screen would cover half of it, nobody asked for it by looking.
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, [conversation]);
  useLayoutEffect(() => grow(area.current), [text.value]);
  // What is said anew takes the place of the draft for a while: before the next key, so not a frame later.
  useLayoutEffect(
    () =>
      effect(() => {
        text.value = desk.edit.value?.said ?? chat.drafts.get(conversation.id);
        if (desk.edit.value || desk.reply.value) area.current?.focus();
      }),
    [conversation],
  );

  if (isReadOnly) return <p class="desk read-only quiet">{composer.readOnly}</p>;

  const write = (value: string) => {
    text.value = value;
    if (!desk.edit.peek()) chat.drafts.set(conversation.id, value);
  };
  const send = () => {
    const said = text.peek().trim();
    const editing = desk.edit.peek();
    if (over > 0 || !(said || (desk.files.peek().length && !editing))) return;
    if (!editing && desk.hindrance.peek()) {
      isTold.value = true;
      return;
    }
    const mentions = mentioned(said, completion.people()).slice(0, MENTIONS_MAX);
    if (editing) {
      conversation.edit(editing, said, mentions);
      desk.stop();
    } else {
      const reply = desk.reply.peek();
      const sent = desk.take();
      const options = {
        mentions,
        blobs: sent.map(({ blob }) => blob),
        ...(reply ? { relation: { kind: "reply", offset: reply.offset } as const } : {}),
      };
      // A message that is refused for good is shown as such in the conversation.
      conversation.say(joinFiles(said, sent), options).catch(() => {});
      write("");
      desk.stop();
    }
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
      <Complete completion={completion} />
      <div class="composer" data-over={over > 0 || undefined}>
        <About desk={desk} />
        {files.length > 0 && !editing && <Attachments desk={desk} />}
        <div class="composer-line">
          <button
            type="button"
            class="quiet-button"
            aria-label={composer.attach}
            title={composer.attach}
            disabled={!!editing}
            onClick={() => chosen.current?.click()}
          >
            <Icon name="clip" />
          </button>
          <input
            ref={chosen}
            type="file"
            name="files"
            class="only-read"
            multiple
            tabIndex={-1}
            aria-label={composer.attach}
            onChange={({ currentTarget }) => {
              addFiles(desk, currentTarget.files);
              currentTarget.value = "";
              area.current?.focus();
            }}
          />
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
            {...completion.attributes()}
            onInput={(event) => {
              write(event.currentTarget.value);
              completion.look();
              if (event.currentTarget.value.trim() && !editing) conversation.room.type();
            }}
            onPaste={(event) => {
              if (!event.clipboardData?.files.length || editing) return;
              event.preventDefault();
              addFiles(desk, event.clipboardData.files);
            }}
            onKeyDown={(event) => keys(event, { conversation, completion, text: text.peek(), send })}
          />
          <button
            type="submit"
            class="primary send"
            aria-label={editing ? talk.save : composer.send}
            title={hindrance ? composer.waits[hindrance] : editing ? talk.save : composer.send}
            disabled={!isReady}
          >
            <Icon name={editing ? "tick" : "send"} />
          </button>
        </div>
      </div>
      {over > 0 && (
        <p class="problem" role="alert">
          {composer.tooLong(over)}
        </p>
      )}
      {isTold.value && hindrance && (
        <p class="problem" role="alert">
          {composer.waits[hindrance]}
        </p>
      )}
      {desk.isTooMany.value && (
        <p class="problem" role="alert">
          {composer.tooMany(FILES_MAX)}
        </p>
      )}
    </form>
  );
}

/** As many as the protocol takes. */
const MENTIONS_MAX = 64;

interface Keys {
  readonly conversation: Conversation;
  readonly completion: Completion;
  readonly text: string;
  send(): void;
}

function keys(event: KeyboardEvent, { conversation, completion, text, send }: Keys): void {
  if (event.isComposing || completion.key(event)) return;
  if (event.key === "Enter" && !event.shiftKey) send();
  else if (event.key === "ArrowUp" && !text && !conversation.desk.edit.peek()) {
    const last = conversation.messages.peek().findLast(isEditable);
    if (!last) return;
    conversation.desk.change(last);
  } else if (event.key !== "Escape" || !conversation.desk.stop()) return;
  event.preventDefault();
}

const isEditable = ({ isOwn, state, isDeleted, isBinary }: Shown) => isOwn && state === "stored" && !isDeleted && !isBinary;

function grow(area: HTMLTextAreaElement | null): void {
  if (!area) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.3)}px`;
}
