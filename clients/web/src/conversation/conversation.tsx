// The right pane: one conversation with its head, its messages and where one writes.
//
// Owns which of them is there: sealed and refused ones have no messages. Invariant: whatever cannot be read is said to
// be so, never shown as empty.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Composer } from "../composer/composer";
import { Drop } from "../composer/drop";
import { go } from "../router";
import { Empty } from "../shell/empty";
import { useChat } from "../shell/here";
import { words } from "../words";
import "./conversation.css";
import { Head } from "./head";
import { Log } from "./log";

interface ConversationProps {
  /** The room's name. */
  readonly name: string;
  readonly isDialog: boolean;
}

export function Conversation({ name, isDialog }: ConversationProps) {
  const chat = useChat();
  const isSealed = chat.dialogs.get(name)?.mode === "e2ee";
  const place = useRef<HTMLElement>(null);
  return (
    <section class="conversation" data-conversation={name} ref={place}>
      {isSealed ? (
        <>
          <Head name={name} isDialog={isDialog} conversation={null} />
          <Empty title={words().conversation.sealedTitle} isSealed>
            {words().conversation.sealedHint}
          </Empty>
        </>
      ) : (
        <Open name={name} isDialog={isDialog} place={place} />
      )}
    </section>
  );
}

function Open({ name, isDialog, place }: ConversationProps & { readonly place: { readonly current: HTMLElement | null } }) {
  const chat = useChat();
  const { conversation: say } = words();
  const conversation = useMemo(() => chat.conversation(name, isDialog), [chat, name, isDialog]);
  useEffect(() => conversation.revisit(), [conversation]);
  if (conversation.state.value === "refused") {
    return (
      <>
        <Head name={name} isDialog={isDialog} conversation={null} />
        <Empty title={say.refused} isSealed action={{ label: words().back, do: () => go("/") }}>
          {say.refusedHint}
        </Empty>
      </>
    );
  }
  // A room that the list does not know is a plain one: it knows by itself whether one may write there.
  const dialog = chat.dialogs.get(name);
  const isReader = dialog?.role === "reader";
  const isModerator = dialog?.role === "admin" || dialog?.role === "owner";
  const isSealed = conversation.state.value === "open" && conversation.room.mode === "e2ee";
  return (
    <>
      <Head name={name} isDialog={isDialog} conversation={conversation} />
      {isSealed ? (
        <Empty title={say.sealedTitle} isSealed>
          {say.sealedHint}
        </Empty>
      ) : (
        <Log conversation={conversation} mayWrite={!isReader} mayModerate={isModerator} />
      )}
      {!isSealed && !isReader && <Drop desk={conversation.desk} place={place} />}
      {!isSealed && <Composer conversation={conversation} isReadOnly={isReader} />}
    </>
  );
}
