// The SDK in Node: everything of `@konvert/sdk`, a WebSocket where Node has none, an outbox in a file.
//
// `import { Konvert } from "@konvert/sdk"` leads here by itself.
import { provide } from "../core/detect.js";
import { NodeWebSocket } from "./websocket.js";

// Node 22 and later have one of their own.
if (!("WebSocket" in globalThis)) provide({ webSocket: (url, subprotocol) => new NodeWebSocket(url, subprotocol) });

export * from "../index.js";
export { FileStore } from "./file_store.js";
