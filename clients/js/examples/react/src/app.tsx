// A chat in React: messages with reactions, who is there, who is typing, what is on its way, older ones on demand.

import type { FoldedMessage } from "@konvert/sdk";
import { useConnection, useKonvert, useMessages, usePresence, useRoom } from "@konvert/sdk/react";
import { type FormEvent, useEffect, useState } from "react";

export function App({ name }: { name: string }) {
  const connection = useConnection();
  const { room, state, typing } = useRoom(name, { last: 50, presence: true });
  const { messages, pending, hasOlder, isLoading, loadOlder } = useMessages(room);
  const { count } = usePresence(room);
  const konvert = useKonvert();
  const newest = messages.at(-1)?.message.offset;

  useEffect(() => {
    if (newest) room.markRead(newest).catch(() => {});
  }, [room, newest]);

  return (
    <main>
      <header>
        <h1>{name}</h1>
        <p role="status">
          {connection.name === "connected" ? state : connection.name}, {count} here
        </p>
      </header>
      {hasOlder && (
        <button type="button" disabled={isLoading} onClick={() => void loadOlder()}>
          Older
        </button>
      )}
      <ol>
        {messages.map((item) => (
          <Line key={item.message.offset} item={item} react={(text) => void room.react(item.message.offset, text)} />
        ))}
        {pending.map(({ key, payload, state, error }) => (
          <li key={key} className={state}>
            {new TextDecoder().decode(payload)} <small>{error?.message ?? state}</small>
            {state === "rejected" && (
              <button type="button" onClick={() => konvert.drop(key)}>
                Drop
              </button>
            )}
          </li>
        ))}
      </ol>
      <p>{typing.length > 0 && `${typing.join(", ")} …`}</p>
      <Write say={(text) => void room.publish(text)} type={() => room.type()} />
    </main>
  );
}

function Line({ item, react }: { item: FoldedMessage; react: (text: string) => void }) {
  if (item.deleted) return <li className="deleted">deleted</li>;
  return (
    <li>
      <b>{item.message.senderName || item.message.sender}</b> {item.text} {item.edited && <small>edited</small>}
      {item.reactions.map(({ text, users }) => (
        <span key={text} title={users.join(", ")}>
          {text} {users.length}
        </span>
      ))}
      <button type="button" aria-label="Like" onClick={() => react("👍")}>
        👍
      </button>
    </li>
  );
}

function Write({ say, type }: { say: (text: string) => void; type: () => void }) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) say(text);
    setText("");
  };
  return (
    <form onSubmit={submit}>
      <input
        aria-label="Message"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          type();
        }}
      />
      <button type="submit">Send</button>
    </form>
  );
}
