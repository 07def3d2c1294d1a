/** The path as an ordered list: where one stands today, each course with its reasons, and where it leads. */

import { el, press } from './dom.js';
import { problem, seedMark, stepControls } from './feedback.js';
import { hours, joined, languageName, level, percent, say, told } from './language.js';

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
  return el('ul', { class: 'closes' }, step.closes.map((close) => el('li', {},
    told('strong', close.title), ' ',
    el('span', {}, say('fromTo', level(close.from), level(close.to), level(close.required))))));
}

function condition(rule, names) {
  if (rule.course !== undefined) return el('span', {}, ...say('courseDone', names.course(rule.course)));
  if (rule.skill !== undefined) return el('span', {}, ...say('levelReached', names.skill(rule.skill), level(rule.level)));
  const branches = rule.any ?? rule.all;
  if (branches.length === 1) return condition(branches[0], names);
  return el('span', {}, say(rule.any ? 'anyOf' : 'allOf'),
    el('ul', {}, branches.map((branch) => el('li', {}, condition(branch, names)))));
}

function part(title, content) {
  return content && [el('h4', {}, title), content];
}

function alternative(course, step, names, desk, ask) {
  return el('li', {}, told('span', course.title), ' ', el('span', { class: 'quiet' }, `(${say('hours', hours(course.hours))})`), ' ',
    !names.inPath(course.id) && press(say('whyNotThis'), { class: 'small', busy: desk.state.busy.has('why-not'), 'data-keep': `why-${step.course.id}-${course.id}`,
      onclick: () => ask(course) }, el('span', { class: 'unseen' }, ': ', told('span', course.title))));
}

function similar(step, names, desk, ask) {
  const { course, found, error } = desk.state.similar ?? {};
  if (course !== step.course.id) {
    return press(say('askSimilar'), { class: 'small', busy: desk.state.busy.has('similar'), 'data-keep': `similar-${step.course.id}`,
      onclick: () => desk.askSimilar(step.course) }, el('span', { class: 'unseen' }, ': ', told('span', step.course.title)));
  }
  if (error) return el('p', { class: 'wrong' }, problem(error, { 404: 'courseGone' }));
  if (!found) return el('p', { class: 'quiet' }, say('findingSimilar'));
  return part(say('similar'), found.length === 0 ? el('p', { class: 'quiet' }, say('noneSimilar'))
    : el('ul', {}, found.map((other) => alternative(other.course, step, names, desk, ask))));
}

function details(step, names, desk, ask) {
  const { requires = [], unlocks = [] } = step;
  const alternatives = step.alternatives ?? desk.state.alternatives?.of.get(step.course.id) ?? [];
  const look = (event) => event.target.open && names.unread && desk.askAlternatives();
  return el('details', { 'data-keep': `more-${step.course.id}`, ontoggle: look },
    el('summary', {}, say('more'), el('span', { class: 'unseen' }, ': ', told('span', step.course.title))),
    part(say('closes'), step.closes.length > 0 && closes(step)),
    part(say('requires'), requires.length > 0 &&
      el('ul', {}, requires.map((rule) => el('li', {}, condition(rule, names))))),
    part(say('unlocks'), unlocks.length > 0 && el('ul', {}, unlocks.map((id) => el('li', {}, names.course(id))))),
    part(say('alternatives'), alternatives.length > 0 &&
      el('ul', {}, alternatives.map(({ course }) => alternative(course, step, names, desk, ask)))),
    similar(step, names, desk, ask),
    step.closes.length > 0 &&
      el('p', { class: 'quiet' }, `${say('match')} ${percent(Math.min(1, Math.max(0, step.similarity)))}`));
}

function about(course) {
  const languages = (course.languages ?? []).map(languageName).join(', ');
  return el('p', { class: 'about' },
    el('strong', {}, say('hours', hours(course.hours))), ' · ', told('span', course.provider), languages && ` · ${languages}`);
}

function link(course) {
  if (!/^https?:\/\//.test(course.url ?? '')) return undefined;
  return el('p', { class: 'go' }, el('a', { href: course.url, rel: 'noopener noreferrer', 'data-keep': `go-${course.id}` },
    say('openCourse'), el('span', { class: 'unseen' }, ': ', told('span', course.title))));
}

function card(step, share, path, names, mark, desk, ask) {
  const part = path.hours > 0 ? step.cumulative_hours / path.hours : 0;
  return el('li', { class: mark ? `step ${mark}` : 'step', 'data-course': step.course.id },
    el('span', { class: 'number', 'aria-hidden': 'true' }, String(step.position)),
    el('article', { class: 'card' },
      el('h3', {}, el('span', { class: 'unseen' }, `${say('step', step.position)}: `), told('span', step.course.title),
        mark && [' ', el('span', { class: 'mark' }, say(mark === 'new' ? 'stepNew' : 'stepMoved'))]),
      about(step.course),
      seedMark(step, path, desk),
      told('p', step.reason, { class: 'reason' }),
      link(step.course),
      details(step, names, desk, ask),
      stepControls(step, desk),
      el('p', { class: 'so-far' },
        el('progress', { max: '1', value: part.toFixed(3), 'aria-hidden': 'true' }),
        el('span', {}, say('soFar', hours(step.cumulative_hours), hours(path.hours))),
        el('span', {}, say('soFarShare', percent(share))))));
}

/** Return what courses and skills are called here, by titles where they are known, and whether a course is in the path. */
function naming(path, framework) {
  const seen = [...path.steps.flatMap((step) => step.alternatives ?? []), ...path.steps];
  const courses = new Map(seen.map(({ course }) => [course.id, course.title]));
  const skills = new Map([...(framework?.skills ?? []), ...path.gaps.map((gap) => ({ id: gap.skill, title: gap.title }))]
    .map((skill) => [skill.id, skill.title]));
  const name = (known, id) => (known.has(id) ? told('span', known.get(id)) : el('span', { lang: 'en' }, id));
  const taken = new Set(path.steps.map(({ course }) => course.id));
  const unread = path.steps.every((step) => !step.alternatives);
  return { unread, course: (id) => name(courses, id), skill: (id) => name(skills, id), inPath: (id) => taken.has(id) };
}

/**
 * Return the section of the path; `change` (from changes.js, or nothing) marks what is new or moved. `ask(course)` asks
 * why a runner-up is not in it.
 */
export function stepsSection(path, framework, change, desk, ask) {
  const names = naming(path, framework);
  const shares = sharesAfter(path);
  const ids = (courses) => new Set((courses ?? []).map((course) => course.id));
  const added = ids(change?.added);
  const moved = ids(change?.moved);
  const markOf = (id) => (added.has(id) ? 'new' : moved.has(id) ? 'moved' : undefined);
  return el('section', { class: 'path', 'aria-labelledby': 'path-title' },
    el('h2', { id: 'path-title' }, say('path')),
    el('p', { class: 'quiet' }, say('pathWhy')),
    el('p', { class: 'station start' }, ...say('start', el('strong', {}, percent(path.coverage.before)))),
    el('ol', { class: 'steps' },
      path.steps.map((step, i) => card(step, shares[i], path, names, markOf(step.course.id), desk, ask))),
    el('p', { class: 'station finish' }, ...say('finish', el('strong', {}, percent(path.coverage.after)))));
}

/** Return the section of what stays open and why, or nothing. */
export function openSection(path) {
  if (path.open.length === 0) return undefined;
  return el('section', { class: 'open', 'aria-labelledby': 'open-title' },
    el('h2', { id: 'open-title' }, say('open')),
    el('p', { class: 'quiet' }, say('openWhy')),
    el('ul', { class: 'open-list' }, path.open.map((gap) => el('li', {},
      told('h3', gap.title),
      el('p', { class: 'quiet' }, say('reaches', level(gap.reached), level(gap.required))),
      told('p', gap.reason)))));
}

/** Return titles as one line, with commas. */
export const titles = (courses) => joined(courses.map((course) => told('span', course.title)));
