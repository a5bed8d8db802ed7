// A word of what has just happened to a message, for a moment; why the server refused something, until it was read.
import { useEffect } from "preact/hooks";
import { Icon } from "../look/icons";
import { sayError, words } from "../words";
import type { OpenLog } from "./open";

const NOTE_MS = 2_500;

export function Note({ log }: { readonly log: OpenLog }) {
  const { conversation, note } = log;
  const problem = conversation.problem.value;
  useEffect(() => {
    if (!note.value) return;
    const end = setTimeout(() => (note.value = ""), NOTE_MS);
    return () => clearTimeout(end);
  }, [note.value]);
  return (
    <div class="note" role="status">
      {problem ? (
        <p class="note-paper" data-problem>
          {words().talk.refused(sayError(problem))}
          <button type="button" class="quiet-button" aria-label={words().close} onClick={() => conversation.forgive()}>
            <Icon name="close" size={16} />
          </button>
        </p>
      ) : (
        note.value && <p class="note-paper">{note.value}</p>
      )}
    </div>
  );
}
