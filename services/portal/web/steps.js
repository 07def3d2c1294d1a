/** The path as an ordered list: coverage today, each course with its reasons, and coverage afterwards. */

import { button, h } from './dom.js';
import { errorText } from './errors.js';
import { seedMark, stepControls } from './feedback.js';
import { hours, joined, languageName, level, localized, percent, t } from './i18n.js';

/** Return the share of the requirement held after each step, 0 to 1; the contributions add up to the whole. */
export function sharesAfter(path) {
  const { before, after, gained } = path.coverage;
  let sum = 0;
  return path.steps.map((step) => {
    sum += step.closes.reduce((total, close) => total + close.contribution, 0);
    return gained > 0 ? before + ((after - before) * Math.min(sum, gained)) / gained : before;
  });
}

function closes(step) {
  return h('ul', { class: 'closes' }, step.closes.map((close) => h('li', {},
    localized('strong', close.title), ' ',
    h('span', {}, t('fromTo', level(close.from), level(close.to), level(close.required))),
    close.confidence !== undefined && h('span', { class: 'quiet' }, ' ', t('unconfirmed', Math.floor(close.confidence * 100 + 1e-4))))));
}

function condition(rule, names) {
  if (rule.course !== undefined) return h('span', {}, ...t('courseDone', names.course(rule.course)));
  if (rule.skill !== undefined) return h('span', {}, ...t('levelReached', names.skill(rule.skill), level(rule.level)));
  const branches = rule.any ?? rule.all;
  if (branches.length === 1) return condition(branches[0], names);
  return h('span', {}, t(rule.any ? 'anyOf' : 'allOf'),
    h('ul', {}, branches.map((branch) => h('li', {}, condition(branch, names)))));
}

function part(title, content) {
  return content && [h('h4', {}, title), content];
}

function alternative(course, step, names, store, ask) {
  return h('li', {}, localized('span', course.title), ' ', h('span', { class: 'quiet' }, `(${t('hours', hours(course.hours))})`), ' ',
    !names.inPath(course.id) && button(t('whyNotThis'), { class: 'small', busy: store.controls.busy.has('why-not'), 'data-keep': `why-${step.course.id}-${course.id}`,
      onclick: () => ask(course) }, h('span', { class: 'unseen' }, ': ', localized('span', course.title))));
}

function similar(step, names, store, ask) {
  const { course, found, error } = store.controls.similar ?? {};
  if (course !== step.course.id) {
    return button(t('askSimilar'), { class: 'small', busy: store.controls.busy.has('similar'), 'data-keep': `similar-${step.course.id}`,
      onclick: () => store.askSimilar(step.course) }, h('span', { class: 'unseen' }, ': ', localized('span', step.course.title)));
  }
  if (error) return h('p', { class: 'wrong' }, errorText(error, { 404: 'courseGone' }));
  if (!found) return h('p', { class: 'quiet' }, t('findingSimilar'));
  return part(t('similar'), found.length === 0 ? h('p', { class: 'quiet' }, t('noneSimilar'))
    : h('ul', {}, found.map((other) => alternative(other.course, step, names, store, ask))));
}

function details(step, names, store, ask) {
  const { requires = [], unlocks = [] } = step;
  const alternatives = step.alternatives ?? store.controls.alternatives?.of.get(step.course.id) ?? [];
  const look = (event) => event.target.open && names.unread && store.askAlternatives();
  return h('details', { 'data-keep': `more-${step.course.id}`, ontoggle: look },
    h('summary', {}, t('more'), h('span', { class: 'unseen' }, ': ', localized('span', step.course.title))),
    part(t('closes'), step.closes.length > 0 && closes(step)),
    part(t('requires'), requires.length > 0 &&
      h('ul', {}, requires.map((rule) => h('li', {}, condition(rule, names))))),
    part(t('unlocks'), unlocks.length > 0 && h('ul', {}, unlocks.map((id) => h('li', {}, names.course(id))))),
    part(t('alternatives'), alternatives.length > 0 &&
      h('ul', {}, alternatives.map(({ course }) => alternative(course, step, names, store, ask)))),
    similar(step, names, store, ask),
    step.closes.length > 0 &&
      h('p', { class: 'quiet' }, `${t('match')} ${percent(Math.min(1, Math.max(0, step.similarity)))}`));
}

function about(course) {
  const languages = (course.languages ?? []).map(languageName).join(', ');
  return h('p', { class: 'about' },
    h('strong', {}, t('hours', hours(course.hours))), ' · ', localized('span', course.provider), languages && ` · ${languages}`);
}

function link(course) {
  if (!/^https?:\/\//.test(course.url ?? '')) return undefined;
  return h('p', { class: 'go' }, h('a', { href: course.url, rel: 'noopener noreferrer', 'data-keep': `go-${course.id}` },
    t('openCourse'), h('span', { class: 'unseen' }, ': ', localized('span', course.title))));
}

function card(step, share, path, names, mark, store, ask) {
  const part = path.hours > 0 ? step.cumulative_hours / path.hours : 0;
  return h('li', { class: mark ? `step ${mark}` : 'step', 'data-course': step.course.id },
    h('span', { class: 'number', 'aria-hidden': 'true' }, String(step.position)),
    h('article', { class: 'card' },
      h('h3', {}, h('span', { class: 'unseen' }, `${t('step', step.position)}: `), localized('span', step.course.title),
        mark && [' ', h('span', { class: 'mark' }, t(mark === 'new' ? 'stepNew' : 'stepMoved'))]),
      about(step.course),
      seedMark(step, path, store),
      localized('p', step.reason, { class: 'reason' }),
      link(step.course),
      details(step, names, store, ask),
      stepControls(step, store),
      h('p', { class: 'so-far' },
        h('progress', { max: '1', value: part.toFixed(3), 'aria-hidden': 'true' }),
        h('span', {}, t('soFar', hours(step.cumulative_hours), hours(path.hours))),
        h('span', {}, t('soFarShare', percent(share))))));
}

/** Return the titles of courses and skills (ids where unknown), and whether a course is in the path. */
function naming(path, framework) {
  const seen = [...path.steps.flatMap((step) => step.alternatives ?? []), ...path.steps];
  const courses = new Map(seen.map(({ course }) => [course.id, course.title]));
  const skills = new Map([...(framework?.skills ?? []), ...path.gaps.map((gap) => ({ id: gap.skill, title: gap.title }))]
    .map((skill) => [skill.id, skill.title]));
  const name = (known, id) => (known.has(id) ? localized('span', known.get(id)) : h('span', { lang: 'en' }, id));
  const taken = new Set(path.steps.map(({ course }) => course.id));
  const unread = path.steps.every((step) => !step.alternatives);
  return { unread, course: (id) => name(courses, id), skill: (id) => name(skills, id), inPath: (id) => taken.has(id) };
}

/**
 * Return the section of the path; `change` (from changes.js, or nothing) marks what is new or moved. `ask(course)` asks
 * why a runner-up is not in it.
 */
export function stepsSection(path, framework, change, store, ask) {
  const names = naming(path, framework);
  const shares = sharesAfter(path);
  const ids = (courses) => new Set((courses ?? []).map((course) => course.id));
  const added = ids(change?.added);
  const moved = ids(change?.moved);
  const markOf = (id) => (added.has(id) ? 'new' : moved.has(id) ? 'moved' : undefined);
  return h('section', { class: 'path', 'aria-labelledby': 'path-title' },
    h('h2', { id: 'path-title' }, t('path')),
    h('p', { class: 'quiet' }, t('pathWhy')),
    h('p', { class: 'station start' }, ...t('start', h('strong', {}, percent(path.coverage.before)))),
    h('ol', { class: 'steps' },
      path.steps.map((step, i) => card(step, shares[i], path, names, markOf(step.course.id), store, ask))),
    h('p', { class: 'station finish' }, ...t('finish', h('strong', {}, percent(path.coverage.after)))));
}

/** Return the section of gaps that stay open and why, or nothing. */
export function openSection(path) {
  if (path.open.length === 0) return undefined;
  return h('section', { class: 'open', 'aria-labelledby': 'open-title' },
    h('h2', { id: 'open-title' }, t('open')),
    h('p', { class: 'quiet' }, t('openWhy')),
    h('ul', { class: 'open-list' }, path.open.map((gap) => h('li', {},
      localized('h3', gap.title),
      h('p', { class: 'quiet' }, t('reaches', level(gap.reached), level(gap.required))),
      localized('p', gap.reason)))));
}

/** Return titles as one line, with commas. */
export const titles = (courses) => joined(courses.map((course) => localized('span', course.title)));
