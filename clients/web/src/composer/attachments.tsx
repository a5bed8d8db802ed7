// The files that go with the next message: how far each has come, what went wrong, and the way to leave one out.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { sizeOf } from "../conversation/files";
import { Icon } from "../look/icons";
import type { Attachment, Desk } from "../model/conversation_desk";
import { sayError, words } from "../words";

/** What is a picture to every browser, whatever else calls itself one. */
const SEEN = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;

export function Attachments({ desk }: { readonly desk: Desk }) {
  return (
    <ul class="attachments">
      {desk.files.value.map((attachment) => (
        <One key={attachment.id} desk={desk} attachment={attachment} />
      ))}
    </ul>
  );
}

function One({ desk, attachment }: { readonly desk: Desk; readonly attachment: Attachment }) {
  const { composer } = words();
  const { file, name } = attachment;
  const state = attachment.state.value;
  const isBroken = useSignal(false);
  const url = useMemo(() => (SEEN.test(file.type) ? URL.createObjectURL(file) : ""), [file]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  const percent = state.at === "uploading" ? Math.floor((100 * state.sentBytes) / Math.max(1, file.size)) : 100;
  const problem = state.at === "failed" ? (state.isLasting ? sayError(state.error) : composer.interrupted) : "";
  const leave = composer.removeFile(name);
  return (
    <li class="attachment" data-state={state.at}>
      {url && !isBroken.value ? (
        <img
          src={url}
          alt=""
          onError={() => {
            isBroken.value = true;
          }}
        />
      ) : (
        <span class="attachment-icon">
          <Icon name="file" />
        </span>
      )}
      <span class="attachment-words">
        <bdi class="file-name">{name}</bdi>
        {problem ? (
          <span class="problem" role="alert">
            {problem}
          </span>
        ) : (
          <span class="quiet">{state.at === "uploading" ? `${percent} % · ${sizeOf(file.size)}` : sizeOf(file.size)}</span>
        )}
        <progress
          max={100}
          value={percent}
          aria-label={state.at === "uploading" ? composer.uploading(name, percent) : composer.uploaded(name)}
          hidden={state.at !== "uploading"}
        />
      </span>
      {state.at === "failed" && !state.isLasting && (
        <button
          type="button"
          class="quiet-button"
          aria-label={composer.retryFile(name)}
          title={composer.retryFile(name)}
          onClick={() => desk.upload(attachment)}
        >
          <Icon name="retry" size={18} />
        </button>
      )}
      <button type="button" class="quiet-button" aria-label={leave} title={leave} onClick={() => desk.remove(attachment)}>
        <Icon name="close" size={18} />
      </button>
    </li>
  );
}
