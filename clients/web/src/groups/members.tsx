// Who is in a group, as what; adding, changing, putting out.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Face } from "../look/face";
import { Icon } from "../look/icons";
import { isAdmin, mayRemove, rolesToGive } from "../model/groups";
import { Members } from "../model/members";
import type { Dialog, Member, Person, Role } from "../model/resources";
import { Problem, useAct } from "../shell/act";
import { useChat } from "../shell/here";
import { words } from "../words";
import { Picker } from "./picker";

export function MemberList({ dialog: { id, role } }: { readonly dialog: Dialog }) {
  const chat = useChat();
  const { groups, retry, refusals } = words();
  const members = useMemo(() => new Members(id, chat.konvert, chat.people), [id, chat]);
  const isAdding = useSignal(false);
  const { act, problem } = useAct();
  useEffect(() => {
    members.open();
    return () => members.close();
  }, [members]);
  const list = members.list.value;
  return (
    <section class="members">
      <header>
        <h3>{groups.members}</h3>
        {isAdmin(role) && !isAdding.value && (
          <button type="button" class="plain" onClick={() => (isAdding.value = true)}>
            <Icon name="plus" size={18} />
            {groups.add}
          </button>
        )}
      </header>
      {isAdding.value && <Adding id={id} members={members} done={() => (isAdding.value = false)} />}
      <Problem of={problem.value} cases={{ not_possible: refusals.lastOwner }} />
      <ul class="people-list" aria-busy={members.state.value === "loading"}>
        {list.map((member) => (
          <Row
            key={member.user.id}
            member={member}
            by={role}
            appoint={(to) => act(() => chat.groups.appoint(id, member.user.id, to), member.user.id)}
            remove={() => act(() => chat.groups.remove(id, member.user.id), member.user.id)}
          />
        ))}
      </ul>
      {members.state.value === "failed" && (
        <button type="button" class="plain" onClick={() => void members.more(true)}>
          {retry}
        </button>
      )}
      {members.hasMore && (
        <button type="button" class="plain" onClick={() => void members.more()}>
          {words().more}
        </button>
      )}
    </section>
  );
}

interface RowProps {
  readonly member: Member;
  readonly by: Role;
  appoint(role: Role): void;
  remove(): void;
}

function Row({ member: { user, role }, by, appoint, remove }: RowProps) {
  const chat = useChat();
  const { groups, you, conversation } = words();
  const isSelf = user.id === chat.me.id;
  const roles = rolesToGive(by, role);
  const isOnline = chat.people.get(user.id).value?.online ?? user.online;
  return (
    <li class="person" data-user={user.id}>
      <Face id={user.id} name={user.name} isOnline={isOnline} />
      <span class="told">
        <b dir="auto">
          {user.name}
          {isSelf && ` (${you})`}
        </b>
        <span class="quiet">{isOnline ? conversation.online : groups.roles[role]}</span>
      </span>
      {roles.length > 0 ? (
        <select
          class="role"
          aria-label={groups.roleOf(user.name)}
          value={role}
          onChange={(event) => {
            const select = event.currentTarget;
            appoint(select.value as Role);
            // What it is is told by the server.
            select.value = role;
          }}
        >
          {[...roles].reverse().map((name) => (
            <option key={name} value={name}>
              {groups.roles[name]}
            </option>
          ))}
        </select>
      ) : (
        <span class="quiet role">{groups.roles[role]}</span>
      )}
      {!isSelf && mayRemove(by, role) && (
        <button
          type="button"
          class="quiet-button"
          aria-label={groups.takeOut(user.name)}
          title={groups.takeOut(user.name)}
          onClick={remove}
        >
          <Icon name="close" size={18} />
        </button>
      )}
    </li>
  );
}

function Adding({ id, members, done }: { readonly id: string; readonly members: Members; done(): void }) {
  const chat = useChat();
  const { groups, cancel, refusals } = words();
  const chosen = useSignal<readonly Person[]>([]);
  const { act, isBusy, problem } = useAct();
  const add = () =>
    act(async () => {
      await chat.groups.add(
        id,
        chosen.value.map((person) => person.id),
      );
      await members.more(true);
      done();
    });
  return (
    <div class="adding">
      <Picker chosen={chosen} without={(user) => members.list.peek().some((member) => member.user.id === user)} />
      <Problem of={problem.value} cases={{ not_possible: refusals.notAdded }} />
      <p class="acts">
        <button type="button" class="primary" disabled={!chosen.value.length} aria-busy={isBusy.value} onClick={add}>
          {groups.addAct}
        </button>
        <button type="button" class="plain" onClick={done}>
          {cancel}
        </button>
      </p>
    </div>
  );
}
