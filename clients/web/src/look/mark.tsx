// The mark, in the colours of the theme: the same drawing as `public/mark.svg`, which knows no theme.

/** @param label what it means where it stands alone; nothing where a name stands beside it */
export function Mark({ size, label }: { readonly size: number; readonly label?: string }) {
  const drawing = (
    <svg class="mark-art" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect x="2" y="6" width="28" height="20" rx="4.5" />
      <path d="M3.4 8.6 14 17.1a3.2 3.2 0 0 0 4 0L28.6 8.6" />
      <circle cx="16" cy="17.6" r="4.6" />
    </svg>
  );
  if (!label) return drawing;
  return (
    <span class="mark-named" role="img" aria-label={label}>
      {drawing}
    </span>
  );
}
