// What somebody wrote: plain text in which addresses are links.
//
// Invariant: only http, https and mailto become links, and a link shows the address it leads to.
import { piecesOf } from "../model/links";

export function Text({ text }: { readonly text: string }) {
  return (
    <>
      {piecesOf(text).map(({ text: piece, href }, i) =>
        href ? (
          <a key={i} href={href} target="_blank" rel="noopener noreferrer nofollow">
            {piece}
          </a>
        ) : (
          piece
        ),
      )}
    </>
  );
}
