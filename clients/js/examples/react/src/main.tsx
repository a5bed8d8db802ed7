// Enters as a guest and shows the lobby. The server's address and the name are in the page's: ?server=…&name=…

import { Konvert } from "@konvert/sdk";
import { IndexedDbStore } from "@konvert/sdk/indexeddb";
import { KonvertProvider } from "@konvert/sdk/react";
import { shareTabs } from "@konvert/sdk/tabs";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";

const query = new URLSearchParams(location.search);
const konvert = new Konvert(query.get("server") ?? "http://localhost:3001", {
  guest: query.get("name") ?? "Guest",
  store: new IndexedDbStore(),
  transport: shareTabs({ key: "guest" }),
});

createRoot(document.body.appendChild(document.createElement("div"))).render(
  <KonvertProvider value={konvert}>
    <App name="lobby" />
  </KonvertProvider>,
);
