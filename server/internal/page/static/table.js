// The result of an instant query as a table: a row for a series, a column for a label.

import { make } from './dom.js';
import { count, seriesName, when } from './format.js';

const maxRows = 1000; // shown
const maxPoints = 200; // shown of a series of points

// draw shows a result as of a time in Unix seconds.
export function draw(place, { resultType, result }, time) {
  if (resultType === 'scalar' || resultType === 'string') {
    place.replaceChildren(make('p', { className: 'scalar', textContent: result[1] }));
    return;
  }
  if (!result.length) {
    place.replaceChildren(make('p', { className: 'hint empty', textContent: 'No series at this time.' }));
    return;
  }
  place.replaceChildren(resultType === 'vector' ? vector(result) : matrix(result), remark(result.length, time));
}

function remark(length, time) {
  const shown = length > maxRows ? `, of which ${count(maxRows)} are shown` : '';
  return make('p', { className: 'hint', textContent: `${count(length)} series at ${when(time)}${shown}` });
}

function vector(result) {
  const keys = new Set();
  for (const { metric } of result) Object.keys(metric).forEach((key) => keys.add(key));
  const columns = [...keys].sort((a, b) => (b === '__name__') - (a === '__name__') || (a < b ? -1 : 1));
  const head = [...columns.map((key) => (key === '__name__' ? 'name' : key)), 'value'];
  const rows = result.slice(0, maxRows).map(({ metric, value }) => [...columns.map((key) => metric[key] ?? ''), value[1]]);
  return table(head, rows);
}

function matrix(result) {
  const list = make('div', { className: 'matrix' });
  for (const { metric, values } of result.slice(0, maxRows)) {
    const rows = values.slice(-maxPoints).map(([time, value]) => [when(time), value]);
    const more = values.length > maxPoints ? `, the last ${maxPoints} of ${count(values.length)}` : '';
    list.append(make('h3', { textContent: seriesName(metric) + more }), table(['time', 'value'], rows));
  }
  return list;
}

function table(head, rows) {
  const header = make('tr', {}, ...head.map((text, i) => make('th', { scope: 'col', textContent: text, className: i === head.length - 1 ? 'number' : '' })));
  const body = make('tbody');
  for (const cells of rows) {
    body.append(make('tr', {}, ...cells.map((text, i) => make('td', { textContent: text, className: i === cells.length - 1 ? 'number' : '' }))));
  }
  const place = make('div', { className: 'scroll' }, make('table', {}, make('thead', {}, header), body));
  place.tabIndex = 0; // so that the keyboard can scroll it
  return place;
}
