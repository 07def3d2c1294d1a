/** What changed in the path, and why. It is announced at once; the path that is shown changes only when the reader requests it. */

import { useSignal } from '@preact/signals';
import type { ComponentChild, JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import type { CourseCard } from '../api';
import { clock, decimal, percent, points, signed, tenths } from '../formats';
import { type Key, Localized, t } from '../i18n';
import { focusOn } from '../shell';
import { Button } from '../ui';
import type { Change, Difference } from './changes';
import type { Visit } from './visit';

/** The titles of courses in one line. */
const titles = (courses: CourseCard[]): ComponentChild[] =>
  courses.flatMap((course, i) => [i > 0 ? ', ' : '', <Localized key={course.id} text={course.title} />]);

function figures(difference: Difference): [Key, string, string, string][] {
  const { measured, now, reached, hours } = difference;
  const shares: [Key, string, string, string][] = [
    ['nowChange', ...(now.map(percent) as [string, string]), points(...now)],
    ['coverageChange', ...(reached.map(percent) as [string, string]), points(...reached)],
  ];
  const all: [Key, string, string, string][] = [
    ...(measured ? shares : []),
    ['hoursChange', ...(hours.map(decimal) as [string, string]), signed(hours[1] - hours[0])],
  ];
  return all.filter(([, from, to]) => from !== to);
}

function ChangeSummary({ at, cause, difference, path }: Change): JSX.Element {
  if (!difference) {
    const words =
      path.steps.length === 0
        ? t('arrivedEmpty')
        : t('arrived', { courses: t('courses', { n: path.steps.length }), hours: t('hours', { n: tenths(path.hours) }) });
    return <p class="news-title">{words}</p>;
  }
  const lists = (['added', 'removed', 'moved'] as const).filter((kind) => difference[kind].length > 0);
  return (
    <>
      <p class="news-title">
        {t('changed', { time: clock(at) })} {t(`because.${cause}`)}
      </p>
      <ul>
        {lists.map((kind) => (
          <li key={kind}>
            <strong>{t(kind, { n: difference[kind].length })}</strong>: {titles(difference[kind])}
          </li>
        ))}
        {lists.length === 0 && path.steps.length > 0 && <li>{t('sameCourses')}</li>}
        {figures(difference).map(([key, from, to, by]) => (
          <li key={key}>{t(key, { from, to, by })}</li>
        ))}
      </ul>
    </>
  );
}

/** The news, in a live region that is always there. */
export function News({ visit }: { visit: Visit | undefined }): JSX.Element {
  const change = visit?.change.value;
  const waits = visit?.waiting.value !== undefined;
  const requested = useSignal(false);
  const show = () => {
    requested.value = true;
    visit?.showWaiting();
  };
  useLayoutEffect(() => {
    if (!requested.value || waits) return;
    requested.value = false;
    focusOn('dismiss');
  }, [requested, waits]);
  const dismiss = () => {
    if (visit) visit.change.value = undefined;
    focusOn('main');
  };
  return (
    <div class={change ? 'change shown' : 'change'} id="change">
      <div id="news" role="status">
        {change && <ChangeSummary {...change} />}
        {waits && <p class="quiet">{t('oldShown')}</p>}
      </div>
      {waits && (
        <Button name="show-change" id="show-change" class="main" onClick={show}>
          {t('showChange')}
        </Button>
      )}
      {change && !waits && (
        <Button name="dismiss" id="dismiss" onClick={dismiss}>
          {t('dismiss')}
        </Button>
      )}
    </div>
  );
}
