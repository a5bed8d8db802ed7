// Light, dark, or as the system has it.
//
// Invariant: `data-theme` of the page is what was chosen; without a choice there is none.
import { effect, signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "konvert.theme";
const kept = localStorage.getItem(KEY) as Theme | null;

export const theme = signal<Theme>(kept && THEMES.includes(kept) ? kept : "system");

/** Changes the theme and remembers it. */
export function dress(chosen: Theme): void {
  theme.value = chosen;
  localStorage.setItem(KEY, chosen);
}

effect(() => {
  const { dataset } = document.documentElement;
  if (theme.value === "system") delete dataset.theme;
  else dataset.theme = theme.value;
});
