// Posts the code of the link with what was typed in, and says what came of it.

const form = document.getElementById("form");
const said = document.getElementById("said");
const code = new URLSearchParams(location.search).get("code") ?? "";
// The code is for once: it need not stay in the address, the history, or a picture of the screen.
history.replaceState(null, "", location.pathname);

/** Sends JSON; the answer's body, or its problem thrown. */
async function post(path, body, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw new Error(answer.detail ?? response.statusText);
  return answer;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "…";
  const { login, name, password } = Object.fromEntries(new FormData(form));
  try {
    const signedIn = await post("/api/auth/first-administrator", { code, login, name, password });
    form.hidden = true;
    said.textContent = `You are the administrator now. Sign in as ${signedIn.user.login}.`;
    // This page keeps nothing, so that nobody finds it signed in.
    await post("/api/auth/sign-out", null, signedIn.access_token).catch(() => {});
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});
