// The cable between a client and the server: pulled out, put back, damaged in one direction or after so many bytes.
//
// Knows TCP and no HTTP. Invariant: what it carries arrives unchanged and in order, up to where it is cut.
import { type AddressInfo, connect, createServer, type Server as TcpServer, type Socket } from "node:net";

export class Cable {
  readonly #to: number;
  readonly #listener: TcpServer;
  readonly #pairs = new Set<readonly [near: Socket, far: Socket]>();
  #isOut = false;
  #isDeaf = false;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #staysOut = false;

  private constructor(to: number) {
    this.#to = to;
    this.#listener = createServer((socket) => this.#accept(socket));
  }

  /** A cable to whatever listens at this address. */
  static async to(url: string): Promise<Cable> {
    const cable = new Cable(Number(new URL(url).port));
    await new Promise<void>((resolve) => cable.#listener.listen(0, "127.0.0.1", resolve));
    return cable;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Bytes that clients said, in all. */
  bytes = 0;

  /** Ends all connections and takes no more. */
  pull(): void {
    this.refuse();
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Takes no more connections; those that are there stay. */
  refuse(): void {
    this.#isOut = true;
  }

  /** What a client says arrives, and nothing comes back. */
  deafen(): void {
    this.#isDeaf = true;
    for (const [, far] of this.#pairs) far.pause();
  }

  /** Ends every connection when clients have said so many more bytes; once. `staysOut` until it is mended. */
  cutAfter(bytes: number, staysOut = false): void {
    this.#bytesLeft = bytes;
    this.#staysOut = staysOut;
  }

  /** Whether what `cutAfter` asked for has happened. */
  get wasCut(): boolean {
    return this.#bytesLeft === Number.POSITIVE_INFINITY;
  }

  /** All is well again; what was held goes on its way. */
  mend(): void {
    this.#isOut = this.#isDeaf = false;
    for (const [, far] of this.#pairs) far.resume();
  }

  async end(): Promise<void> {
    this.pull();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #accept(near: Socket): void {
    near.on("error", () => {});
    if (this.#isOut) return void near.resetAndDestroy();
    const far = connect(this.#to, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [one, other] of [pair, [far, near]] as const) {
      one.setNoDelay(true);
      one.on("error", () => other.resetAndDestroy());
      one.on("data", (bytes: Buffer) => this.#carry(bytes, one, other, one === near));
      other.on("drain", () => (this.#isDeaf && one === far) || one.resume());
      one.on("end", () => other.end());
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    if (this.#isDeaf) far.pause();
  }

  #carry(bytes: Buffer, from: Socket, to: Socket, isFromClient: boolean): void {
    if (isFromClient) this.bytes += bytes.length;
    if (isFromClient && bytes.length >= this.#bytesLeft) {
      const last = bytes.subarray(0, this.#bytesLeft);
      this.#bytesLeft = Number.POSITIVE_INFINITY;
      // What was said before the cut arrives.
      to.end(last, () => this.#hangUp());
      return;
    }
    if (isFromClient) this.#bytesLeft -= bytes.length;
    if (!to.write(bytes)) from.pause();
  }

  #hangUp(): void {
    this.#isOut = this.#staysOut;
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }
}
