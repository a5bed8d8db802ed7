// Icons, drawn for this app on a grid of 20.
//
// Invariant: an icon is an ornament: whoever uses one says in words what it means.

const PATHS = {
  back: "M12.5 4.5 7 10l5.5 5.5",
  close: "m5.5 5.5 9 9m0-9-9 9",
  down: "m5 8 5 5 5-5",
  gear: "M3.5 6.5H10m5 0h1.5M12.5 4.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4M3.5 13.5H5m5 0h6.5M7.5 11.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  mute: "M8.3 16.500a2 2 0 0 0 3.4 0M5.5 13.500h9.300M6 8.500v-1a4 4 0 0 1 7.5-2M14 9v1.500l1.2 3M6 8.500v2l-1.2 3M3.5 3.500l13 13",
  pen: "M3.5 16.5 4.5 13 13.5 4a1.8 1.8 0 0 1 2.5 2.500L7 15.500zM12 5.5 14.5 8",
  person: "M10 10.500a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.800M3.8 17c.7-2.9 3.1-4.5 6.2-4.500s5.5 1.6 6.2 4.5",
  people:
    "M7.5 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2 16.500c.5-2.7 2.7-4.2 5.5-4.200s5 1.5 5.5 4.200M13 4.300a3 3 0 0 1 0 5.400M15 12.700c1.6.6 2.7 1.9 3 3.8",
  pin: "m11.5 3.5 5 5-1.3.5-2.7 2.7-.3 3.3-1.2 1.2-5.7-5.7 1.2-1.2 3.3-.3L12.5 6zM8 12.5 3.5 16.5",
  search: "M9 14.500a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11m4-1.5 3.5 3.5",
  send: "M3 10.9 16.5 3.500l-3.9 13.3-3.3-4.600zM9.3 12.200l7.2-8.7",
  eye: "M2.5 10c1.7-3.3 4.3-5 7.5-5s5.8 1.7 7.5 5c-1.7 3.3-4.3 5-7.5 5s-5.8-1.7-7.5-5M10 12.300a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6",
  door: "M11.5 3.500h-6v13h6M9 10h8m-2.8-3L17 10l-2.8 3",
  room: "M3.5 16.500v-9L10 3.500l6.5 4v9M3.5 16.500h13M8 16.500v-4.500h4v4.5",
  clock: "M10 16.500a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M10 6.500V10l2.5 1.5",
  alert: "M10 16.500a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M10 6.500v4M10 13.300h.01",
  tick: "m4.5 10.5 3.5 3.500L15.5 6",
  ticks: "m1.5 10.5 3.5 3.500L12.5 6M9.5 13.500l.5.500L17.5 6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width={size} height={size} aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
