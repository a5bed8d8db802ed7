// Who is here in this tab, and in which room: one object that the parts of the page share.

import { Room } from "./konvert.js";

const SOCKET = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/websocket`;

// Who one is belongs to the tab, so that two tabs are two people; the name is remembered for the next visit.
const store = {
  load: () => JSON.parse(sessionStorage.getItem("konvert") ?? "{}"),
  save: (visitor) => sessionStorage.setItem("konvert", JSON.stringify(visitor)),
};

export const room = new Room(SOCKET, "lobby", store);

export const $ = (id) => document.getElementById(id);
