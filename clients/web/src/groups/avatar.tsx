// Choosing a picture for a person or a group: cut square and made small here, then stored.
//
// Invariant: what leaves the device is drawn anew from the picture's points: nothing else that lay in the file goes along.
import { type Signal, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Face } from "../look/face";
import { Problem, useAct, useNewest } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";

/** Width and height of a stored face, pixels: sharp where it is drawn largest. */
const SIZE_PX = 256;

interface AvatarFieldProps {
  readonly id: string;
  readonly name: string;
  readonly avatar: Signal<string | null>;
  /** A picture was chosen and is not there yet: nobody saves without it. */
  readonly isComing: Signal<boolean>;
  readonly mark?: ComponentChildren;
}

export function AvatarField({ id, name, avatar, isComing, mark }: AvatarFieldProps) {
  const chat = useChat();
  const { groups } = words();
  const file = useRef<HTMLInputElement>(null);
  const { act, isBusy, problem } = useAct();
  const isBad = useSignal(false);
  const newest = useNewest();
  const choices = useRef(0);
  useSignalEffect(() => {
    isComing.value = isBusy.value;
  });
  const stored = async (chosen: File): Promise<string | null> => {
    const picture = await squared(chosen).catch(() => null);
    return picture && (await chat.konvert.upload(picture, { name: "avatar", type: picture.type })).blob;
  };
  const take = (chosen: File) =>
    act(
      () => {
        isBad.value = false;
        return newest(
          () => stored(chosen),
          (blob) => {
            isBad.value = !blob;
            if (blob) avatar.value = blob;
          },
        );
      },
      String(++choices.current),
    );
  return (
    <div class="avatar-field">
      <Face id={id} name={name} avatar={avatar.value} mark={mark} />
      <div>
        <p class="acts">
          <button type="button" class="plain" aria-busy={isBusy.value} onClick={() => file.current?.click()}>
            {groups.change}
          </button>
          {avatar.value && (
            <button type="button" class="plain" onClick={() => (avatar.value = null)}>
              {groups.noPicture}
            </button>
          )}
        </p>
        <p class="problem" role="alert" hidden={!isBad.value}>
          {isBad.value ? groups.notPicture : ""}
        </p>
        <Problem of={problem.value} />
      </div>
      <input
        ref={file}
        type="file"
        name="avatar"
        accept="image/*"
        hidden
        aria-label={groups.picture}
        onChange={(event) => {
          const input = event.currentTarget;
          const chosen = input.files?.[0];
          if (chosen) void take(chosen);
          // The same file may be chosen again.
          input.value = "";
        }}
      />
    </div>
  );
}

/** The middle of a picture. */
async function squared(file: File): Promise<Blob | null> {
  const bitmap = await createImageBitmap(file);
  const side = Math.min(bitmap.width, bitmap.height);
  const size = Math.min(SIZE_PX, side);
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const draw = canvas.getContext("2d");
  if (!draw) return null;
  draw.imageSmoothingQuality = "high";
  draw.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.86));
}
