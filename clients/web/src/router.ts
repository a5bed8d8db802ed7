// Where one is: the page's address as a route, and going elsewhere without loading the page.
//
// Invariant: the address is the state; going back and forward, a link and `go()` all come to the same.
import { computed, signal } from "@preact/signals";

export type Route =
  | { readonly at: "list" | "contacts" | "settings" | "door" }
  /** `name` of the room; `/room/…` for plain rooms, `/d/…` for dialogs. */
  | { readonly at: "conversation"; readonly name: string; readonly isDialog: boolean }
  | { readonly at: "invite"; readonly secret: string };

/** What an address means; an unknown one is the list. */
export function routeOf(path: string): Route {
  const [head = "", ...rest] = path.split("/").filter(Boolean);
  const tail = decoded(rest.join("/"));
  if ((head === "d" || head === "room") && tail) return { at: "conversation", name: tail, isDialog: head === "d" };
  if (head === "invite" && tail) return { at: "invite", secret: tail };
  if (head === "contacts" || head === "settings" || head === "door") return { at: head };
  return { at: "list" };
}

/** The address of a conversation. */
export const pathOf = (name: string, isDialog: boolean) => `/${isDialog ? "d" : "room"}/${encodeURIComponent(name)}`;

const path = signal(location.pathname);

/** Where one is now. */
export const route = computed(() => routeOf(path.value));

/** Goes to an address. `replace` leaves no way back to the present one. */
export function go(to: string, { replace = false } = {}): void {
  if (to === location.pathname) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  path.value = location.pathname;
}

addEventListener("popstate", () => {
  path.value = location.pathname;
});

// Plain links of ours stay in the page; with a key held, or to elsewhere, they are the browser's matter.
addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href^='/']") : null;
  if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.pathname);
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
