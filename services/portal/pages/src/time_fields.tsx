/** The two fields for hours of study a week and a deadline, and their values. */

import type { JSX } from 'preact';
import { type Key, t } from './i18n';
import { DateField, field, today } from './ui';

const MOST = 168; // hours in a week
type Field = 'weekly' | 'deadline';

/** What is wrong with an entry, and the wrong field. */
export interface WrongTime {
  wrong: Key;
  blamed: Field;
}

/** Return what the two fields of a form hold, or what is wrong with it. */
export function readTime(form: string): { weekly: number | null; deadline: string | null } | WrongTime {
  const [hours, date] = [field(`${form}-weekly`), field(`${form}-deadline`)];
  const weekly = hours.value === '' ? null : Number(hours.value);
  const deadline = date.value || null;
  if (hours.validity.badInput || (weekly !== null && !(weekly > 0 && weekly <= MOST))) {
    return { wrong: 'weeklyWrong', blamed: 'weekly' };
  }
  if (date.validity.badInput || (deadline !== null && deadline <= today())) {
    return { wrong: 'deadlineWrong', blamed: 'deadline' };
  }
  if (deadline !== null && weekly === null) return { wrong: 'pairNeeded', blamed: 'weekly' };
  return { weekly, deadline };
}

/** The same for a form that needs both. */
export function readWholeTime(form: string): { weekly: number; deadline: string } | WrongTime {
  const entered = readTime(form);
  if ('wrong' in entered) return entered;
  const { weekly, deadline } = entered;
  return weekly && deadline ? { weekly, deadline } : { wrong: 'bothNeeded', blamed: weekly ? 'deadline' : 'weekly' };
}

interface TimeFieldsProps {
  form: string;
  /** The initial values of the fields. */
  stored: { weekly_hours?: number | null | undefined; deadline?: string | null | undefined };
  /** The field that is wrong; its message is the element `FORM-wrong`. */
  blamed: string | undefined;
}

/** The two fields. */
export function TimeFields({ form, stored, blamed }: TimeFieldsProps): JSX.Element {
  const id = `${form}-weekly`;
  const wrong = (of: Field): string | undefined => (blamed === of ? `${form}-wrong` : undefined);
  return (
    <div class="fields">
      <div>
        <label for={id}>{t('weekly')}</label>
        <input
          id={id}
          type="number"
          inputMode="decimal"
          min="0.5"
          max={MOST}
          step="any"
          defaultValue={stored.weekly_hours ?? ''}
          data-keep={id}
          autocomplete="off"
          aria-describedby={wrong('weekly')}
          aria-invalid={wrong('weekly') ? 'true' : undefined}
        />
      </div>
      <DateField id={`${form}-deadline`} label={t('deadline')} min={today()} value={stored.deadline} wrong={wrong('deadline')} />
    </div>
  );
}
