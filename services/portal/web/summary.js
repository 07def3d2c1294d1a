/** The head of the page: where one stands and where the path leads, in one sentence and one bar; and the news. */

import { el, svg } from './dom.js';
import { clock, day, hours, percent, points, say, signed, told } from './language.js';
import { titles } from './steps.js';

/** Return the share held as courses are usually completed; `after` where a path does not say. */
function usually({ before, after, gained, expected = gained }) {
  return gained > 0 ? before + ((after - before) * expected) / gained : after;
}

/** Return a bar of the coverage before and after, with its words. */
export function coverageBar(coverage) {
  const { before, after } = coverage;
  const likely = percent(usually(coverage));
  const wide = (share) => `${(100 * share).toFixed(1)}%`;
  return el('figure', { class: 'coverage' },
    el('figcaption', {}, say('coverage')),
    svg('svg', { class: 'coverage-bar', height: 20, 'aria-hidden': 'true' },
      svg('rect', { class: 'track', width: '100%', height: 20, rx: 10 }),
      svg('rect', { class: 'reached', width: wide(after), height: 20, rx: 10 }),
      svg('rect', { class: 'now', width: wide(before), height: 20, rx: 10 })),
    el('ul', { class: 'coverage-words' },
      el('li', { class: 'now' }, say('today'), ' ', el('strong', {}, percent(before))),
      el('li', { class: 'reached' }, say('afterAll'), ' ', el('strong', {}, percent(after))),
      likely !== percent(after) && el('li', { class: 'likely' }, say('afterUsual'), ' ', el('strong', {}, likely)),
      el('li', {}, say('target'))));
}

function facts(recommended, framework) {
  const { path } = recommended;
  const titleOf = (entries, id) => entries?.find((entry) => entry.id === id)?.title ?? { en: id };
  const rows = [
    ['jobGroup', told('dd', titleOf(framework?.job_groups, path.job_group))],
    path.stage && ['stage', told('dd', titleOf(framework?.stages, path.stage))],
    ['framework', told('dd', framework?.title ?? { en: path.framework })],
    path.budget_hours && ['budget', el('dd', {}, say('hours', hours(path.budget_hours)))],
    ['plannedAt', el('dd', {}, el('time', { datetime: recommended.planned_at }, day(recommended.planned_at)))],
  ].filter(Boolean);
  return el('dl', { class: 'facts' }, rows.map(([name, value]) => el('div', {}, el('dt', {}, say(name)), value)));
}

/** Return which notice a path needs above it: [heading, explanation], or nothing. */
function notice(path) {
  const met = path.open.every((gap) => gap.cause === 'too_small');
  if (path.status === 'waiting_for_framework') return [say('waitingFramework'), told('p', path.reason)];
  if (path.status === 'refused') return [say('refused'), told('p', path.reason)];
  if (path.status === 'provisional') return [say('provisional'), el('p', {}, say('provisionalWhy'))];
  if (path.steps.length > 0) return undefined;
  if (path.open.length > 0) return [say(met ? 'complete' : 'nothing'), told('p', path.reason)];
  return [say('complete'), el('p', {}, say('completeWhy'))];
}

/** Return the head of the page over a path; `more` stands at its end. */
export function summarySection(recommended, framework, whose, ...more) {
  const { path } = recommended;
  const warning = notice(path);
  const sentence = path.steps.length > 0 && el('p', { class: 'sentence' }, ...say('summary',
    el('strong', {}, say('courses', path.steps.length)), el('strong', {}, say('hours', hours(path.hours))),
    el('strong', {}, percent(path.coverage.after))));
  return el('section', { class: 'summary', 'aria-labelledby': 'page-title' },
    whose && el('p', { class: 'whose' }, whose),
    el('h1', { id: 'page-title' }, say('title')),
    warning && el('div', { class: `notice ${path.status}` }, el('h2', {}, warning[0]), warning[1]),
    sentence,
    path.gaps.length > 0 && coverageBar(path.coverage),
    facts(recommended, framework), more);
}

/** Return what changed, as the reader is told it: `change` is {at, cause, difference?, path}. */
export function news({ at, cause, difference, path }) {
  if (!difference) {
    const words = path.steps.length === 0 ? say('arrivedEmpty')
      : say('arrived', say('courses', path.steps.length), say('hours', hours(path.hours)));
    return [el('p', { class: 'news-title' }, words)];
  }
  const { added, removed, moved } = difference;
  const lists = [['added', added], ['removed', removed], ['moved', moved]].filter(([, courses]) => courses.length > 0);
  const figures = [
    ...(difference.measured ? [
      ['nowChange', difference.now.map(percent), points(...difference.now)],
      ['coverageChange', difference.reached.map(percent), points(...difference.reached)],
    ] : []),
    ['hoursChange', difference.hours.map(hours), signed(difference.hours[1] - difference.hours[0])],
  ].filter(([, [from, to]]) => from !== to);
  return [
    el('p', { class: 'news-title' }, say('changed', clock(at)), ' ', say('because')[cause] ?? ''),
    el('ul', {},
      lists.map(([name, courses]) => el('li', {}, el('strong', {}, say(name, courses.length)), ': ', titles(courses))),
      lists.length === 0 && path.steps.length > 0 && el('li', {}, say('sameCourses')),
      figures.map(([name, [from, to], by]) => el('li', {}, say(name, from, to, by)))),
  ];
}
