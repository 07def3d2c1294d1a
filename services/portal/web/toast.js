/** The toast: the result of the last feedback at the bottom of the screen, with undo and close. */

import { h } from './dom.js';
import { toastText } from './feedback.js';
import { t } from './i18n.js';

const at = (id) => document.getElementById(id);

/** Connect the buttons; returns {render(shown, news), isShown()}. */
export function createToast(store) {
  at('toast-undo').addEventListener('click', () => store.giveFeedback(store.controls.lastFeedback.course, 'undo'));
  at('toast-change').addEventListener('click', () => {
    store.closeToast();
    at('dismiss').focus({ preventScroll: true });
    at('change').scrollIntoView();
  });
  at('toast-close').addEventListener('click', () => {
    const { course } = store.controls.lastFeedback;
    store.closeToast();
    const card = document.querySelector(`[data-course="${CSS.escape(course.id)}"] button`);
    (card ?? at('main')).focus({ preventScroll: true });
  });

  /** Render the toast if there is one and it may be `shown`; `news`: whether the page shows a change. */
  function render(shown, news) {
    const last = shown ? store.controls.lastFeedback : undefined;
    const held = document.activeElement;
    const [words, undoable, changed] = last ? toastText(last, store.controls.revision) : [[], false, false];
    const text = at('toast-text');
    const fresh = h('p', {}, ...words);
    if (text.textContent !== fresh.textContent) text.replaceChildren(...fresh.childNodes);
    for (const [id, key, offered] of [['toast-undo', 'undo', undoable], ['toast-change', 'seeChange', changed && news],
      ['toast-close', 'close', true]]) {
      at(id).textContent = t(key);
      at(id).hidden = !offered;
    }
    at('toast').hidden = !last;
    if (last && held?.hidden) at('toast-close').focus({ preventScroll: true });
  }

  return { render, isShown: () => !at('toast').hidden };
}
