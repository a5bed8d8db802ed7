import { describe, expect, it } from "vitest";
import { aboutFault, BYTES_MAX, emailFault, lineFault, loginFault, newPasswordFault } from "../src/model/fields";

const name = (text: string) => lineFault(text, BYTES_MAX.name);

describe("fields", () => {
  it("takes the logins that the server takes", () => {
    for (const login of ["anna", "Anna.K_1-x", "007", "x".repeat(32)]) expect(loginFault(login), login).toBeNull();
    for (const login of ["ab", ".anna", "-anna", "an na", "аnna", "ａnna", "K\u212Aelvin", "x".repeat(33)]) {
      expect(loginFault(login), login).toBe("login");
    }
    expect(loginFault("")).toBe("empty");
  });

  it("counts a name as the server does: in bytes of its normal form", () => {
    expect(name("n".repeat(64))).toBeNull();
    expect(name("n".repeat(65))).toEqual({ over: 1 });
    expect(name("ж".repeat(32))).toBeNull();
    expect(name("ж".repeat(35))).toEqual({ over: 3 });
    expect(name("😀".repeat(17))).toEqual({ over: 1 });
    // й as two characters becomes one of two bytes; spaces around and between count once.
    expect(name("и\u0306".repeat(32))).toBeNull();
    expect(name(`  ${"ж".repeat(15)}    ${"ж".repeat(16)} `)).toBeNull();
    expect(name("   ")).toBe("empty");
  });

  it("sees what nobody can see", () => {
    for (const text of ["Anna\u200B", "An\u202Ena", "Anna\u200D", "Anna\0"]) expect(name(text), text).toBe("hidden");
    for (const text of ["👩‍👩‍👧", "Anna ❤️", "Ольга Преображенская"]) expect(name(text), text).toBeNull();
    expect(aboutFault("two\nlines")).toBeNull();
    expect(aboutFault("ж".repeat(501))).toEqual({ over: 1 });
    expect(aboutFault("bell\u0007")).toBe("hidden");
  });

  it("knows a password that cannot be, and an address that is none", () => {
    expect(newPasswordFault("пароль!")).toBe("short");
    expect(newPasswordFault("четыре слова не рядом")).toBeNull();
    expect(newPasswordFault("x".repeat(257))).toEqual({ over: 1 });
    for (const address of ["", "anna@chat.example", "a.b+c@x-y.example.org"]) expect(emailFault(address), address).toBeNull();
    for (const address of ["anna", "@chat.example", "anna@chat", ".a@b.example", "a.@b.example", "a@-b.example", "a b@c.example"]) {
      expect(emailFault(address), address).toBe("email");
    }
  });
});
