// Files on their way into a message: chosen, dropped or pasted.
//
// Invariant: a picture's size is told with it, so that its room is there before it is, for everybody.
import type { Attachment, Desk } from "../model/conversation_desk";

export function addFiles(desk: Desk, files: FileList | null | undefined): void {
  if (!files?.length) return;
  for (const attachment of desk.add([...files])) void measure(attachment);
}

/** How big a picture is; nothing where the browser cannot tell. */
async function measure(attachment: Attachment): Promise<void> {
  if (!attachment.file.type.startsWith("image/")) return;
  try {
    const picture = await createImageBitmap(attachment.file);
    attachment.width = picture.width;
    attachment.height = picture.height;
    picture.close();
  } catch {
    // It is sent as a file.
  }
}
