// What somebody wrote: plain text in which addresses are links and mentions are marked.
//
// Invariant: only http, https and mailto become links, and a link shows the address it leads to: one that is cut off at
// the end of a folded text is none.
import { piecesOf } from "../model/links";
import { mentionsIn } from "../model/shown_mentions";
import { useChat } from "../shell/here";

interface TextProps {
  readonly text: string;
  readonly mentions: readonly string[];
  /** It goes on behind its end. */
  readonly isCut?: boolean;
}

export function Text({ text, mentions, isCut = false }: TextProps) {
  const pieces = piecesOf(text);
  if (pieces.length === 1 && !pieces[0]?.href && !mentions.length) return <>{text}</>;
  return (
    <>
      {pieces.map(({ text: piece, href }, i) =>
        href && !(isCut && i === pieces.length - 1) ? (
          <a key={i} href={href} target="_blank" rel="noopener noreferrer nofollow">
            {piece}
          </a>
        ) : mentions.length ? (
          <Mentions key={i} text={piece} mentions={mentions} />
        ) : (
          piece
        ),
      )}
    </>
  );
}

function Mentions({ text, mentions }: { readonly text: string; readonly mentions: readonly string[] }) {
  const { people, me } = useChat();
  const named = mentions.map((id) => ({ id, name: id === me.id ? me.name : (people.get(id).value?.name ?? "") }));
  return (
    <>
      {mentionsIn(text, named).map(({ text: piece, id }, i) =>
        id ? (
          <b key={i} class="mention" data-me={id === me.id || undefined}>
            {piece}
          </b>
        ) : (
          piece
        ),
      )}
    </>
  );
}
