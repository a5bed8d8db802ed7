// Where an invite leads: shown first, gone into when one says so.
//
// Invariant: an address alone changes nothing; one becomes a member by pressing the button.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import type { InviteTarget } from "../model/resources";
import { go, pathOf } from "../router";
import { Problem, useAct } from "../shell/act";
import { Empty } from "../shell/empty";
import { useChat } from "../shell/here";
import { sayError, words } from "../words";
import "./groups.css";

export function Invited({ secret }: { readonly secret: string }) {
  const chat = useChat();
  const { invites: say, groups, refusals } = words();
  const target = useSignal<InviteTarget | null>(null);
  const refusal = useSignal<{ readonly error: unknown; readonly isFinal: boolean } | null>(null);
  const { act, isBusy, problem } = useAct();
  const look = async () => {
    refusal.value = null;
    try {
      target.value = await chat.groups.target(secret);
    } catch (error) {
      const { name = "" } = error as { name?: string };
      refusal.value = { error, isFinal: ["not_found", "invite_ended", "bad_request"].includes(name) };
    }
  };
  useEffect(() => void look(), [secret, chat]);
  if (refusal.value?.isFinal) {
    return (
      <Empty title={say.gone} isSealed>
        {say.goneHint}
      </Empty>
    );
  }
  if (refusal.value) return <Empty title={sayError(refusal.value.error)} action={{ label: words().retry, do: () => void look() }} />;
  if (!target.value) return <div class="pane" aria-busy="true" />;
  const { title, about, avatar, member_count, member, role } = target.value;
  const join = () =>
    act(async () => {
      const { id } = await chat.groups.accept(secret);
      go(pathOf(id, true), { replace: true });
    });
  return (
    <div class="empty invited">
      <p class="quiet">{say.invited}</p>
      <Face id={title} name={title} avatar={avatar ?? null} mark={<Icon name="people" size={40} />} />
      <h2 dir="auto">{title}</h2>
      {about && <p dir="auto">{about}</p>}
      <p class="quiet">
        {say.members(member_count)}
        {!member && role !== "member" && ` · ${say.as(groups.roles[role])}`}
      </p>
      <button type="button" class="primary" aria-busy={isBusy.value} onClick={join}>
        {member ? say.open : say.join}
      </button>
      <Problem of={problem.value} cases={{ not_possible: refusals.groupFull }} />
    </div>
  );
}
