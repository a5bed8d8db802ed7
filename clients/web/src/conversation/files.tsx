// The files of a message: pictures as pictures, everything else as a card to download.
//
// Invariants: a picture's room is there before it is, and stays when it turns out to be none; only what the server found
// to be a picture is shown as one; a file is named by text.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import type { ShownFile } from "../model/shown_files";
import { useChat } from "../shell/here";
import { sayError, words } from "../words";
import { type BlobInfo, blobsOf } from "./blobs";

/** A picture in a message, pixels; one of which nobody knows the size gets the smaller box. */
const WIDTH_MAX = 320;
const HEIGHT_MAX = 360;
const UNKNOWN = { width: 320, height: 220 };
const SIDE_MIN = 48;
/** Bigger ones are loaded when somebody asks for them. */
const AUTO_BYTES_MAX = 12 * 1024 * 1024;

export function Files({ files }: { readonly files: readonly ShownFile[] }) {
  return (
    <ul class="files">
      {files.map((file, i) => (
        <li key={`${i} ${file.blob}`}>
          <OneFile file={file} />
        </li>
      ))}
    </ul>
  );
}

function OneFile({ file }: { readonly file: ShownFile }) {
  const { konvert } = useChat();
  const info = useSignal<BlobInfo | null>(null);
  const error = useSignal<unknown>(null);
  const isBroken = useSignal(false);
  const isAsked = useSignal(false);
  const blobs = blobsOf(konvert.api);
  const { talk } = words();
  useEffect(() => {
    let isHere = true;
    const load = () =>
      blobs.info(file.blob).then(
        (found) => {
          if (isHere) info.value = found;
        },
        (failed) => {
          if (isHere) error.value = failed;
        },
      );
    void load();
    const off = konvert.on("state", ({ name }) => {
      if (name === "connected" && !info.peek()) void load();
    });
    return () => {
      isHere = false;
      off();
    };
  }, [file.blob]);
  const isTold = file.width > 0;
  const isPicture = info.value ? info.value.type.startsWith("image/") : isTold;
  if (!isPicture) return <Card file={file} info={info.value} error={info.value ? null : error.value} isBroken={false} />;
  const isBig = (info.value?.size_bytes ?? 0) > AUTO_BYTES_MAX && !isAsked.value;
  const { width, height } = isTold ? fitted(file) : UNKNOWN;
  return (
    <div class="picture" style={{ width: `${width}px`, aspectRatio: `${width} / ${height}` }}>
      {isBroken.value ? (
        <Card file={file} info={info.value} error={null} isBroken />
      ) : isBig ? (
        <button type="button" class="plain" onClick={() => (isAsked.value = true)}>
          {talk.bigPicture} ({sizeOf(info.value?.size_bytes ?? 0)})
        </button>
      ) : info.value ? (
        <Picture file={file} onBroken={() => (isBroken.value = true)} />
      ) : null}
    </div>
  );
}

function Picture({ file, onBroken }: { readonly file: ShownFile; onBroken(): void }) {
  const { konvert } = useChat();
  const { talk } = words();
  const url = useSignal("");
  const isOpen = useSignal(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const blobs = blobsOf(konvert.api);
  useEffect(() => {
    let isHere = true;
    blobs.hold(file.blob).then(
      (address) => {
        if (isHere) url.value = address;
      },
      () => isHere && onBroken(),
    );
    return () => {
      isHere = false;
      blobs.release(file.blob);
    };
  }, [file.blob]);
  useEffect(() => {
    if (isOpen.value) dialog.current?.showModal();
  }, [isOpen.value]);
  if (!url.value) return null;
  const name = file.name || talk.picture;
  return (
    <>
      <button type="button" class="picture-button" aria-label={`${talk.openPicture}: ${name}`} onClick={() => (isOpen.value = true)}>
        <img src={url.value} alt={name} decoding="async" draggable={false} onError={onBroken} />
      </button>
      {isOpen.value && (
        <dialog
          class="picture-whole"
          ref={dialog}
          aria-label={name}
          onClose={() => (isOpen.value = false)}
          onClick={() => dialog.current?.close()}
          onKeyDown={(event) => event.stopPropagation()}
        >
          <img src={url.value} alt={name} />
          <p>
            <bdi>{name}</bdi>
            <a
              class="quiet-button"
              href={url.value}
              download={name}
              aria-label={talk.download}
              title={talk.download}
              onClick={(event) => event.stopPropagation()}
            >
              <Icon name="save" />
            </a>
            <button type="button" class="quiet-button" aria-label={words().close} title={words().close}>
              <Icon name="close" />
            </button>
          </p>
        </dialog>
      )}
    </>
  );
}

interface CardProps {
  readonly file: ShownFile;
  readonly info: BlobInfo | null;
  readonly error: unknown;
  readonly isBroken: boolean;
}

function Card({ file, info, error, isBroken }: CardProps) {
  const { konvert } = useChat();
  const { talk } = words();
  const isBusy = useSignal(false);
  const failure = useSignal("");
  const isGone = (error as { status?: number } | null)?.status === 404;
  const name = file.name || talk.file;
  const about = failure.value || (isGone ? talk.goneFile : error ? talk.loadFailed : isBroken ? talk.brokenPicture : "");
  const save = async () => {
    isBusy.value = true;
    failure.value = "";
    const blobs = blobsOf(konvert.api);
    try {
      const link = document.createElement("a");
      link.href = await blobs.hold(file.blob);
      link.download = file.name || file.blob.slice(0, 12);
      link.click();
    } catch (error) {
      failure.value = sayError(error);
    } finally {
      isBusy.value = false;
      blobs.release(file.blob);
    }
  };
  return (
    <button
      type="button"
      class="file-card"
      disabled={isGone}
      aria-busy={isBusy.value}
      title={`${talk.download}: ${name}`}
      onClick={() => void save()}
    >
      <span class="file-icon">
        <Icon name={isBroken ? "alert" : "file"} size={24} />
      </span>
      <span class="file-words">
        <bdi class="file-name">{name}</bdi>
        <span class="quiet">{[info && sizeOf(info.size_bytes), about].filter(Boolean).join(" · ") || "…"}</span>
      </span>
      {!isGone && <Icon name="save" />}
    </button>
  );
}

/** A picture's size within its box. */
function fitted({ width, height }: ShownFile): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, WIDTH_MAX / width, HEIGHT_MAX / height);
  return { width: Math.max(SIDE_MIN, Math.round(width * scale)), height: Math.max(SIDE_MIN, Math.round(height * scale)) };
}

/** A length in words. */
export function sizeOf(bytes: number): string {
  const units = ["B", "KB", "MB", "GB"] as const;
  const step = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return words().talk.bytes(
    value.toLocaleString(words().locale, { maximumFractionDigits: value < 10 && step ? 1 : 0 }),
    units[step] ?? "B",
  );
}
