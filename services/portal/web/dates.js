/** Date fields, with the day in words beside them because Thai years differ. */

import { h } from './dom.js';
import { day } from './i18n.js';

/** Return today as the date fields write it. */
export function today() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
}

/** Return noon of a day in the reader's time zone, as ISO 8601 in UTC. */
export const noonOf = (date) => new Date(`${date}T12:00:00`).toISOString();

/** Return a labelled date field with its day in words; `wrong` is the id of its error message. */
export function dateField(id, label, { value, wrong, ...attributes }) {
  const inWords = (date) => (date ? day(date) : '');
  const words = h('p', { class: 'quiet in-words', id: `${id}-words` }, inWords(value));
  return h('div', {}, h('label', { for: id }, label),
    h('input', { id, type: 'date', 'data-keep': id, autocomplete: 'off', value, ...attributes,
      'aria-describedby': wrong ? `${wrong} ${id}-words` : `${id}-words`, 'aria-invalid': wrong ? 'true' : undefined,
      oninput: (event) => {
        words.textContent = inWords(event.target.value);
      } }), words);
}
