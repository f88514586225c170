// The graph: uPlot, with a legend of our own that the keyboard reaches.

import { make } from './dom.js';
import { axis, short, when } from './format.js';

/* global uPlot */

const maxSeries = 60; // drawn; more are unreadable, and slow

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colorOf = (i) => color(`--series-${i % 8}`);
const dashOf = (i) => [[], [6, 4], [2, 3]][Math.floor(i / 8) % 3];

let plot = null; // the one on the page
let watcher = null;

export function clear() {
  watcher?.disconnect();
  plot?.destroy();
  plot = watcher = null;
}

// draw shows a matrix, [{name, values: [[seconds, text], ...]}], between start and end,
// whose values are step seconds apart. onZoom gets the range that was marked by mouse.
export function draw(place, matrix, { start, end, step, onZoom }) {
  clear();
  const shown = matrix.slice(0, maxSeries);
  const { times, columns } = align(shown, start, end, step);
  const area = make('div', { className: 'plot', role: 'img' });
  area.setAttribute('aria-label', `Graph of ${shown.length} series from ${when(start)} to ${when(end)}; the table shows the same as text`);
  const legend = make('ul', { className: 'legend', 'aria-label': 'Series; press to hide or show' });
  const clock = make('p', { className: 'hint clock' });
  place.replaceChildren(area, clock, legend);
  const values = shown.map(({ name }, i) => legendEntry(legend, name, i));

  const update = (u) => {
    const at = u.cursor.idx;
    clock.textContent = at == null ? 'last values' : when(times[at]);
    columns.forEach((column, i) => {
      values[i].textContent = short(at == null ? last(column) : column[at]);
    });
  };
  plot = new uPlot(options(area, shown, { start, end, update, onZoom }), [times, ...columns], area);
  update(plot);
  if (matrix.length > maxSeries) {
    legend.append(make('li', { className: 'hint', textContent: `${maxSeries} of ${matrix.length} series are drawn; sum, topk or a condition on a label helps` }));
  }
  watcher = new ResizeObserver(() => plot?.setSize(size(area)));
  watcher.observe(area);
}

const last = (column) => column.findLast((v) => v !== null);
const size = (area) => ({ width: Math.max(200, area.clientWidth), height: window.innerWidth < 600 ? 240 : 340 });

function legendEntry(legend, name, i) {
  const value = make('span', { className: 'value' });
  const swatch = make('span', { className: `swatch dash-${Math.floor(i / 8) % 3}` });
  swatch.style.borderColor = colorOf(i);
  const button = make('button', { type: 'button', title: name }, swatch, value, make('span', { className: 'name', textContent: name }));
  button.setAttribute('aria-pressed', 'true');
  button.addEventListener('click', () => {
    const show = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', show);
    plot.setSeries(i + 1, { show });
  });
  const focus = (on) => () => plot?.setSeries(on ? i + 1 : null, { focus: on });
  button.addEventListener('mouseenter', focus(true));
  button.addEventListener('mouseleave', focus(false));
  legend.append(make('li', {}, button));
  return value;
}

function options(area, shown, { start, end, update, onZoom }) {
  const line = { stroke: color('--soft'), grid: { stroke: color('--grid'), width: 1 }, ticks: { stroke: color('--grid'), width: 1, size: 4 }, font: '12px system-ui, sans-serif' };
  return {
    ...size(area),
    legend: { show: false },
    focus: { alpha: 0.25 },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: true, range: [start, end] }, y: { range: room } },
    axes: [
      { ...line, values: clockLabels, space: 70 },
      { ...line, size: 64, values: (u, splits, index, space, increment) => axis(splits, increment) },
    ],
    series: [{}, ...shown.map(({ name }, i) => ({ label: name, stroke: colorOf(i), dash: dashOf(i), width: 1.5, spanGaps: false }))],
    hooks: {
      setCursor: [update],
      setSelect: [(u) => {
        if (u.select.width < 8) return;
        onZoom(u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x'));
      }],
    },
  };
}

// room leaves a little air around the values, and shows zero where it is near.
function room(u, least, greatest) {
  if (least === null) return [0, 1];
  const span = greatest - least || Math.abs(greatest) || 1;
  const low = least >= 0 && least < span ? 0 : least - span * 0.05;
  return [low, greatest + span * 0.05];
}

// clockLabels: days where the range has several, seconds where labels are close.
function clockLabels(u, splits, index, space, increment) {
  let day = '';
  return splits.map((t) => {
    const [date, time] = when(t).split(' ');
    const clock = increment < 60 ? time : time.slice(0, 5);
    const fresh = date !== day;
    day = date;
    if (increment >= 86400) return date.slice(5);
    return fresh && u.scales.x.max - u.scales.x.min > 43200 ? `${clock}\n${date.slice(5)}` : clock;
  });
}

// align puts all series on the times of the steps, null where one has no value.
function align(matrix, start, end, step) {
  const length = Math.floor((end - start) / step + 1e-6) + 1;
  const times = Array.from({ length }, (_, i) => start + i * step);
  const columns = matrix.map(({ values }) => {
    const column = new Array(length).fill(null);
    for (const [time, text] of values) {
      const v = Number(text); // NaN and infinities cannot be drawn
      if (Number.isFinite(v)) column[Math.round((time - start) / step)] = v;
    }
    return column;
  });
  return { times, columns };
}
