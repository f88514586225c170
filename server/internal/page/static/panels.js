// What stands around the query: the status line, cardinality, commands for writing.

import { ask, base, data, request, token } from './api.js';
import { byId, make } from './dom.js';
import { bytes, count, selector } from './format.js';

// status asks for the state and the figures, and returns the state.
export async function status() {
  const dot = document.querySelector('#status .dot');
  let state = 'unreachable';
  let detail = '';
  try {
    const { status: code, body } = await request('ready');
    state = body?.state || (code === 200 ? 'ok' : 'starting');
    detail = body?.reason || body?.error?.message || '';
    if (state === 'starting' && body?.recovery?.total) detail = `${Math.floor((100 * body.recovery.done) / body.recovery.total)} % of the log is read`;
  } catch {
    detail = 'no answer from the server';
  }
  byId('state').textContent = detail && state !== 'ok' ? `${state}: ${detail}` : state;
  dot.className = `dot ${state}`;
  await figures(state);
  return state;
}

async function figures(state) {
  const place = byId('figures');
  if (state === 'starting' || state === 'unreachable') {
    place.replaceChildren();
    return;
  }
  try {
    const s = await ask('api/v1/stats');
    const disk = s.disk_bytes || s.segment_bytes + s.wal_bytes + s.catalog_bytes + s.manifest_bytes;
    const items = [['points', count(s.memtable_points + s.segment_points)], ['series', count(s.series)], ['disk', bytes(disk)]];
    place.replaceChildren(...items.map(([name, value]) => make('div', {}, make('dt', { textContent: name }), make('dd', { textContent: value }))));
  } catch {
    place.replaceChildren();
  }
}

// cardinality fills its panel; onPick gets a query to run.
export async function cardinality(onPick) {
  const place = document.querySelector('#cardinality .body');
  try {
    const { data: c } = await data('api/v1/status/tsdb', { params: { limit: 12 } });
    const pick = (query) => (text) => make('button', { type: 'button', className: 'link', textContent: text, onclick: () => onPick(query(text)) });
    place.replaceChildren(make('div', { className: 'columns' },
      ranking('Series by name', c.seriesCountByMetricName, pick(selector)),
      ranking('Values by label', c.labelValueCountByLabelName, (text) => make('span', { textContent: text })),
      ranking('Series by label and value', c.seriesCountByLabelValuePair, (text) => make('span', { textContent: text }))));
  } catch (err) {
    place.replaceChildren(make('p', { className: 'error', textContent: err.message }));
  }
}

function ranking(title, rows, cell) {
  const most = Math.max(1, ...(rows || []).map((r) => r.value));
  const body = make('tbody');
  for (const { name, value } of rows || []) {
    const meter = make('meter', { min: 0, max: most, value });
    meter.setAttribute('aria-hidden', 'true');
    body.append(make('tr', {}, make('td', { className: 'wrap' }, cell(name)), make('td', {}, meter), make('td', { className: 'number', textContent: count(value) })));
  }
  return make('table', {}, make('caption', { textContent: title }), body);
}

// snippets fills the panel of commands, for this address.
export function snippets() {
  const url = base();
  const header = token() ? ` \\\n  -H "Authorization: Bearer $SYDRADB_TOKEN"` : '';
  const yaml = token() ? `\n    authorization:\n      credentials_file: /etc/prometheus/sydradb.token` : '';
  const all = [
    ['JSON lines', `curl ${url}/api/v1/ingest${header} \\\n  -d '{"series":"room_temp","ts":'$(date +%s)',"value":21.5,"tags":{"room":"hall"}}'`],
    ['InfluxDB line protocol', `curl ${url}/write${header} \\\n  --data-binary 'room,room=hall temp=21.5,humidity=48'`],
    ['Prometheus, in prometheus.yml', `remote_write:\n  - url: ${url}/api/v1/write${yaml}`],
    ['OpenTelemetry Collector', `exporters:\n  otlphttp:\n    metrics_endpoint: ${url}/v1/metrics${token() ? '\n    headers:\n      Authorization: Bearer ${env:SYDRADB_TOKEN}' : ''}`],
  ];
  document.querySelector('#write .body').replaceChildren(...all.map(([title, text]) => snippet(title, text)));
}

function snippet(title, text) {
  const code = make('pre', { textContent: text });
  code.tabIndex = 0;
  const button = make('button', { type: 'button', className: 'quiet', textContent: 'Copy', 'aria-label': `Copy: ${title}` });
  button.addEventListener('click', async () => {
    button.textContent = (await copy(text, code)) ? 'Copied' : 'Marked';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  return make('div', { className: 'snippet' }, make('div', { className: 'bar' }, make('h3', { textContent: title }), button), code);
}

// copy needs https or loopback; elsewhere the text is marked, to be copied by hand.
async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return false;
  }
}
