/** "What if…?": the path for another job group, stage, time or completed courses, beside the present path. Not stored. */

import { compare } from './changes.js';
import { coursePicker } from './course_picker.js';
import { button, h } from './dom.js';
import { errorText } from './errors.js';
import { hours, localized, percent, signed, t } from './i18n.js';
import { ENDLESS, fit, readTime, timeFields } from './study_time.js';
import { coverageBar } from './summary.js';

const TIME_CHOICES = ['same', 'unlimited', 'total', 'weekly'];
const field = (kind) => document.getElementById(`what-if-${kind}`);

function choice(kind, options, value, onchange) {
  return h('div', {}, h('label', { for: `what-if-${kind}` }, t(kind)),
    h('select', { id: `what-if-${kind}`, 'data-keep': `what-if-${kind}`, onchange },
      options.map(([id, words]) => h('option', { value: id, selected: id === value }, words))));
}

const titled = (entries) => entries.map((entry) => [entry.id, localized('span', entry.title).textContent]);

/** Return the request's fields about time, or the message key of a wrong entry. */
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

/** Return the request of the form, or the message key of a wrong entry; all else comes from the stored profile. */
function whatIfRequest(store) {
  const { whatIf, officer } = store.controls;
  const time = budget(whatIf.time);
  if (typeof time === 'string') return time;
  return { compare_with: officer, job_group: field('jobGroup').value, stage: field('stage')?.value || null,
    completed: whatIf.took.map((course) => course.id), ...time };
}

async function send(event, store) {
  event.preventDefault();
  const wish = whatIfRequest(store);
  if (typeof wish === 'string') {
    store.complain('whatIf', wish);
    const blamed = { deadlineWrong: 'deadline', totalWrong: 'total' }[wish] ?? (field('weekly').value ? 'deadline' : 'weekly');
    return field(blamed).focus();
  }
  store.setWhatIf({ complaint: undefined });
  await store.runWhatIf(wish);
  if (store.controls.whatIf.path) {
    document.getElementById('what-if-result').focus();
    document.getElementById('what-if-result').scrollIntoView();
  }
  return undefined;
}

function taken(store) {
  const { took } = store.controls.whatIf;
  return took.length > 0 && h('ul', { class: 'plain took' }, took.map((course) => h('li', {}, localized('span', course.title), ' ',
    button(t('takeOut'), { 'data-keep': `untake-${course.id}`,
      onclick: () => store.setWhatIf({ took: took.filter((other) => other.id !== course.id) }) },
    h('span', { class: 'unseen' }, ': ', localized('span', course.title))))));
}

function form(store, path, framework) {
  const { profile, whatIf, busy } = store.controls;
  const { complaint, error, time, took } = whatIf;
  const stages = [...(profile.stage ? [] : [['', t('anyStage')]]), ...titled(framework.stages ?? [])];
  return h('form', { novalidate: true, onsubmit: (event) => send(event, store) },
    h('div', { class: 'fields' },
      choice('jobGroup', titled(framework.job_groups), profile.job_group),
      stages.length > 1 && choice('stage', stages, profile.stage ?? ''),
      choice('myTime', TIME_CHOICES.map((one) => [one, t('times')[one]]), time, (event) => store.setWhatIf({ time: event.target.value })),
      time === 'total' && h('div', {}, h('label', { for: 'what-if-total' }, t('totalHours')),
        h('input', { id: 'what-if-total', type: 'number', inputmode: 'decimal', min: '0', step: 'any', 'data-keep': 'what-if-total',
          ...(complaint === 'totalWrong' ? { 'aria-invalid': 'true', 'aria-describedby': 'what-if-wrong' } : {}) }))),
    time === 'weekly' && timeFields('what-if',
      { weekly: profile.weekly_hours, deadline: profile.deadline, wrong: complaint && 'what-if-wrong' }),
    h('details', { 'data-keep': 'what-if-took' },
      h('summary', {}, t('alreadyTook'), took.length > 0 && ` (${took.length})`),
      coursePicker('took', { store, framework, path, label: 'alreadyTookAdd', inPath: true,
        onpick: (course) => store.setWhatIf({ took: [...took.filter((other) => other.id !== course.id), course] }) }),
      taken(store)),
    h('p', { class: 'wrong', id: 'what-if-wrong', role: 'alert' }, complaint ? t(complaint) : error ? errorText(error) : ''),
    h('button', { type: 'submit', class: 'main', 'data-keep': 'what-if-send',
      'aria-disabled': busy.has('what-if') ? 'true' : undefined }, t(busy.has('what-if') ? 'trying' : 'tryIt')));
}

function route(heading, path, framework, marks) {
  const titleOf = (entries, id) => entries?.find((entry) => entry.id === id)?.title ?? { en: id };
  return h('section', { class: 'route', 'aria-label': t(heading) },
    h('h4', {}, t(heading)),
    h('p', { class: 'quiet' }, localized('span', titleOf(framework.job_groups, path.job_group)),
      path.stage && [' · ', localized('span', titleOf(framework.stages, path.stage))]),
    h('p', {}, h('strong', {}, t('courses', path.steps.length)), ' · ', h('strong', {}, t('hours', hours(path.hours)))),
    path.gaps.length > 0 && coverageBar(path.coverage),
    path.steps.length === 0 && localized('p', path.reason),
    h('ol', {}, path.steps.map(({ course }) => h('li', { class: marks.get(course.id), 'data-course': course.id },
      localized('span', course.title), ' ', h('span', { class: 'quiet' }, `(${t('hours', hours(course.hours))})`),
      marks.has(course.id) && [' ', h('span', { class: 'mark' }, t(`mark-${marks.get(course.id)}`))]))),
    path.open.length > 0 && h('p', { class: 'quiet' }, t('stillOpen', path.open.length)));
}

function result(store, path, framework) {
  const tried = store.controls.whatIf.path;
  if (!tried) return undefined;
  const { added, removed, moved } = compare(path, tried);
  const marks = (...kinds) => new Map(kinds.flatMap(([kind, courses]) => courses.map((course) => [course.id, kind])));
  const sentences = [['added', added.length], ['removed', removed.length], ['moved', moved.length]].filter(([, n]) => n > 0)
    .map(([name, n]) => t(name, n));
  const by = tried.hours - path.hours;
  return h('div', { class: 'tried' },
    h('h3', { id: 'what-if-result', tabindex: '-1' }, t('tried')),
    h('p', { class: 'not-stored' }, t('notStored')),
    h('ul', { class: 'tried-words' },
      (sentences.length > 0 ? sentences : [t('sameCourses')]).map((words) => h('li', {}, words)),
      by !== 0 && h('li', {}, t('hoursChange', hours(path.hours), hours(tried.hours), signed(by))),
      h('li', {}, t('reachedChange', percent(path.coverage.after), percent(tried.coverage.after)))),
    fit(tried),
    h('div', { class: 'routes' }, route('present', path, framework, marks(['removed', removed])),
      route('imagined', tried, framework, marks(['new', added], ['moved', moved]))),
    button(t('triedClose'), { 'data-keep': 'what-if-close', onclick: () => {
      store.setWhatIf({ path: undefined });
      document.getElementById('what-if-title').focus();
    } }));
}

/** Return the what-if section. */
export function whatIfSection(store, path, framework) {
  return h('section', { class: 'what-if', 'aria-labelledby': 'what-if-title' },
    h('h2', { id: 'what-if-title', tabindex: '-1' }, t('whatIf')),
    h('p', { class: 'quiet' }, t('whatIfWhy')),
    store.controls.profile ? form(store, path, framework)
      : h('p', { class: 'quiet' }, store.controls.profileFailed ? errorText(store.controls.profileFailed) : t('loading')),
    result(store, path, framework));
}
