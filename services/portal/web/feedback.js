/** Feedback about courses: the buttons of each step, the list of statements, and the text of the toast. */

import { dateField, noonOf, today } from './dates.js';
import { button, h } from './dom.js';
import { errorText } from './errors.js';
import { day, localized, t } from './i18n.js';

const CHOICES = ['pin', 'not_now', 'not_relevant'];
const GROUPS = ['not_relevant', 'not_now', 'pin', 'started', 'completed'];

/** Return course id -> the newest current statement about it. */
export function currentStatements(feedback) {
  return new Map((feedback?.said ?? []).map((one) => [one.course, one]));
}

const unseen = (course) => h('span', { class: 'unseen' }, ': ', localized('span', course.title));

function choose(store, course, action) {
  return button(t('actions')[action], { busy: store.controls.busy.has('feedback'), 'data-keep': `${action}-${course.id}`,
    onclick: () => store.giveFeedback(course, action) }, unseen(course));
}

function undo(store, course, place) {
  return button(t('undo'), { busy: store.controls.busy.has('feedback'), 'data-keep': `undo-${place}-${course.id}`,
    onclick: () => store.giveFeedback(course, 'undo') }, unseen(course));
}

/** Return the form that asks when a course was finished: today, or a day before. */
function finishedForm(store, course) {
  const id = `finished-${course.id}`;
  const { complaint } = store.controls.finishing;
  const send = (event) => {
    event.preventDefault();
    const field = document.getElementById(id);
    if (field.validity.valid && field.value) {
      return store.giveFeedback(course, 'completed', field.value === today() ? undefined : noonOf(field.value));
    }
    store.finish(course, 'finishedWrong');
    return document.getElementById(id).focus();
  };
  return h('form', { class: 'finished', novalidate: true, onsubmit: send },
    dateField(id, t('finishedOn'), { value: today(), max: today(), required: true, wrong: complaint && `${id}-wrong` }),
    h('p', { class: 'wrong', id: `${id}-wrong`, role: 'alert' }, complaint ? t(complaint) : ''),
    button(t('finishedSave'), { type: 'submit', class: 'main', busy: store.controls.busy.has('feedback'),
      'data-keep': `completed-${course.id}` }, unseen(course)));
}

function finish(store, course, asked) {
  return button(t('actions').completed, { 'aria-expanded': String(asked), 'data-keep': `finish-${course.id}`,
    onclick: () => {
      store.finish(asked ? undefined : course);
      document.getElementById(`finished-${course.id}`)?.focus();
    } }, unseen(course));
}

/**
 * Return the mark of a step that was fixed in the path before optimization, or nothing. A required course brings its
 * prerequisites with it; a step that unlocks another required one may be either.
 */
export function seedMark({ course, seed, unlocks = [] }, path, { controls }) {
  const stated = !controls.feedback || currentStatements(controls.feedback).has(course.id);
  if (!seed || (stated && seed !== 'mandatory')) return undefined;
  const opens = seed === 'mandatory' && path.steps.some((step) => step.seed === seed && unlocks.includes(step.course.id));
  return h('p', { class: 'seed' }, h('span', { class: 'mark' }, t('seeds')[opens ? 'opens' : seed]));
}

/** Return the feedback buttons of a step; `seed` says why the step was fixed in the path, if it was. */
export function stepControls({ course, seed }, store) {
  const held = currentStatements(store.controls.feedback).get(course.id)?.action;
  const asked = store.controls.finishing?.course === course.id;
  const choices = CHOICES.filter((action) => action !== held && !(seed === 'mandatory' && action === 'not_relevant'));
  return h('div', { class: 'feedback', role: 'group', 'aria-label': t('feedbackLabel') },
    held && h('p', { class: 'said' }, h('span', { class: 'mark' }, t('statementMarks')[held]), ' ', undo(store, course, 'step')),
    h('p', { class: 'actions' }, held !== 'started' && choose(store, course, 'started'), finish(store, course, asked)),
    asked && finishedForm(store, course),
    h('details', { 'data-keep': `choices-${course.id}` }, h('summary', {}, t('moreChoices'), unseen(course)),
      h('ul', { class: 'choices' }, choices.map((action) => h('li', {}, choose(store, course, action),
        h('span', { class: 'quiet' }, t('actionWhy')[action]))))));
}

function entry(one, store) {
  const course = { id: one.course, title: one.title ?? { en: one.course } };
  return h('li', { 'data-statement': course.id },
    h('p', {}, localized('strong', course.title), ' ',
      h('time', { class: 'quiet', datetime: one.at }, t('statedOn', day(one.at)))),
    undo(store, course, 'list'));
}

/** Return the section that lists all current statements, each with its undo button. */
export function statementsSection(store) {
  const { feedback, feedbackFailed } = store.controls;
  const held = [...currentStatements(feedback).values()];
  const groups = GROUPS.map((action) => [action, held.filter((one) => one.action === action)])
    .filter(([, members]) => members.length > 0);
  return h('section', { class: 'statements', 'aria-labelledby': 'statements-title' },
    h('h2', { id: 'statements-title', tabindex: '-1' }, t('statementsTitle')),
    h('p', { class: 'quiet' }, t('statementsWhy')),
    feedbackFailed && h('p', { class: 'wrong', role: 'alert' }, t('statementsFailed'), ' ',
      button(t('again'), { 'data-keep': 'statements-again', onclick: store.reload })),
    feedback && groups.length === 0 && h('p', {}, t('statementsNone')),
    groups.map(([action, members]) => [h('h3', {}, t('statementGroups')[action]),
      h('ul', { class: 'plain' }, members.map((one) => entry(one, store)))]));
}

/**
 * Return the toast of the last feedback: [text, whether it can be undone, whether the new path has arrived].
 * `shown` is the revision of the path on the page; the path may arrive before the answer that names its revision.
 */
export function toastText({ course, action, saving, error, stale, revision }, shown) {
  const arrived = !stale && shown >= revision;
  const title = () => localized('span', course.title);
  if (saving) return [[t('saving'), ' ', title()], false, false];
  if (error) {
    const special = { 409: action === 'undo' ? 'nothingToUndo' : 'notTaken', 404: 'noPathYet' };
    return [[h('strong', {}, t('notSaved')), ' ', title(), ' · ', errorText(error, special)], false, false];
  }
  const then = stale ? 'replanLater' : arrived ? 'replanned' : 'replanning';
  return [[h('strong', {}, t('noted')[action]), ' ', title(), ' · ', t(then)], action !== 'undo', arrived];
}
