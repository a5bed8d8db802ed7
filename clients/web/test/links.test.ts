import { expect, it } from "vitest";
import { piecesOf } from "../src/model/links";

const links = (text: string) => piecesOf(text).flatMap(({ text: shown, href }) => (href ? [[shown, href]] : []));

it.each([
  ["see https://a.example/x?y=1#z.", "https://a.example/x?y=1#z", "https://a.example/x?y=1#z"],
  ["(https://a.example/wiki/A_(b))", "https://a.example/wiki/A_(b)", "https://a.example/wiki/A_(b)"],
  ["www.a.example!", "www.a.example", "https://www.a.example/"],
  ["пишите anna@a.example, пожалуйста", "anna@a.example", "mailto:anna@a.example"],
  ["https://пример.рф/путь", "https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"],
])("finds an address in %j", (text, shown, href) => {
  expect(links(text)).toEqual([[shown, href]]);
});

it.each([
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "file:///etc/passwd",
  "http://",
  "vbscript:x https:/one",
  "x".repeat(30_000),
])("finds none in %#", (text) => {
  expect(links(text)).toEqual([]);
});

it("loses nothing of the text", () => {
  const text = "a https://b.example/\u202Egpj.exe c@d.example\n<img src=x onerror=alert(1)> https://e.example.";
  expect(
    piecesOf(text)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
  expect(links(text).map(([shown]) => shown)).toEqual(["https://b.example/", "c@d.example", "https://e.example"]);
});
