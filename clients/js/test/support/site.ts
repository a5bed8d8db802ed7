// A page of an application, on an origin of its own: bundled from what `npm run build` made, as an application would.
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";

const root = new URL("../..", import.meta.url).pathname;

export class Site {
  readonly #http: HttpServer;

  private constructor(script: string) {
    const page = '<!doctype html><html lang="en"><meta charset="utf-8"><body><script type="module" src="/page.js"></script></body></html>';
    this.#http = createServer(({ url }, response) => {
      const isScript = url === "/page.js";
      response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
      response.end(isScript ? script : page);
    });
  }

  /** Serves a page with this module in it. */
  static async of(code: string): Promise<Site> {
    const { outputFiles } = await build({
      stdin: { contents: code, loader: "tsx", resolveDir: root },
      bundle: true,
      format: "esm",
      conditions: ["browser"],
      // Not this package's own settings: they lead to its sources.
      tsconfigRaw: { compilerOptions: { jsx: "react-jsx" } },
      define: { "process.env.NODE_ENV": '"production"' },
      write: false,
    });
    const site = new Site(outputFiles[0]?.text ?? "");
    await new Promise<void>((resolve) => site.#http.listen(0, "127.0.0.1", resolve));
    return site;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** What a server must be started with to let the page in. */
  get setting(): Record<string, string> {
    return { KONVERT_GATEWAY__ORIGINS: JSON.stringify([this.url]) };
  }

  async end(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
