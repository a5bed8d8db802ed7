// Runs inside every page from its first moment: looks at each change of a conversation, and takes down what must never
// be shown, not even for a moment; takes down violations of the content policy and layout shifts, too.
//
// It is handed to the browser as text, so it uses nothing from outside.

declare global {
  interface Window {
    /** What was wrong at some moment. */
    watched: { faults: string[]; violations: string[]; shift: number; shifts: string[] };
  }
}

export function watch(): void {
  const told = { faults: [] as string[], violations: [] as string[], shift: 0, shifts: [] as string[] };
  window.watched = told;
  const fault = (text: string) => {
    if (!told.faults.includes(text)) told.faults.push(text);
  };
  const check = () => {
    for (const log of document.querySelectorAll("[data-conversation] [role=log]")) {
      const ids = new Set<string>();
      let before = 0;
      let isPending = false;
      for (const item of log.querySelectorAll<HTMLElement>("[data-message-id]")) {
        const { messageId = "", offset } = item.dataset;
        if (ids.has(messageId)) fault(`doubled for a moment: ${messageId}`);
        ids.add(messageId);
        if (offset === undefined) {
          isPending = true;
          continue;
        }
        if (isPending) fault(`for a moment ${offset} stood behind what is not stored yet`);
        if (Number(offset) <= before) fault(`out of order for a moment: ${offset} behind ${before}`);
        before = Number(offset);
      }
    }
  };
  new MutationObserver(check).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["data-offset", "data-message-id"],
  });
  document.addEventListener("securitypolicyviolation", (event) => {
    told.violations.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`);
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number;
      hadRecentInput: boolean;
      sources?: readonly { node: Node | null; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[];
    })[]) {
      if (entry.hadRecentInput) continue;
      told.shift += entry.value;
      for (const { node, previousRect: from, currentRect: to } of entry.sources ?? []) {
        const name = node instanceof Element ? node.outerHTML.slice(0, 100) : String(node?.textContent).slice(0, 40);
        told.shifts.push(`${entry.value.toFixed(4)}: ${name} from ${from.x},${from.y} to ${to.x},${to.y}`);
      }
    }
  }).observe({ type: "layout-shift", buffered: true });
}
