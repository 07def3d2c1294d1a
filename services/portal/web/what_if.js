/** "What if…?": another job group, stage or time, or courses already done, tried out beside the present path. Never stored. */

import { compare } from './changes.js';
import { el, press } from './dom.js';
import { problem } from './feedback.js';
import { hours, percent, say, signed, told } from './language.js';
import { picker } from './picker.js';
import { coverageBar } from './summary.js';
import { ENDLESS, fit, readTime, timeFields } from './time.js';

const TIMES = ['same', 'unlimited', 'total', 'weekly'];
const field = (kind) => document.getElementById(`what-if-${kind}`);

function choice(kind, options, value, onchange) {
  return el('div', {}, el('label', { for: `what-if-${kind}` }, say(kind)),
    el('select', { id: `what-if-${kind}`, 'data-keep': `what-if-${kind}`, onchange },
      options.map(([id, words]) => el('option', { value: id, selected: id === value }, words))));
}

const titled = (entries) => entries.map((entry) => [entry.id, told('span', entry.title).textContent]);

/** Return the fields of the request that say how much time there is, or the key of what is wrong. */
function budget(time) {
  if (time === 'same') return {};
  if (time === 'unlimited') return { budget_hours: ENDLESS };
  if (time === 'total') {
    const total = Number(field('total').value);
    return field('total').value !== '' && total >= 0 && total <= ENDLESS ? { budget_hours: total } : 'totalWrong';
  }
  const [weekly, deadline, wrong] = readTime(field('weekly'), field('deadline'));
  if (wrong) return wrong;
  return weekly && deadline ? { weekly_hours: weekly, deadline } : 'bothNeeded';
}

/** Return the body of the request: what the form says; all else is as it is stored of this officer. Or what is wrong. */
function wished(desk) {
  const { whatIf, officer } = desk.state;
  const time = budget(whatIf.time);
  if (typeof time === 'string') return time;
  return { compare_with: officer, job_group: field('jobGroup').value, stage: field('stage')?.value || null,
    completed: whatIf.took.map((course) => course.id), ...time };
}

async function send(event, desk) {
  event.preventDefault();
  const wish = wished(desk);
  if (typeof wish === 'string') {
    desk.complain('whatIf', wish);
    const blamed = { deadlineWrong: 'deadline', totalWrong: 'total' }[wish] ?? (field('weekly').value ? 'deadline' : 'weekly');
    return field(blamed).focus();
  }
  desk.wish({ complaint: undefined });
  await desk.tryOut(wish);
  if (desk.state.whatIf.path) {
    document.getElementById('what-if-result').focus();
    document.getElementById('what-if-result').scrollIntoView();
  }
  return undefined;
}

function taken(desk) {
  const { took } = desk.state.whatIf;
  return took.length > 0 && el('ul', { class: 'plain took' }, took.map((course) => el('li', {}, told('span', course.title), ' ',
    press(say('takeOut'), { 'data-keep': `untake-${course.id}`,
      onclick: () => desk.wish({ took: took.filter((other) => other.id !== course.id) }) },
    el('span', { class: 'unseen' }, ': ', told('span', course.title))))));
}

function form(desk, path, framework) {
  const { profile, whatIf, busy } = desk.state;
  const { complaint, error, time, took } = whatIf;
  const stages = [...(profile.stage ? [] : [['', say('anyStage')]]), ...titled(framework.stages ?? [])];
  return el('form', { novalidate: true, onsubmit: (event) => send(event, desk) },
    el('div', { class: 'fields' },
      choice('jobGroup', titled(framework.job_groups), profile.job_group),
      stages.length > 1 && choice('stage', stages, profile.stage ?? ''),
      choice('myTime', TIMES.map((one) => [one, say('times')[one]]), time, (event) => desk.wish({ time: event.target.value })),
      time === 'total' && el('div', {}, el('label', { for: 'what-if-total' }, say('totalHours')),
        el('input', { id: 'what-if-total', type: 'number', inputmode: 'decimal', min: '0', step: 'any', 'data-keep': 'what-if-total',
          ...(complaint === 'totalWrong' ? { 'aria-invalid': 'true', 'aria-describedby': 'what-if-wrong' } : {}) }))),
    time === 'weekly' && timeFields('what-if',
      { weekly: profile.weekly_hours, deadline: profile.deadline, wrong: complaint && 'what-if-wrong' }),
    el('details', { 'data-keep': 'what-if-took' },
      el('summary', {}, say('alreadyTook'), took.length > 0 && ` (${took.length})`),
      picker('took', { desk, framework, path, label: 'alreadyTookAdd', inPath: true,
        onpick: (course) => desk.wish({ took: [...took.filter((other) => other.id !== course.id), course] }) }),
      taken(desk)),
    el('p', { class: 'wrong', id: 'what-if-wrong', role: 'alert' }, complaint ? say(complaint) : error ? problem(error) : ''),
    el('button', { type: 'submit', class: 'main', 'data-keep': 'what-if-send',
      'aria-disabled': busy.has('what-if') ? 'true' : undefined }, say(busy.has('what-if') ? 'trying' : 'tryIt')));
}

function route(heading, path, framework, marks) {
  const titleOf = (entries, id) => entries?.find((entry) => entry.id === id)?.title ?? { en: id };
  return el('section', { class: 'route', 'aria-label': say(heading) },
    el('h4', {}, say(heading)),
    el('p', { class: 'quiet' }, told('span', titleOf(framework.job_groups, path.job_group)),
      path.stage && [' · ', told('span', titleOf(framework.stages, path.stage))]),
    el('p', {}, el('strong', {}, say('courses', path.steps.length)), ' · ', el('strong', {}, say('hours', hours(path.hours)))),
    path.gaps.length > 0 && coverageBar(path.coverage),
    path.steps.length === 0 && told('p', path.reason),
    el('ol', {}, path.steps.map(({ course }) => el('li', { class: marks.get(course.id), 'data-course': course.id },
      told('span', course.title), ' ', el('span', { class: 'quiet' }, `(${say('hours', hours(course.hours))})`),
      marks.has(course.id) && [' ', el('span', { class: 'mark' }, say(`mark-${marks.get(course.id)}`))]))),
    path.open.length > 0 && el('p', { class: 'quiet' }, say('stillOpen', path.open.length)));
}

function result(desk, path, framework) {
  const tried = desk.state.whatIf.path;
  if (!tried) return undefined;
  const { added, removed, moved } = compare(path, tried);
  const marks = (...kinds) => new Map(kinds.flatMap(([kind, courses]) => courses.map((course) => [course.id, kind])));
  const sentences = [['added', added.length], ['removed', removed.length], ['moved', moved.length]].filter(([, n]) => n > 0)
    .map(([name, n]) => say(name, n));
  const by = tried.hours - path.hours;
  return el('div', { class: 'tried' },
    el('h3', { id: 'what-if-result', tabindex: '-1' }, say('tried')),
    el('p', { class: 'not-stored' }, say('notStored')),
    el('ul', { class: 'tried-words' },
      (sentences.length > 0 ? sentences : [say('sameCourses')]).map((words) => el('li', {}, words)),
      by !== 0 && el('li', {}, say('hoursChange', hours(path.hours), hours(tried.hours), signed(by))),
      el('li', {}, say('reachedChange', percent(path.coverage.after), percent(tried.coverage.after)))),
    fit(tried),
    el('div', { class: 'routes' }, route('present', path, framework, marks(['removed', removed])),
      route('imagined', tried, framework, marks(['new', added], ['moved', moved]))),
    press(say('triedClose'), { 'data-keep': 'what-if-close', onclick: () => {
      desk.wish({ path: undefined });
      document.getElementById('what-if-title').focus();
    } }));
}

/** Return the section where one tries things out beside the present path. */
export function whatIfSection(desk, path, framework) {
  return el('section', { class: 'what-if', 'aria-labelledby': 'what-if-title' },
    el('h2', { id: 'what-if-title', tabindex: '-1' }, say('whatIf')),
    el('p', { class: 'quiet' }, say('whatIfWhy')),
    desk.state.profile ? form(desk, path, framework)
      : el('p', { class: 'quiet' }, desk.state.profileFailed ? problem(desk.state.profileFailed) : say('loading')),
    result(desk, path, framework));
}
