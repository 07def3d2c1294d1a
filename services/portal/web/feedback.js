/** What an officer says about courses: the buttons on each step, the list of what was said, and the word about the last. */

import { dateField, noonOf, today } from './dates.js';
import { el, press } from './dom.js';
import { day, say, told } from './language.js';

const CHOICES = ['pin', 'not_now', 'not_relevant'];
const GROUPS = ['not_relevant', 'not_now', 'pin', 'started', 'completed'];

/** Return course id -> the newest statement about it that stands. */
export function holding(feedback) {
  return new Map((feedback?.said ?? []).map((one) => [one.course, one]));
}

const unseen = (course) => el('span', { class: 'unseen' }, ': ', told('span', course.title));

function choose(desk, course, action) {
  return press(say('actions')[action], { busy: desk.state.busy.has('say'), 'data-keep': `${action}-${course.id}`,
    onclick: () => desk.say(course, action) }, unseen(course));
}

function undo(desk, course, place) {
  return press(say('undo'), { busy: desk.state.busy.has('say'), 'data-keep': `undo-${place}-${course.id}`,
    onclick: () => desk.say(course, 'undo') }, unseen(course));
}

/** Return the form that asks when a course was finished: today, or a day before. */
function finishedForm(desk, course) {
  const id = `finished-${course.id}`;
  const { complaint } = desk.state.finishing;
  const send = (event) => {
    event.preventDefault();
    const field = document.getElementById(id);
    if (field.validity.valid && field.value) {
      return desk.say(course, 'completed', field.value === today() ? undefined : noonOf(field.value));
    }
    desk.finish(course, 'finishedWrong');
    return document.getElementById(id).focus();
  };
  return el('form', { class: 'finished', novalidate: true, onsubmit: send },
    dateField(id, say('finishedOn'), { value: today(), max: today(), required: true, wrong: complaint && `${id}-wrong` }),
    el('p', { class: 'wrong', id: `${id}-wrong`, role: 'alert' }, complaint ? say(complaint) : ''),
    press(say('finishedSave'), { type: 'submit', class: 'main', busy: desk.state.busy.has('say'),
      'data-keep': `completed-${course.id}` }, unseen(course)));
}

function finish(desk, course, asked) {
  return press(say('actions').completed, { 'aria-expanded': String(asked), 'data-keep': `finish-${course.id}`,
    onclick: () => {
      desk.finish(asked ? undefined : course);
      document.getElementById(`finished-${course.id}`)?.focus();
    } }, unseen(course));
}

/**
 * Return the mark of what brought a step into its path where that was not its worth, or nothing. What a required course
 * needs first comes with it; a step that opens such another may be either.
 */
export function seedMark({ course, seed, unlocks = [] }, path, { state }) {
  const said = !state.feedback || holding(state.feedback).has(course.id);
  if (!seed || (said && seed !== 'mandatory')) return undefined;
  const opens = seed === 'mandatory' && path.steps.some((step) => step.seed === seed && unlocks.includes(step.course.id));
  return el('p', { class: 'seed' }, el('span', { class: 'mark' }, say('seeds')[opens ? 'opens' : seed]));
}

/** Return what one can say about a step; `seed` is what brought it into the path, where that was not its worth. */
export function stepControls({ course, seed }, desk) {
  const held = holding(desk.state.feedback).get(course.id)?.action;
  const asked = desk.state.finishing?.course === course.id;
  const choices = CHOICES.filter((action) => action !== held && !(seed === 'mandatory' && action === 'not_relevant'));
  return el('div', { class: 'say', role: 'group', 'aria-label': say('tellUs') },
    held && el('p', { class: 'said' }, el('span', { class: 'mark' }, say('heldMarks')[held]), ' ', undo(desk, course, 'step')),
    el('p', { class: 'actions' }, held !== 'started' && choose(desk, course, 'started'), finish(desk, course, asked)),
    asked && finishedForm(desk, course),
    el('details', { 'data-keep': `choices-${course.id}` }, el('summary', {}, say('moreChoices'), unseen(course)),
      el('ul', { class: 'choices' }, choices.map((action) => el('li', {}, choose(desk, course, action),
        el('span', { class: 'quiet' }, say('actionWhy')[action]))))));
}

function entry(one, desk) {
  const course = { id: one.course, title: one.title ?? { en: one.course } };
  return el('li', { 'data-said': course.id },
    el('p', {}, told('strong', course.title), ' ',
      el('time', { class: 'quiet', datetime: one.at }, say('saidOn', day(one.at)))),
    undo(desk, course, 'list'));
}

/** Return the section of all that was said, each with its undo. */
export function toldSection(desk) {
  const { feedback, feedbackFailed } = desk.state;
  const held = [...holding(feedback).values()];
  const groups = GROUPS.map((action) => [action, held.filter((one) => one.action === action)])
    .filter(([, members]) => members.length > 0);
  return el('section', { class: 'told-list', 'aria-labelledby': 'told-title' },
    el('h2', { id: 'told-title', tabindex: '-1' }, say('toldTitle')),
    el('p', { class: 'quiet' }, say('toldWhy')),
    feedbackFailed && el('p', { class: 'wrong', role: 'alert' }, say('toldFailed'), ' ',
      press(say('again'), { 'data-keep': 'told-again', onclick: desk.look })),
    feedback && groups.length === 0 && el('p', {}, say('toldNone')),
    groups.map(([action, members]) => [el('h3', {}, say('toldGroups')[action]),
      el('ul', { class: 'plain' }, members.map((one) => entry(one, desk)))]));
}

/** Return what is said about a refused request, in plain words. */
export function problem(error, special = {}) {
  const { status } = error;
  if (special[status]) return say(special[status]);
  if (status === 0) return say('unreachable');
  return say('problems')[status] ?? (status >= 500 ? say('busy') : say('problems').other);
}

/**
 * Return the word about what was said last: [text, whether it can be undone, whether a new path is there to look at].
 * `shown` is the revision of the path on the page: it may come before the answer that announces it.
 */
export function lastSaid({ course, action, saving, error, stale, revision }, shown) {
  const arrived = !stale && shown >= revision;
  const title = () => told('span', course.title);
  if (saving) return [[say('saving'), ' ', title()], false, false];
  if (error) {
    const special = { 409: action === 'undo' ? 'nothingToUndo' : 'notTaken', 404: 'noPathYet' };
    return [[el('strong', {}, say('notSaved')), ' ', title(), ' · ', problem(error, special)], false, false];
  }
  const then = stale ? 'replanLater' : arrived ? 'replanned' : 'replanning';
  return [[el('strong', {}, say('noted')[action]), ' ', title(), ' · ', say(then)], action !== 'undo', arrived];
}
