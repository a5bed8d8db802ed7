// The second line of a dialog in the list: the draft, or what was said last, or why it cannot be told.
import { saidLast } from "../model/dialogs";
import type { Dialog } from "../model/resources";
import { words } from "../words";

interface PreviewProps {
  readonly dialog: Dialog;
  readonly draft: string;
  readonly me: string;
}

export function Preview({ dialog, draft, me }: PreviewProps) {
  const { list, conversation, you } = words();
  if (draft) {
    return (
      <>
        <span class="draft">{list.draft}:</span> {oneLine(draft)}
      </>
    );
  }
  if (dialog.mode === "e2ee") return <i>{list.sealed}</i>;
  const last = dialog.last_message;
  if (!last) return <>{dialog.about}</>;
  const who = last.sender === me ? you : dialog.kind === "direct" ? "" : last.sender_name;
  const what = saidLast(last);
  if (what === "nothing") return null;
  const said = what === "text" ? oneLine(last.text ?? "") : <i>{{ ...list, binary: conversation.binary }[what]}</i>;
  return (
    <>
      {who && <span class="who">{who}: </span>}
      {said}
    </>
  );
}

/** As much as a line can show. */
const oneLine = (text: string) => text.slice(0, 200).replace(/\s+/g, " ").trim();
