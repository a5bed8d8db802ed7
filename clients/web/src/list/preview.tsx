// The second line of a dialog in the list: the draft, or what was said last, or why it cannot be told.
import type { Dialog } from "../model/resources";
import { words } from "../words";

interface PreviewProps {
  readonly dialog: Dialog;
  readonly draft: string;
  readonly me: string;
}

export function Preview({ dialog, draft, me }: PreviewProps) {
  const { list, you } = words();
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
  const said = last.erased ? <i>{list.deleted}</i> : last.text ? oneLine(last.text) : <i>{list.file}</i>;
  return (
    <>
      {who && <span class="who">{who}: </span>}
      {said}
    </>
  );
}

/** As much as a line can show. */
const oneLine = (text: string) => text.slice(0, 200).replace(/\s+/g, " ").trim();
