// The query box: completion of names, labels and their values, and the history.

import { data } from './api.js';
import { byId, make } from './dom.js';
import { label, selector } from './format.js';

const functions = ('abs absent absent_over_time avg avg_over_time bottomk ceil changes clamp clamp_max clamp_min count '
  + 'count_over_time count_values delta deriv exp floor group histogram_quantile idelta increase irate label_join label_replace '
  + 'last_over_time ln log10 log2 max max_over_time min min_over_time predict_linear present_over_time quantile '
  + 'quantile_over_time rate resets round scalar sgn sort sort_desc sqrt stddev stddev_over_time stdvar sum sum_over_time '
  + 'time timestamp topk vector by without on ignoring group_left offset bool and or unless').split(' ');

const historyKey = 'sydradb.history';
const historyLength = 50;
const listLength = 12;

const box = byId('query');
const list = byId('suggestions');

let names = []; // metric names
let choice = { items: [], from: 0, active: -1 };
let turn = 0; // of the latest completion, so that a late answer is dropped

export const text = () => box.value.trim();

export function setText(query) {
  box.value = query;
  fit();
}

export async function loadNames() {
  names = (await data('api/v1/label/__name__/values')).data;
  return names;
}

export const past = () => {
  try {
    return JSON.parse(localStorage.getItem(historyKey)) || [];
  } catch {
    return [];
  }
};

export function remember(query) {
  const all = [query, ...past().filter((q) => q !== query)].slice(0, historyLength);
  localStorage.setItem(historyKey, JSON.stringify(all));
}

// placeOf says what is being typed at the end of the text: a label's value, a label, or a
// name or function, and which part of it is there.
export function placeOf(before) {
  const inside = before.lastIndexOf('{') > before.lastIndexOf('}');
  if (inside) {
    const open = before.slice(before.lastIndexOf('{') + 1);
    const metric = /([a-zA-Z_:][\w:]*)\s*\{[^{}]*$/.exec(before)?.[1] || '';
    const value = /("[^"]+"|\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(open);
    if (value) return { kind: 'value', metric, label: value[1].replaceAll('"', ''), part: value[2] };
    const quotes = (open.match(/"/g) || []).length;
    const part = /[\w]*$/.exec(open)[0];
    return quotes % 2 ? { kind: 'none', part: '' } : { kind: 'label', metric, part };
  }
  if (/\b(by|without|on|ignoring)\s*\([^)]*$/.test(before)) return { kind: 'label', metric: '', part: /\w*$/.exec(before)[0] };
  if (/\[[^\]]*$/.test(before)) return { kind: 'none', part: '' };
  return { kind: 'name', part: /[a-zA-Z_:][\w:.]*$|$/.exec(before)[0] };
}

async function candidates(place) {
  const match = place.metric ? { 'match[]': place.metric, limit: 1000 } : { limit: 1000 };
  switch (place.kind) {
    case 'name':
      return [...names.map((n) => ({ text: selector(n), show: n, kind: 'metric' })), ...functions.map((f) => ({ text: f, show: f, kind: 'function' }))];
    case 'label':
      return (await data('api/v1/labels', { params: match })).data.filter((l) => l !== '__name__').map((l) => ({ text: label(l), show: l, kind: 'label' }));
    case 'value':
      return (await data(`api/v1/label/${encodeURIComponent(place.label)}/values`, { params: match })).data.map((v) => ({ text: v.replace(/["\\]/g, '\\$&'), show: v, kind: 'value' }));
    default:
      return [];
  }
}

async function complete(forced) {
  const mine = ++turn;
  const at = box.selectionStart;
  const place = placeOf(box.value.slice(0, at));
  if (!forced && place.kind === 'name' && !place.part) return close();
  let all;
  try {
    all = await candidates(place);
  } catch {
    return close(); // the query itself will show what is wrong
  }
  if (mine !== turn) return;
  const part = place.part.toLowerCase();
  const rank = ({ show }) => (show.toLowerCase().startsWith(part) ? 0 : show.toLowerCase().includes(part) ? 1 : 2);
  const fitting = all.map((item) => [rank(item), item]).filter(([r]) => r < 2).sort((a, b) => a[0] - b[0]);
  const items = fitting.map(([, item]) => item).slice(0, listLength);
  if (items.length === 1 && items[0].show === place.part) return close();
  open(items, at - place.part.length);
}

function open(items, from) {
  choice = { items, from, active: -1 };
  list.replaceChildren(...items.map((item, i) => make('li', {
    role: 'option', id: `suggestion-${i}`,
    onmousedown: (event) => {
      event.preventDefault(); // keeps the focus in the box
      take(i);
    },
  }, make('span', { textContent: item.show }), make('span', { className: 'hint', textContent: item.kind }))));
  list.hidden = !items.length;
  box.setAttribute('aria-expanded', items.length > 0);
}

export function close() {
  turn++;
  open([], 0);
  box.removeAttribute('aria-activedescendant');
}

function activate(i) {
  choice.active = (i + choice.items.length) % choice.items.length;
  [...list.children].forEach((li, at) => li.setAttribute('aria-selected', at === choice.active));
  list.children[choice.active].scrollIntoView({ block: 'nearest' });
  box.setAttribute('aria-activedescendant', `suggestion-${choice.active}`);
}

let whenTaken = () => {};

function take(i) {
  const item = choice.items[i];
  if (item.kind === 'query') {
    setText(item.text);
    close();
    whenTaken();
    return;
  }
  const end = box.selectionStart;
  box.setRangeText(item.text, choice.from, end, 'end');
  close();
  fit();
  box.focus();
}

export function showHistory() {
  const items = past().map((q) => ({ text: q, show: q, kind: 'query' }));
  if (!items.length) items.push({ text: box.value, show: 'No queries yet', kind: 'query' });
  box.focus();
  open(items, 0);
}

// fit makes the box as high as its text.
function fit() {
  box.rows = Math.min(8, box.value.split('\n').length);
  box.style.height = 'auto';
  box.style.height = `${Math.min(200, box.scrollHeight + 2)}px`;
}

// start wires the keys; run is called for Enter and when a query of the history is taken.
export function start(run) {
  whenTaken = run;
  box.addEventListener('input', () => {
    fit();
    complete(false);
  });
  box.addEventListener('blur', close);
  box.addEventListener('keydown', (event) => key(event, run));
  byId('history').addEventListener('mousedown', (event) => event.preventDefault());
  byId('history').addEventListener('click', () => (list.hidden ? showHistory() : close()));
  window.addEventListener('resize', fit);
}

function key(event, run) {
  const opened = !list.hidden;
  if (event.key === ' ' && event.ctrlKey) {
    complete(true);
  } else if (event.key === 'ArrowDown' && (opened || !box.value)) {
    if (opened) activate(choice.active + 1);
    else showHistory();
  } else if (event.key === 'ArrowUp' && opened) {
    activate(choice.active < 0 ? choice.items.length - 1 : choice.active - 1);
  } else if (event.key === 'Escape' && opened) {
    close();
  } else if (event.key === 'Tab' && opened && choice.active >= 0) {
    take(choice.active);
  } else if (event.key === 'Enter' && !event.shiftKey) {
    if (opened && choice.active >= 0) take(choice.active);
    else run();
  } else {
    return;
  }
  event.preventDefault();
}
