// The page: keeps the query, its range and its view in the part of the address behind "#",
// which is not sent to the server, and shows what comes back.

import { Failure, data, setToken, token } from './api.js';
import * as chart from './chart.js';
import { byId, make } from './dom.js';
import * as editor from './editor.js';
import { localInput, seconds, selector, seriesName, stepFor } from './format.js';
import * as panels from './panels.js';
import * as table from './table.js';

const themeKey = 'sydradb.theme';
const result = byId('result');
let running = null; // AbortController of the query under way
let refresher = 0;

const checked = (name) => document.querySelector(`input[name=${name}]:checked`).value;

function check(name, value) {
  const input = document.querySelector(`input[name=${name}][value="${CSS.escape(value)}"]`);
  if (input) input.checked = true;
}

// range is the time asked for, in Unix seconds, ends at round multiples of the step.
function range() {
  let end = Date.now() / 1000;
  let start;
  if (checked('range') === 'custom') {
    end = Date.parse(byId('end').value) / 1000;
    start = Date.parse(byId('start').value) / 1000;
    if (!(start < end)) throw new Failure(0, 'The range needs a beginning and a later end.');
  } else {
    start = end - seconds(checked('range'));
  }
  const own = byId('step').value.trim();
  const step = own ? seconds(own) : stepFor(end - start, result.clientWidth);
  if (!(step > 0)) throw new Failure(0, `The step ${own} is none: want a span such as 30s or 5m.`);
  return { start: Math.floor(start / step) * step, end: Math.ceil(end / step) * step, at: end, step };
}

function save(push) {
  const state = new URLSearchParams();
  if (editor.text()) state.set('q', editor.text());
  state.set('view', checked('view'));
  state.set('range', checked('range'));
  if (checked('range') === 'custom') {
    state.set('start', byId('start').value);
    state.set('end', byId('end').value);
  }
  if (byId('step').value) state.set('step', byId('step').value);
  const hash = `#${state}`;
  if (hash === location.hash) return;
  if (push) history.pushState(null, '', hash);
  else history.replaceState(null, '', hash);
}

function load() {
  const state = new URLSearchParams(location.hash.slice(1));
  editor.setText(state.get('q') || '');
  check('view', state.get('view') || 'graph');
  check('range', state.get('range') || '1h');
  byId('start').value = state.get('start') || '';
  byId('end').value = state.get('end') || '';
  byId('step').value = state.get('step') || '';
  showFields();
}

function showFields() {
  byId('custom').hidden = checked('range') !== 'custom';
  byId('step-field').hidden = checked('view') !== 'graph';
}

function show(message, notes = []) {
  byId('message').hidden = !message;
  byId('message').textContent = message;
  byId('notes').hidden = !notes.length;
  byId('notes').replaceChildren(...notes.map((note) => make('p', { textContent: note })));
}

async function run({ push = true } = {}) {
  editor.close();
  running?.abort();
  const query = editor.text();
  if (!query) return welcome();
  const mine = (running = new AbortController());
  result.setAttribute('aria-busy', 'true');
  try {
    const { start, end, at, step } = range();
    save(push);
    if (checked('view') === 'graph') await graph(query, start, end, step, mine);
    else await list(query, at, mine);
    editor.remember(query);
  } catch (err) {
    if (err.name === 'AbortError') return;
    chart.clear();
    result.replaceChildren();
    show(err.message);
    if (err.status === 401 || err.status === 403) openToken(true);
  } finally {
    if (running === mine) result.setAttribute('aria-busy', 'false');
  }
}

async function graph(query, start, end, step, { signal }) {
  const params = { query, start, end, step };
  const { data: found, notes } = await data('api/v1/query_range', { params, form: true, signal });
  show('', notes);
  const matrix = found.result.map(({ metric, values }) => ({ name: seriesName(metric), values: values || [] }));
  if (matrix.length) {
    chart.draw(result, matrix, { start, end, step, onZoom: zoom });
    return;
  }
  chart.clear();
  result.replaceChildren(make('p', { className: 'hint empty', textContent: 'No points in this range.' }));
}

async function list(query, time, { signal }) {
  const { data: found, notes } = await data('api/v1/query', { params: { query, time }, form: true, signal });
  show('', notes);
  chart.clear();
  table.draw(result, found, time);
}

function zoom(start, end) {
  byId('start').value = localInput(start);
  byId('end').value = localInput(Math.max(end, start + 1));
  check('range', 'custom');
  showFields();
  run();
}

// welcome is what stands there without a query: the names there are, or how to begin.
async function welcome() {
  save(false);
  chart.clear();
  show('');
  try {
    const names = await editor.loadNames();
    if (!names.length) {
      result.replaceChildren(make('p', { className: 'hint empty', textContent: 'Nothing has been written yet. The commands below write a first point.' }));
      byId('write').open = true;
      return;
    }
    const chips = names.slice(0, 300).map((name) => make('li', {}, make('button', { type: 'button', className: 'link', textContent: name, onclick: () => pick(selector(name)) })));
    const more = names.length > chips.length ? ` The first ${chips.length} of ${names.length}:` : '';
    result.replaceChildren(make('p', { className: 'hint', textContent: `Type a query, or begin with a name.${more}` }), make('ul', { className: 'names' }, ...chips));
  } catch (err) {
    result.replaceChildren();
    show(err.message);
    if (err.status === 401 || err.status === 403) openToken(true);
  }
}

function pick(query) {
  editor.setText(query);
  run();
  byId('query-form').scrollIntoView({ block: 'nearest' });
}

function openToken(open) {
  byId('token-form').hidden = !open;
  byId('token-button').setAttribute('aria-expanded', open);
  if (open) byId('token').focus();
}

function useToken(text) {
  setToken(text);
  byId('token').value = '';
  openToken(false);
  begin();
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

function turnTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = document.documentElement.dataset.theme || (dark ? 'dark' : 'light');
  const next = now === 'dark' ? 'light' : 'dark';
  localStorage.setItem(themeKey, next);
  theme(next);
  if (checked('view') === 'graph' && editor.text()) run({ push: false });
}

function wire() {
  byId('query-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
  for (const input of document.querySelectorAll('input[name=view], input[name=range]')) {
    input.addEventListener('change', () => {
      if (checked('range') === 'custom' && !byId('start').value) {
        byId('end').value = localInput(Date.now() / 1000);
        byId('start').value = localInput(Date.now() / 1000 - 3600);
      }
      showFields();
      run();
    });
  }
  for (const id of ['start', 'end', 'step']) byId(id).addEventListener('change', () => run());
  byId('refresh').addEventListener('change', () => {
    clearInterval(refresher);
    const every = Number(byId('refresh').value);
    if (every) refresher = setInterval(() => document.hidden || run({ push: false }), every * 1000);
  });
  byId('token-button').addEventListener('click', () => openToken(byId('token-form').hidden));
  byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    useToken(byId('token').value.trim());
  });
  byId('token-clear').addEventListener('click', () => useToken(''));
  byId('theme').addEventListener('click', turnTheme);
  byId('cardinality').addEventListener('toggle', () => byId('cardinality').open && panels.cardinality(pick));
  window.addEventListener('popstate', () => {
    load();
    run({ push: false });
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => run({ push: false }));
}

let watching = 0;

// begin loads all anew: at first, with another token, and when a server has become ready.
async function begin() {
  clearTimeout(watching);
  byId('token-button').textContent = token() ? 'Token set' : 'Token';
  panels.snippets();
  if (byId('cardinality').open) panels.cardinality(pick);
  let before = await panels.status();
  const watch = async () => {
    const state = document.hidden ? before : await panels.status();
    if (state === 'ok' && before !== 'ok') return begin();
    before = state;
    watching = setTimeout(watch, state === 'starting' ? 1000 : 10000);
  };
  watching = setTimeout(watch, before === 'starting' ? 1000 : 10000);
  if (before !== 'starting') {
    run({ push: false });
    if (editor.text()) editor.loadNames().catch(() => {}); // the query shows the error
  }
}

theme(localStorage.getItem(themeKey));
wire();
editor.start(() => run());
load();
begin();
