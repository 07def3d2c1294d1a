/** The word about what the reader said last: at the foot of the screen, with its undo, until they close it. */

import { el } from './dom.js';
import { lastSaid } from './feedback.js';
import { say } from './language.js';

const at = (id) => document.getElementById(id);

/** Take the buttons into service; returns {draw(shown, news), shown()}. */
export function createWord(desk) {
  at('word-undo').addEventListener('click', () => desk.say(desk.state.told.course, 'undo'));
  at('word-change').addEventListener('click', () => {
    desk.forget();
    at('dismiss').focus({ preventScroll: true });
    at('change').scrollIntoView();
  });
  at('word-close').addEventListener('click', () => {
    const { course } = desk.state.told;
    desk.forget();
    const card = document.querySelector(`[data-course="${CSS.escape(course.id)}"] button`);
    (card ?? at('main')).focus({ preventScroll: true });
  });

  /** Draw it, where there is one to be `shown`; `news` says whether there is a change to look at. */
  function draw(shown, news) {
    const last = shown ? desk.state.told : undefined;
    const held = document.activeElement;
    const [words, undoable, changed] = last ? lastSaid(last, desk.state.revision) : [[], false, false];
    const text = at('word-said');
    const fresh = el('p', {}, ...words);
    if (text.textContent !== fresh.textContent) text.replaceChildren(...fresh.childNodes);
    for (const [id, key, offered] of [['word-undo', 'undo', undoable], ['word-change', 'seeChange', changed && news],
      ['word-close', 'close', true]]) {
      at(id).textContent = say(key);
      at(id).hidden = !offered;
    }
    at('word').hidden = !last;
    if (last && held?.hidden) at('word-close').focus({ preventScroll: true });
  }

  return { draw, shown: () => !at('word').hidden };
}
