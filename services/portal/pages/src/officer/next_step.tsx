/** The next step: the course to continue with, the reason, and a link to it. */

import type { JSX } from 'preact';
import { webAddress } from '../address';
import type { CourseCard, LearningPath, Step } from '../api';
import { tenths } from '../formats';
import { Localized, rich, t } from '../i18n';
import { goTo } from '../shell';
import { About, Button } from '../ui';
import { SeedMark, statements } from './feedback';
import type { Visit } from './visit';

/** Return the step to continue with: the started one, else the first. */
export function nextStep(path: LearningPath, started: (course: string) => boolean): Step | undefined {
  return path.steps.find((step) => started(step.course.id)) ?? path.steps[0];
}

/** Return the index of the step to continue with; -1 if there is none. */
export function startedFirst(path: LearningPath, visit: Visit | undefined): number {
  const held = statements(visit?.feedback.value);
  const step = nextStep(path, (id) => held.get(id)?.action === 'started');
  return step ? path.steps.indexOf(step) : -1;
}

/**
 * What the course is for: the skill, where its provider states it. Levels and weights stand in the reason of its step
 * further down; that reason stands here too where a skill is not confirmed, or the course only opens another one.
 */
function Why({ step }: { step: Step }): JSX.Element {
  const [first, ...others] = step.closes;
  if (!first || step.closes.some((one) => one.confidence != null || one.mapped_from != null)) {
    return <Localized as="p" text={step.reason} class="next-why" />;
  }
  return <p class="next-why">{rich('nextWhy', { skill: <Localized text={first.title} />, more: others.length })}</p>;
}

/** The next step, above everything else of the path. */
export function NextStep({ path, visit }: { path: LearningPath; visit: Visit | undefined }): JSX.Element | null {
  const held = statements(visit?.feedback.value);
  const isStarted = (id: string) => held.get(id)?.action === 'started';
  const step = nextStep(path, isStarted);
  if (!step) return null;
  const { course } = step;
  const begun = isStarted(course.id);
  return (
    <section class="next" aria-labelledby="next-title">
      <p class="next-kicker">{t(begun ? 'nextBegun' : 'nextNow')}</p>
      <h2 id="next-title">
        <Localized text={course.title} />
      </h2>
      <p class="next-facts">
        <strong>{t('hours', { n: tenths(course.hours) })}</strong> · <Localized text={course.provider} />
      </p>
      <SeedMark step={step} path={path} visit={visit} />
      <Why step={step} />
      {visit && <Actions course={course} begun={begun} visit={visit} />}
    </section>
  );
}

/** What to do about the next step. */
function Actions({ course, begun, visit }: { course: CourseCard; begun: boolean; visit: Visit }): JSX.Element {
  const url = webAddress(course.url);
  return (
      <p class="actions">
        {url ? (
          <a class="button main" href={url} rel="noopener noreferrer" data-keep="next-go">
            {t('nextGo')}
            <About title={course.title} />
          </a>
        ) : (
          <Button name="next-see" class="main" onClick={() => goTo(`step-${course.id}`)}>
            {t('nextSee')}
            <About title={course.title} />
          </Button>
        )}
        {begun ? (
          <Button name="next-finish" onClick={() => goTo(`step-${course.id}`)}>
            {t('actions.completed')}
            <About title={course.title} />
          </Button>
        ) : (
          <Button name="next-start" busy={visit.isBusy('feedback')} onClick={() => visit.giveFeedback(course, 'started')}>
            {t('actions.started')}
            <About title={course.title} />
          </Button>
        )}
      </p>
  );
}
