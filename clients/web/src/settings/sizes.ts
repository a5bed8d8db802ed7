// Numbers of bytes as people read them.
//
// Pure.

/** "0 KB", "1.5 MB", "12 GB". */
export function sizeOf(bytes: number, units: { readonly kb: string; readonly mb: string; readonly gb: string }, language: string): string {
  const [unit, by] = bytes < 1_000_000 ? [units.kb, 1_024] : bytes < 1_000_000_000 ? [units.mb, 1_024 ** 2] : [units.gb, 1_024 ** 3];
  const n = bytes / by;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: n < 10 && by > 1_024 ? 1 : 0 }).format(n)} ${unit}`;
}
