/** What an officer says about courses: the buttons on each step, the list of what was said, and the word about the last. */

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

/** Return what one can say about a step; `seed` is what brought it into the path, where that was not its worth. */
export function stepControls({ course, seed }, desk) {
  const held = holding(desk.state.feedback).get(course.id)?.action;
  const choices = CHOICES.filter((action) => action !== held && !(seed === 'mandatory' && action === 'not_relevant'));
  return el('div', { class: 'say', role: 'group', 'aria-label': say('tellUs') },
    held && el('p', { class: 'said' }, el('span', { class: 'mark' }, say('heldMarks')[held]), ' ', undo(desk, course, 'step')),
    !held && seed && el('p', { class: 'said' }, el('span', { class: 'mark' }, say('seeds')[seed])),
    el('p', { class: 'actions' }, held !== 'started' && choose(desk, course, 'started'), choose(desk, course, 'completed')),
    el('details', { 'data-keep': `choices-${course.id}` }, el('summary', {}, say('moreChoices'), unseen(course)),
      el('ul', { class: 'choices' }, choices.map((action) => el('li', {}, choose(desk, course, action),
        el('span', { class: 'quiet' }, say('actionWhy')[action]))))));
}

function entry(one, desk) {
  const course = { id: one.course, title: desk.state.titles.get(one.course) ?? { en: one.course } };
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
