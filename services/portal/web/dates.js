/** Days: how the date fields write them, and in words beside the field, where Thai readers count other years. */

import { el } from './dom.js';
import { day } from './language.js';

/** Return today as the date fields write it. */
export function today() {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
}

/** Return the middle of a day where the reader is, as a moment. */
export const noonOf = (date) => new Date(`${date}T12:00:00`).toISOString();

/** Return a labelled date field with its day in words beneath; `wrong` is the id of what is said of it. */
export function dateField(id, label, { value, wrong, ...attributes }) {
  const inWords = (date) => (date ? day(date) : '');
  const words = el('p', { class: 'quiet in-words', id: `${id}-words` }, inWords(value));
  return el('div', {}, el('label', { for: id }, label),
    el('input', { id, type: 'date', 'data-keep': id, autocomplete: 'off', value, ...attributes,
      'aria-describedby': wrong ? `${wrong} ${id}-words` : `${id}-words`, 'aria-invalid': wrong ? 'true' : undefined,
      oninput: (event) => {
        words.textContent = inWords(event.target.value);
      } }), words);
}
