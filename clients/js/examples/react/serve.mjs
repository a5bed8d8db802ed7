// Bundles the example and serves it. From clients/js, each line as it stands; the servers in terminals of their own, the
// first of which lets this page in:
//
//   npm ci && npm run build
//   KONVERT_GATEWAY__ORIGINS='["http://localhost:5173"]' konvert serve
//   node examples/react/serve.mjs
//
// Then http://localhost:5173/?name=Anna, and another browser for another guest.
import { createServer } from "node:http";
import { build } from "esbuild";

const port = Number(process.argv[2] ?? 5173);
const { outputFiles } = await build({
  absWorkingDir: new URL(".", import.meta.url).pathname,
  entryPoints: ["src/main.tsx"],
  bundle: true,
  minify: true,
  format: "esm",
  // Not this package's own settings: they lead to its sources, and the example uses it as an application would.
  tsconfigRaw: { compilerOptions: { jsx: "react-jsx" } },
  conditions: ["browser"],
  define: { "process.env.NODE_ENV": '"production"' },
  write: false,
});
const script = outputFiles[0]?.text ?? "";
const page = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Konvert and React</title><style>body{font:16px system-ui;max-width:40rem;margin:2rem auto}</style><body>
<script type="module" src="/app.js"></script></body></html>`;

const server = createServer((request, response) => {
  const isScript = request.url === "/app.js";
  response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
  response.end(isScript ? script : page);
});
server.listen(port, "localhost", () => console.log(`http://localhost:${server.address().port}`));
