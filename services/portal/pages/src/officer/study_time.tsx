/** The section about study time: hours a week, a deadline, and whether the path fits into them. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { type ApiError, type LearningPath, type Profile } from '../api';
import { asApiError, Refusal } from '../errors';
import { day, tenths, tenthsUp } from '../formats';
import { type Key, t } from '../i18n';
import { readTime, TimeFields, type WrongTime } from '../time_fields';
import { Button, field, Section, today, Wrong } from '../ui';
import type { Visit } from './visit';

/** Hours that stand for no limit. */
export const ENDLESS = 100_000;

/** What does not fit into the time that there is. */
export function Missing({ path }: { path: LearningPath }): JSX.Element {
  const { over_budget_hours: over, short_hours: missing, short_at_most: atMost } = path;
  return (
    <>
      {over ? <p class="short">{t('overBy', { hours: tenths(over) })}</p> : null}
      {missing ? <p class="short">{t('shortBy', { hours: atMost ? tenthsUp(missing) : tenths(missing), atMost: String(atMost ?? false) })}</p> : null}
    </>
  );
}

/** Whether a path fits into the time that there is. */
export function Fit({ path }: { path: LearningPath }): JSX.Element {
  const { budget_hours: budget, over_budget_hours: over, short_hours: missing } = path;
  const fits = !over && !missing && budget && budget >= path.hours && budget < ENDLESS;
  return fits ? <p>{t('fits', { hours: tenths(budget) })}</p> : <Missing path={path} />;
}

type Saved = { key: Key } | WrongTime | { error: ApiError } | undefined;

function TimeForm({ visit, profile }: { visit: Visit; profile: Profile }): JSX.Element {
  const saved = useSignal<Saved>(undefined);
  const busy = useSignal(false);
  const send = async (event: Event) => {
    event.preventDefault();
    const entered = readTime('time');
    if ('wrong' in entered) {
      saved.value = entered;
      field(`time-${entered.blamed}`).focus();
      return;
    }
    busy.value = true;
    try {
      const changed = await visit.saveTime(entered.weekly, entered.deadline);
      saved.value = { key: changed ? 'timeSaved' : 'timeSame' };
    } catch (thrown) {
      saved.value = { error: asApiError(thrown) };
    } finally {
      busy.value = false;
    }
  };
  const { value } = saved;
  return (
    <form noValidate onSubmit={send}>
      <TimeFields form="time" stored={profile} blamed={value && 'wrong' in value ? value.blamed : undefined} />
      <Wrong id="time-wrong">
        {value && 'wrong' in value && t(value.wrong)}
        {value && 'error' in value && <Refusal error={value.error} />}
      </Wrong>
      <p role="status">{value && 'key' in value && t(value.key)}</p>
      <Button name="time-send" class="main" submit busy={busy.value}>
        {t('timeSave')}
      </Button>
    </form>
  );
}

/** The study time section; an officer, whose time the agency sets, is led to "what if". */
export function StudyTime({ path, visit }: { path: LearningPath; visit: Visit }): JSX.Element {
  const { value: profile } = visit.profile;
  const { value: failed } = visit.profileFailed;
  const tryIt = () => {
    visit.tryTime.value = true;
  };
  return (
    <Section name="time" title="time" target>
      {profile && (
        <ul class="plain">
          <li>{profile.weekly_hours ? t('perWeek', { hours: tenths(profile.weekly_hours) }) : t('noWeekly')}</li>
          <li>{profile.deadline ? t(profile.deadline > today() ? 'until' : 'untilNow', { day: day(profile.deadline) }) : t('noDeadline')}</li>
          {path.budget_hours != null && <li>{t('budgetOf', { hours: tenths(path.budget_hours) })}</li>}
        </ul>
      )}
      <Fit path={path} />
      {failed && (
        <p class="wrong" role="alert">
          <Refusal error={failed} />{' '}
          <Button name="time-again" onClick={() => visit.reload()}>
            {t('again')}
          </Button>
        </p>
      )}
      {visit.role === 'officer' ? (
        <>
          <p class="quiet">{t('timeAgency')}</p>
          <Button name="time-try" onClick={tryIt}>
            {t('timeTry')}
          </Button>
        </>
      ) : (
        profile && <TimeForm visit={visit} profile={profile} />
      )}
    </Section>
  );
}
