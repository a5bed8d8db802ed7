// Links into a group: made with an end and a number of people, copied once, taken back.
//
// Invariant: a secret is shown when it is made and never again, because the server does not tell it again.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Icon } from "../look/icons";
import { isOpen } from "../model/groups";
import type { Dialog, Invite } from "../model/resources";
import { Field, Problem, useAct, useNewest } from "../shell/act";
import { useChat } from "../shell/here";
import { times, words } from "../words";

const HOUR_MS = 3_600_000;
const LASTS_HOURS = [1, 24, 7 * 24, 30 * 24, 0];
const USES = [1, 10, 100, 0];

export function Invites({ dialog: { id } }: { readonly dialog: Dialog }) {
  const chat = useChat();
  const { invites: say } = words();
  const invites = useSignal<readonly Invite[]>([]);
  const made = useSignal("");
  const hours = useSignal(7 * 24);
  const uses = useSignal(0);
  const { act, isBusy, problem } = useAct();
  const newest = useNewest();
  const read = () =>
    newest(
      () => chat.groups.invites(id),
      (list) => (invites.value = list),
    );
  useEffect(() => void act(read, `read ${id}`), [id]);
  const create = () =>
    act(async () => {
      const expires_ms = hours.value && Date.now() + hours.value * HOUR_MS;
      const { secret } = await chat.groups.invite(id, { expires_ms, uses_max: uses.value });
      made.value = `${location.origin}/invite/${secret}`;
      await read();
    });
  const revoke = (invite: string) =>
    act(async () => {
      await chat.groups.revoke(id, invite);
      await read();
    }, invite);
  const open = invites.value.filter((invite) => isOpen(invite, Date.now()));
  return (
    <section class="invites">
      <h3>{say.title}</h3>
      {made.value && <Made address={made.value} />}
      <div class="new-invite">
        <Field label={say.lasts}>
          {(field) => (
            <select
              {...field}
              class="text-field"
              value={hours.value}
              onChange={(event) => (hours.value = Number(event.currentTarget.value))}
            >
              {LASTS_HOURS.map((n) => (
                <option key={n} value={n}>
                  {!n ? say.forever : n < 48 ? say.hours(n) : say.days(n / 24)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={say.uses}>
          {(field) => (
            <select {...field} class="text-field" value={uses.value} onChange={(event) => (uses.value = Number(event.currentTarget.value))}>
              {USES.map((n) => (
                <option key={n} value={n}>
                  {n || say.anyUses}
                </option>
              ))}
            </select>
          )}
        </Field>
        <button type="button" class="plain" aria-busy={isBusy.value} onClick={create}>
          <Icon name="link" size={18} />
          {say.create}
        </button>
      </div>
      <Problem of={problem.value} />
      {open.length ? (
        <ul class="people-list">
          {open.map((invite) => (
            <li key={invite.id} class="person" data-invite={invite.id}>
              <span class="told">
                <span>{say.used(invite.uses, invite.uses_max)}</span>
                <span class="quiet">{invite.expires_ms ? say.until(times().until(invite.expires_ms)) : say.forever}</span>
              </span>
              <button type="button" class="plain" onClick={() => revoke(invite.id)}>
                {say.revoke}
              </button>
            </li>
          ))}
        </ul>
      ) : (
        <p class="quiet">{say.none}</p>
      )}
    </section>
  );
}

function Made({ address }: { readonly address: string }) {
  const { invites: say } = words();
  const isCopied = useSignal(false);
  const copy = async (field: HTMLInputElement | null) => {
    field?.select();
    try {
      await navigator.clipboard.writeText(address);
      isCopied.value = true;
    } catch {
      // Over plain HTTP a page may not copy: it is selected, and the keys are the person's.
    }
  };
  return (
    <div class="made" role="status">
      <p class="quiet">{say.once}</p>
      <p class="acts">
        <input class="text-field" readOnly aria-label={say.link} value={address} onFocus={(event) => event.currentTarget.select()} />
        <button
          type="button"
          class="primary"
          onClick={(event) => void copy(event.currentTarget.parentElement?.querySelector("input") ?? null)}
        >
          {isCopied.value ? say.copied : say.copy}
        </button>
      </p>
    </div>
  );
}
