/** The head of the page: coverage today and after the path, as a sentence and a bar; and the news. */

import { h, svg } from './dom.js';
import { clock, day, hours, localized, percent, points, signed, t } from './i18n.js';
import { titles } from './steps.js';

/** Return the coverage expected from completion rates; `after` if the path has no such figure. */
function usually({ before, after, gained, expected = gained }) {
  return gained > 0 ? before + ((after - before) * expected) / gained : after;
}

/** Return a bar of the coverage before and after, with its words. */
export function coverageBar(coverage) {
  const { before, after } = coverage;
  const likely = percent(usually(coverage));
  const wide = (share) => `${(100 * share).toFixed(1)}%`;
  return h('figure', { class: 'coverage' },
    h('figcaption', {}, t('coverage')),
    svg('svg', { class: 'coverage-bar', height: 20, 'aria-hidden': 'true' },
      svg('rect', { class: 'track', width: '100%', height: 20, rx: 10 }),
      svg('rect', { class: 'reached', width: wide(after), height: 20, rx: 10 }),
      svg('rect', { class: 'now', width: wide(before), height: 20, rx: 10 })),
    h('ul', { class: 'coverage-words' },
      h('li', { class: 'now' }, t('today'), ' ', h('strong', {}, percent(before))),
      h('li', { class: 'reached' }, t('afterAll'), ' ', h('strong', {}, percent(after))),
      likely !== percent(after) && h('li', { class: 'likely' }, t('afterUsual'), ' ', h('strong', {}, likely)),
      h('li', {}, t('target'))));
}

function facts(recommended, framework) {
  const { path } = recommended;
  const titleOf = (entries, id) => entries?.find((entry) => entry.id === id)?.title ?? { en: id };
  const rows = [
    ['jobGroup', localized('dd', titleOf(framework?.job_groups, path.job_group))],
    path.stage && ['stage', localized('dd', titleOf(framework?.stages, path.stage))],
    ['framework', localized('dd', framework?.title ?? { en: path.framework })],
    path.budget_hours && ['budget', h('dd', {}, t('hours', hours(path.budget_hours)))],
    ['plannedAt', h('dd', {}, h('time', { datetime: recommended.planned_at }, day(recommended.planned_at)))],
  ].filter(Boolean);
  return h('dl', { class: 'facts' }, rows.map(([name, value]) => h('div', {}, h('dt', {}, t(name)), value)));
}

/** Return which notice a path needs above it: [heading, explanation], or nothing. */
function notice(path) {
  const met = path.open.every((gap) => gap.cause === 'too_small');
  if (path.status === 'waiting_for_framework') return [t('waitingFramework'), localized('p', path.reason)];
  if (path.status === 'refused') return [t('refused'), localized('p', path.reason)];
  if (path.status === 'provisional') return [t('provisional'), h('p', {}, t('provisionalWhy'))];
  if (path.steps.length > 0) return undefined;
  if (path.open.length > 0) return [t(met ? 'complete' : 'nothing'), localized('p', path.reason)];
  return [t('complete'), h('p', {}, t('completeWhy'))];
}

/** Return the head of the page over a path; `more` stands at its end. */
export function summarySection(recommended, framework, whose, ...more) {
  const { path } = recommended;
  const warning = notice(path);
  const sentence = path.steps.length > 0 && h('p', { class: 'sentence' }, ...t('summary',
    h('strong', {}, t('courses', path.steps.length)), h('strong', {}, t('hours', hours(path.hours))),
    h('strong', {}, percent(path.coverage.after))));
  return h('section', { class: 'summary', 'aria-labelledby': 'page-title' },
    whose && h('p', { class: 'whose' }, whose),
    h('h1', { id: 'page-title' }, t('title')),
    warning && h('div', { class: `notice ${path.status}` }, h('h2', {}, warning[0]), warning[1]),
    sentence,
    path.gaps.length > 0 && coverageBar(path.coverage),
    facts(recommended, framework), more);
}

/** Return the news about a change: {at, cause, difference?, path}. */
export function news({ at, cause, difference, path }) {
  if (!difference) {
    const words = path.steps.length === 0 ? t('arrivedEmpty')
      : t('arrived', t('courses', path.steps.length), t('hours', hours(path.hours)));
    return [h('p', { class: 'news-title' }, words)];
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
    h('p', { class: 'news-title' }, t('changed', clock(at)), ' ', t('because')[cause] ?? ''),
    h('ul', {},
      lists.map(([name, courses]) => h('li', {}, h('strong', {}, t(name, courses.length)), ': ', titles(courses))),
      lists.length === 0 && path.steps.length > 0 && h('li', {}, t('sameCourses')),
      figures.map(([name, [from, to], by]) => h('li', {}, t(name, from, to, by)))),
  ];
}
