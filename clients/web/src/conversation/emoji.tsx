// More reactions than the menu has at hand. Loaded when somebody asks for them.
import { words } from "../words";

const ROWS = [
  "👍 👎 👏 🙌 🙏 🤝 💪 👌 ✌️ 🤞 👋 🫶 🤙 👀 🫡",
  "❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💯 ✅ ❌ ❓ ❗ ⭐",
  "😀 😄 😁 😅 😂 🤣 🙂 😉 😊 😍 😘 😜 🤔 🤨 😐",
  "😏 🙄 😬 😌 😴 🤒 😎 🤓 🥳 😮 😳 🥺 😢 😭 😤",
  "😡 🤯 😱 😈 💀 🤡 👻 🤖 🎉 🎂 🎁 🔥 ✨ ⚡ 🌈",
  "☕ 🍵 🍺 🍷 🍕 🍎 🥐 🌱 🌸 ☀️ 🌧️ ❄️ 🐱 🐶 🦀",
  "🚀 ✈️ 🚲 🏠 ⏰ 📌 📎 ✏️ 📷 💡 🔒 💰 📈 🐛 🛠️",
].map((row) => row.split(" "));

export function Emoji({ onPick }: { onPick(emoji: string): void }) {
  const { talk } = words();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of a menu is no fieldset
    <div class="emoji" role="group" aria-label={talk.emoji}>
      {ROWS.flat().map((emoji) => (
        <button key={emoji} type="button" role="menuitem" aria-label={talk.react(emoji)} onClick={() => onPick(emoji)}>
          {emoji}
        </button>
      ))}
    </div>
  );
}
