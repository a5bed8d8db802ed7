// The left pane: finding, the dialogs, and at its foot who one is and how the connection is.
//
// Owns the search and the way with arrows. Invariant: rows come from the model alone; nothing here remembers a dialog.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../look/icons";
import { Mark } from "../look/mark";
import { LOBBY } from "../model/lobby";
import type { Person } from "../model/resources";
import { go, pathOf } from "../router";
import { Empty } from "../shell/empty";
import { useChat } from "../shell/here";
import { lazy } from "../shell/lazy";
import { sayError, words } from "../words";
import { Foot } from "./foot";
import { useGlide } from "./glide";
import "./list.css";
import { DialogRow, PersonRow, RoomRow } from "./row";
import { matching, sayFinding, usePeople } from "./search";

const CreateGroup = lazy(() => import("../groups/create").then(({ CreateGroup }) => CreateGroup), null);

export function List() {
  const chat = useChat();
  const { list, app, groups } = words();
  const isCreating = useSignal(false);
  const isArchive = useSignal(false);
  const query = useSignal("");
  const problem = useSignal<unknown>(null);
  const search = useRef<HTMLInputElement>(null);
  const rows = useRef<HTMLUListElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const last = useRef<Element | null>(null);
  const finding = usePeople(query.value);
  const isFinding = !!query.value.trim();
  const archived = chat.dialogs.all.value.filter((dialog) => dialog.archived);
  const isInArchive = isArchive.value && !isFinding && archived.length > 0;
  const dialogs = isFinding ? matching(chat.dialogs.all.value, query.value) : isInArchive ? archived : chat.dialogs.list.value;
  const state = chat.dialogs.state.value;
  const isLobby =
    chat.lobby.isOpen.value &&
    !isInArchive &&
    (!isFinding || list.lobby.toLocaleLowerCase().includes(query.value.trim().toLocaleLowerCase()));
  const isEmpty = state === "ready" && !dialogs.length && !isFinding;

  // Rows come and go with what is drawn here; all of them together are one stop of the Tab key.
  useLayoutEffect(() => oneStop(box.current, last.current));
  useGlide(rows, [isLobby, ...dialogs.map(({ id }) => id)].join());

  const clear = () => {
    query.value = "";
    problem.value = null;
  };
  const open = async ({ id }: Person) => {
    try {
      const dialog = await chat.dialogs.openDirect(id);
      clear();
      go(pathOf(dialog.id, true));
    } catch (error) {
      problem.value = error;
    }
  };
  const find = () => search.current?.focus();

  return (
    <>
      <header class="list-head">
        <Mark size={32} label={app} />
        <search class="search">
          <Icon name="search" size={18} />
          <input
            ref={search}
            type="search"
            name="search"
            placeholder={list.searchShort}
            aria-label={list.search}
            value={query.value}
            onInput={(event) => {
              query.value = event.currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (event.key === "ArrowDown") rowsIn(box.current)[0]?.focus();
              else if (event.key === "Enter" && isFinding) rowsIn(box.current)[0]?.click();
              else if (event.key !== "Escape") return;
              else if (query.value) clear();
              else event.currentTarget.blur();
              event.preventDefault();
            }}
          />
        </search>
        <button
          type="button"
          class="quiet-button"
          aria-label={groups.create}
          title={groups.create}
          onClick={() => (isCreating.value = true)}
        >
          <Icon name="plus" />
        </button>
      </header>
      {isCreating.value && <CreateGroup close={() => (isCreating.value = false)} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the rows are links; arrows are a shorter way between them */}
      <div
        class="rows"
        ref={box}
        onKeyDown={(event) => walk(event, find)}
        onFocusIn={({ target }) => {
          last.current = target as Element;
          oneStop(box.current, last.current);
        }}
        aria-busy={state === "loading"}
      >
        {problem.value !== null && (
          <p class="problem" role="alert">
            {list.openFailed}. {sayError(problem.value, { not_allowed: words().refusals.notWith })}
          </p>
        )}
        {state === "failed" && <Empty title={list.failed} action={{ label: words().retry, do: () => void chat.dialogs.load() }} />}
        {isInArchive && (
          <button type="button" class="folder" onClick={() => (isArchive.value = false)}>
            <Icon name="back" size={18} />
            {groups.archiveTitle}
          </button>
        )}
        <ul ref={rows}>
          {isLobby && <RoomRow name={LOBBY} />}
          {dialogs.map((dialog) => (
            <DialogRow key={dialog.id} dialog={dialog} />
          ))}
        </ul>
        {!isFinding && !isInArchive && archived.length > 0 && (
          <button type="button" class="folder" onClick={() => (isArchive.value = true)}>
            <Icon name="archive" size={18} />
            {groups.archived(archived.length)}
          </button>
        )}
        {isEmpty && (
          <Empty title={list.empty} action={{ label: list.find, do: find }}>
            {list.emptyHint}
          </Empty>
        )}
        {isFinding && (
          <section aria-label={list.people} aria-busy={finding.state === "looking"}>
            <h2>{list.people}</h2>
            <ul>
              {finding.people.map((person) => (
                <PersonRow key={person.id} person={person} open={open} />
              ))}
            </ul>
            <p class="quiet nobody" role="status">
              {sayFinding(finding)}
            </p>
          </section>
        )}
      </div>
      <Foot />
    </>
  );
}

const rowsIn = (box: HTMLElement | null) => [...(box?.querySelectorAll<HTMLElement>(".row > :is(a, button)") ?? [])];

/** Tab leads to the row where one was last, or to the one that is open, or to the first. */
function oneStop(box: HTMLElement | null, last: Element | null): void {
  const rows = rowsIn(box);
  const stop = rows.find((row) => row === last) ?? rows.find((row) => row.ariaCurrent) ?? rows[0];
  for (const row of rows) row.tabIndex = row === stop ? 0 : -1;
}

/** Up and down go from row to row, and from the first back to where one searches. */
function walk(event: KeyboardEvent, find: () => void): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const rows = rowsIn(event.currentTarget as HTMLElement);
  const at = rows.indexOf(document.activeElement as HTMLElement);
  if (!step || at < 0) return;
  event.preventDefault();
  if (at + step < 0) find();
  else rows[at + step]?.focus();
}
