// Files that are dropped anywhere on a conversation.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Icon } from "../look/icons";
import type { Desk } from "../model/conversation_desk";
import { words } from "../words";
import { addFiles } from "./files";

/** @param place what they are dropped on */
export function Drop({ desk, place }: { readonly desk: Desk; readonly place: { readonly current: HTMLElement | null } }) {
  const isOver = useSignal(false);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    // Entering a part means leaving another: only what was entered more often than left is entered.
    let depth = 0;
    const hasFiles = (event: DragEvent) => !!event.dataTransfer?.types.includes("Files");
    const enter = (event: DragEvent) => {
      if (hasFiles(event)) isOver.value = ++depth > 0;
    };
    const leave = (event: DragEvent) => {
      if (hasFiles(event)) isOver.value = --depth > 0;
    };
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      isOver.value = false;
      addFiles(desk, event.dataTransfer?.files);
    };
    element.addEventListener("dragenter", enter);
    element.addEventListener("dragleave", leave);
    element.addEventListener("dragover", over);
    element.addEventListener("drop", drop);
    return () => {
      element.removeEventListener("dragenter", enter);
      element.removeEventListener("dragleave", leave);
      element.removeEventListener("dragover", over);
      element.removeEventListener("drop", drop);
    };
  }, [desk]);
  return isOver.value ? (
    <div class="drop">
      <p>
        <Icon name="clip" /> {words().composer.drop}
      </p>
    </div>
  ) : null;
}
