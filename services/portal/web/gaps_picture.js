/** The gaps as a picture: per skill one bar on the framework's own scale, by area; in words beside it and as a table. */

import { el, svg } from './dom.js';
import { level, say, told } from './language.js';

const MIDDLE = 14; // px from the top of a bar's picture
const UNDER = 25; // px from the top to the line of the likely range, clear of the bar
const ROUNDING = 0.05; // levels: less than what the page shows

/** Return the levels of the scale, lowest first; where the framework is not known, whole levels up to the largest seen. */
function scaleOf(path, framework) {
  if (framework?.scale?.length) return [...framework.scale].sort((a, b) => a.level - b.level);
  const top = Math.max(1, ...path.gaps.flatMap((gap) => [gap.required, gap.reached, gap.level]));
  return Array.from({ length: Math.ceil(top) + 1 }, (_, i) => ({ level: i }));
}

function bar(gap, scale) {
  const top = scale.at(-1).level;
  const at = (value) => `${((100 * Math.min(top, Math.max(0, value))) / top).toFixed(2)}%`;
  const wide = (from, to) => `${((100 * Math.max(0, Math.min(top, to) - Math.max(0, from))) / top).toFixed(2)}%`;
  const low = gap.level - gap.sd;
  const high = gap.level + gap.sd;
  const cap = (value) => svg('line', { class: 'range', x1: at(value), x2: at(value), y1: UNDER - 3, y2: UNDER + 3 });
  return svg('svg', { class: 'bar', height: 30, 'aria-hidden': 'true', focusable: 'false' },
    svg('rect', { class: 'track', x: 0, y: MIDDLE - 5, width: '100%', height: 10, rx: 5 }),
    scale.slice(1, -1).map((step) =>
      svg('line', { class: 'tick', x1: at(step.level), x2: at(step.level), y1: MIDDLE - 5, y2: MIDDLE + 5 })),
    svg('rect', { class: 'reached', x: at(gap.level), y: MIDDLE - 5, width: wide(gap.level, gap.reached), height: 10, rx: 2 }),
    svg('rect', { class: gap.assessed ? 'now' : 'now assumed', x: 0, y: MIDDLE - 5, width: at(gap.level), height: 10, rx: 5 }),
    gap.sd > 0 &&
      [svg('line', { class: 'range', x1: at(low), x2: at(high), y1: UNDER, y2: UNDER }), cap(low), cap(high)],
    svg('svg', { x: at(gap.required), overflow: 'visible' },
      svg('path', { class: 'required', d: `M0 ${MIDDLE - 8}V${MIDDLE + 7}M0 ${MIDDLE - 8}l-4 -6h8z` })));
}

function verdict(gap) {
  const missing = gap.required - gap.reached;
  if (gap.level >= gap.required - ROUNDING) return ['held', say('held')];
  if (missing < ROUNDING) return ['will-hold', say('willHold')];
  return ['short', say('short', level(missing))];
}

function row(gap, scale) {
  const [kind, words] = verdict(gap);
  return el('li', { class: 'gap' },
    el('p', { class: 'gap-title' }, told('strong', gap.title), el('span', { class: `verdict ${kind}` }, words)),
    bar(gap, scale),
    el('p', { class: 'gap-words' }, say('levels', level(gap.level), level(gap.reached), level(gap.required)),
      !gap.assessed && [el('br'), el('em', {}, say('untested'))]));
}

function swatch(kind, words) {
  const shapes = {
    now: [svg('rect', { class: 'now', x: 0, y: 5, width: 28, height: 10, rx: 5 })],
    range: [svg('line', { class: 'range', x1: 2, x2: 26, y1: 10, y2: 10 }),
      svg('line', { class: 'range', x1: 2, x2: 2, y1: 6, y2: 14 }), svg('line', { class: 'range', x1: 26, x2: 26, y1: 6, y2: 14 })],
    reached: [svg('rect', { class: 'reached', x: 0, y: 5, width: 28, height: 10, rx: 2 })],
    required: [svg('path', { class: 'required', d: 'M14 6V20M14 6l-4 -6h8z' })],
  };
  return el('li', {}, svg('svg', { class: 'swatch', width: 28, height: 20, 'aria-hidden': 'true' }, shapes[kind]), words);
}

function axis(scale) {
  const top = scale.at(-1).level;
  return svg('svg', { class: 'axis', height: 18, 'aria-hidden': 'true' }, scale.map((step, i) =>
    svg('text', { x: `${(100 * step.level) / top}%`, y: 13,
      'text-anchor': i === 0 ? 'start' : i === scale.length - 1 ? 'end' : 'middle' }, level(step.level))));
}

function table(gaps, top) {
  const heads = ['skill', 'legendNow', 'range', 'legendReached', 'legendRequired'];
  return el('details', { 'data-keep': 'gaps-table' }, el('summary', {}, say('asTable')),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': say('asTable') },
      el('table', {},
        el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, say(head))))),
        el('tbody', {}, gaps.map((gap) => el('tr', {}, told('th', gap.title, { scope: 'row' }),
          el('td', {}, level(gap.level)),
          el('td', {}, say('rangeOf', level(Math.max(0, gap.level - gap.sd)), level(Math.min(top, gap.level + gap.sd)))),
          el('td', {}, level(gap.reached)), el('td', {}, level(gap.required))))))));
}

function explanation(scale, framework, path) {
  const named = scale.filter((step) => step.title);
  return el('details', { 'data-keep': 'gaps-explained' }, el('summary', {}, say('explain')),
    named.length > 0 && [el('p', {}, say('explainLevel')),
      el('dl', { class: 'scale' }, named.map((step) =>
        el('div', {}, el('dt', {}, level(step.level)), told('dd', step.title))))],
    el('p', {}, say('explainRange')), el('p', {}, say('explainShare')),
    illustrative(framework, path) && el('p', {}, say('illustrative')));
}

/** Return whether any level that this job group requires is marked as an example of ours, not as published. */
function illustrative(framework, path) {
  return (framework?.requirements ?? []).some((rule) =>
    rule.job_group === path.job_group && rule.provenance?.level?.status === 'illustrative');
}

/** Return the gaps by area, in the framework's order: [[area title or nothing, gaps]]. */
function byArea(gaps, framework) {
  const groups = new Map((framework?.areas ?? []).map((area) => [area.id, [area.title, []]]));
  for (const gap of gaps) {
    if (!groups.has(gap.area)) groups.set(gap.area, [{ en: gap.area }, []]);
    groups.get(gap.area)[1].push(gap);
  }
  return [...groups.values()].filter(([, members]) => members.length > 0);
}

/** Return the section of the gaps, or nothing where there is no requirement. */
export function gapsSection(path, framework) {
  if (path.gaps.length === 0) return undefined;
  const scale = scaleOf(path, framework);
  return el('section', { class: 'gaps', 'aria-labelledby': 'gaps-title' },
    el('h2', { id: 'gaps-title', tabindex: '-1' }, say('gaps')),
    el('p', { class: 'quiet' }, say('gapsWhy')),
    el('ul', { class: 'legend' }, swatch('now', say('legendNow')), swatch('reached', say('legendReached')),
      swatch('required', say('legendRequired')), swatch('range', say('legendRange'))),
    byArea(path.gaps, framework).map(([title, gaps]) => [told('h3', title), axis(scale),
      el('ul', { class: 'gap-list' }, gaps.map((gap) => row(gap, scale)))]),
    table(path.gaps, scale.at(-1).level),
    explanation(scale, framework, path));
}
