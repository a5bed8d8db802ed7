// The app as one of the device's own, while the browser offers that.
import { Icon } from "../look/icons";
import { install, isInstallable } from "../shell/install";
import { words } from "../words";

export function Install() {
  const { settings } = words();
  if (!isInstallable.value) return null;
  return (
    <div class="card install">
      <button type="button" class="plain" onClick={() => void install()}>
        <Icon name="save" />
        {settings.install}
      </button>
      <p class="quiet hint">{settings.installHint}</p>
    </div>
  );
}
