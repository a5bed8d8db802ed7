// The envelope: open where something may come, closed with a stamp-red seal where it is not for us.

export function Envelope({ isSealed = false }: { readonly isSealed?: boolean }) {
  return (
    <svg class="envelope-art" viewBox="0 0 96 72" width="96" height="72" aria-hidden="true">
      {!isSealed && <path class="flap" d="M10 30 48 4l38 26" />}
      {!isSealed && <path class="page" d="M22 16h52v34H22zM31 26h34M31 33h24" />}
      <path class="body" d={isSealed ? "M10 12h76v54H10z" : "M10 30l38 24 38-24v36H10z"} />
      <path class="fold" d={isSealed ? "m10 14 38 28 38-28" : "m10 66 28-20m48 20L58 46"} />
      {isSealed && <circle class="seal" cx="48" cy="42" r="9" />}
    </svg>
  );
}
