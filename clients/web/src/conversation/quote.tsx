// What a message answers: whose it is, how it begins, and the way to it.
import { useMemo } from "preact/hooks";
import { Icon } from "../look/icons";
import { words } from "../words";
import { useLog } from "./open";

export function Quote({ offset }: { readonly offset: number }) {
  const log = useLog();
  const { conversation } = log;
  const { conversation: say, talk } = words();
  const quoted = useMemo(() => conversation.quoted(offset), [conversation, offset]).value;
  const name = quoted?.senderName || (quoted ? say.unknown : "");
  const go = async () => {
    if (!(await conversation.goTo(offset))) log.note.value = talk.gone;
  };
  return (
    <button type="button" class="quote" onClick={() => void go()} title={quoted ? talk.toQuoted(name) : talk.gone}>
      <b dir="auto">{name}</b>
      <span dir="auto">{quoted === null ? talk.gone : quoted ? <Snippet of={quoted} /> : "…"}</span>
    </button>
  );
}

interface SnippetProps {
  readonly of: {
    readonly said: string;
    readonly files: readonly { readonly name: string; readonly width: number }[];
    readonly isDeleted: boolean;
  };
}

/** How a message begins, in one line. */
export function Snippet({ of: { said, files, isDeleted } }: SnippetProps) {
  const { conversation, talk } = words();
  if (isDeleted) return <i>{conversation.deleted}</i>;
  const [file] = files;
  const text = said.slice(0, 200).replace(/\s+/g, " ").trim();
  return (
    <>
      {file && <Icon name="clip" size={14} />}
      {text || (file && (file.name || (file.width ? talk.picture : talk.file))) || conversation.binary}
    </>
  );
}
