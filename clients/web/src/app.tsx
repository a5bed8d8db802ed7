// What is on the screen: the door, or the shell with what the address names.
//
// Invariant: nobody sees anything of a chat without being signed in; the address they came for waits behind the door.
import { Door } from "./door/door";
import { go, route } from "./router";
import { chat } from "./session/chat";
import { HereProvider } from "./shell/here";
import { Shell } from "./shell/shell";

export function App() {
  const here = chat.value;
  if (!here) return <Door />;
  if (route.value.at === "door") go("/", { replace: true });
  // Another user is another tree: nothing of the one before is left in it.
  return (
    <HereProvider key={here.me.id} value={here}>
      <Shell />
    </HereProvider>
  );
}
