// The chat that the screen shows, for every component below the shell.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Chat } from "../model/chat";

/** The same where there may be none. */
export const Here = createContext<Chat | null>(null);

export const HereProvider = Here.Provider;

/** The chat of whoever is signed in. */
export function useChat(): Chat {
  const chat = useContext(Here);
  if (!chat) throw new Error("there is a chat only below the shell");
  return chat;
}
