// The text of a message, folded up when it is long.
//
// Invariants: the whole text is in the page, so that what is there is what was said; of a folded one only the beginning
// is laid out. The lines that name files are there for those who cannot see the files.
import type { Shown } from "../model/shown";
import { foldAt } from "../model/shown_fold";
import { words } from "../words";
import { useLog } from "./open";
import { Text } from "./text";

export function Body({ shown }: { readonly shown: Shown }) {
  const { conversation, talk } = words();
  const log = useLog();
  const { said, text, isDeleted, isBinary, mentions } = shown;
  if (isDeleted || isBinary) return <i class="text quiet">{isDeleted ? conversation.deleted : conversation.binary}</i>;
  const end = foldAt(said);
  const isFolded = end < said.length && !log.unfolded.value.has(shown.key);
  const files = text.slice(said.length);
  return (
    <>
      <span class="text" data-part="text" dir="auto" data-folded={isFolded || undefined}>
        {isFolded ? (
          <>
            <Text text={said.slice(0, end)} mentions={mentions} isCut />
            <span hidden>{said.slice(end)}</span>
          </>
        ) : files && said ? (
          // By itself, so that what was said can be found as such.
          <span>
            <Text text={said} mentions={mentions} />
          </span>
        ) : (
          <Text text={said} mentions={mentions} />
        )}
        {files && <span class="only-read">{files}</span>}
      </span>
      {end < said.length && (
        <button type="button" class="link unfold" onClick={() => log.fold(shown)}>
          {isFolded ? talk.showAll : talk.showLess}
        </button>
      )}
    </>
  );
}
