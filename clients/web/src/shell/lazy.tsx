// Parts that are loaded when somebody goes there.
//
// Invariant: what is shown meanwhile takes the same room; a part that could not be loaded says so and can be tried again.
import { type ComponentChild, type ComponentType, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { words } from "../words";
import { Empty } from "./empty";

/** A component from a module that is loaded at its first use. @param meanwhile what is shown until it is here */
export function lazy<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  meanwhile: ComponentChild = <div class="pane" aria-busy="true" />,
): ComponentType<Props> {
  let part: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const [failed, setFailed] = useState(false);
    const [, loaded] = useState(0);
    useEffect(() => {
      if (part || failed) return;
      let isHere = true;
      load().then(
        (found) => {
          part = found;
          if (isHere) loaded(1);
        },
        () => isHere && setFailed(true),
      );
      return () => {
        isHere = false;
      };
    }, [failed]);
    if (part) return h(part, props);
    if (!failed) return <>{meanwhile}</>;
    return <Empty title={words().errors.network} action={{ label: words().retry, do: () => setFailed(false) }} />;
  };
}
