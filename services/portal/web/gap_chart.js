/** The gap chart: one bar per skill on the framework's scale, grouped by area, with text and as a table. */

import { h, svg } from './dom.js';
import { level, localized, t } from './i18n.js';

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
  if (gap.level >= gap.required - ROUNDING) return ['held', t('held')];
  if (missing < ROUNDING) return ['will-hold', t('willHold')];
  return ['short', t('short', level(missing))];
}

function row(gap, scale) {
  const [kind, words] = verdict(gap);
  return h('li', { class: 'gap' },
    h('p', { class: 'gap-title' }, localized('strong', gap.title), h('span', { class: `verdict ${kind}` }, words)),
    bar(gap, scale),
    h('p', { class: 'gap-words' }, t('levels', level(gap.level), level(gap.reached), level(gap.required)),
      !gap.assessed && [h('br'), h('em', {}, t('untested'))]));
}

function swatch(kind, words) {
  const shapes = {
    now: [svg('rect', { class: 'now', x: 0, y: 5, width: 28, height: 10, rx: 5 })],
    range: [svg('line', { class: 'range', x1: 2, x2: 26, y1: 10, y2: 10 }),
      svg('line', { class: 'range', x1: 2, x2: 2, y1: 6, y2: 14 }), svg('line', { class: 'range', x1: 26, x2: 26, y1: 6, y2: 14 })],
    reached: [svg('rect', { class: 'reached', x: 0, y: 5, width: 28, height: 10, rx: 2 })],
    required: [svg('path', { class: 'required', d: 'M14 6V20M14 6l-4 -6h8z' })],
  };
  return h('li', {}, svg('svg', { class: 'swatch', width: 28, height: 20, 'aria-hidden': 'true' }, shapes[kind]), words);
}

function axis(scale) {
  const top = scale.at(-1).level;
  return svg('svg', { class: 'axis', height: 18, 'aria-hidden': 'true' }, scale.map((step, i) =>
    svg('text', { x: `${(100 * step.level) / top}%`, y: 13,
      'text-anchor': i === 0 ? 'start' : i === scale.length - 1 ? 'end' : 'middle' }, level(step.level))));
}

function table(gaps, top) {
  const heads = ['skill', 'legendNow', 'range', 'legendReached', 'legendRequired'];
  return h('details', { 'data-keep': 'gaps-table' }, h('summary', {}, t('asTable')),
    h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('asTable') },
      h('table', {},
        h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, t(head))))),
        h('tbody', {}, gaps.map((gap) => h('tr', {}, localized('th', gap.title, { scope: 'row' }),
          h('td', {}, level(gap.level)),
          h('td', {}, t('rangeOf', level(Math.max(0, gap.level - gap.sd)), level(Math.min(top, gap.level + gap.sd)))),
          h('td', {}, level(gap.reached)), h('td', {}, level(gap.required))))))));
}

function explanation(scale, framework, path) {
  const named = scale.filter((step) => step.title);
  return h('details', { 'data-keep': 'gaps-explained' }, h('summary', {}, t('explain')),
    named.length > 0 && [h('p', {}, t('explainLevel')),
      h('dl', { class: 'scale' }, named.map((step) =>
        h('div', {}, h('dt', {}, level(step.level)), localized('dd', step.title))))],
    h('p', {}, t('explainRange')), h('p', {}, t('explainShare')),
    illustrative(framework, path) && h('p', {}, t('illustrative')));
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
  return h('section', { class: 'gaps', 'aria-labelledby': 'gaps-title' },
    h('h2', { id: 'gaps-title', tabindex: '-1' }, t('gaps')),
    h('p', { class: 'quiet' }, t('gapsWhy')),
    h('ul', { class: 'legend' }, swatch('now', t('legendNow')), swatch('reached', t('legendReached')),
      swatch('required', t('legendRequired')), swatch('range', t('legendRange'))),
    byArea(path.gaps, framework).map(([title, gaps]) => [localized('h3', title), axis(scale),
      h('ul', { class: 'gap-list' }, gaps.map((gap) => row(gap, scale)))]),
    table(path.gaps, scale.at(-1).level),
    explanation(scale, framework, path));
}
