/** "Why not this course?": choose a course and get the reason with its figures. */

import type { JSX } from 'preact';
import type { Framework, LearningPath, WhyNotAnswer } from '../api';
import { Refusal } from '../errors';
import { percent, tenths, tenthsUp } from '../formats';
import { type Key, Localized, t } from '../i18n';
import { Section } from '../ui';
import { CoursePicker } from './course_picker';
import type { Visit } from './visit';

function Figures({ answer }: { answer: WhyNotAnswer }): JSX.Element | null {
  const { cause, step, hours, at_most: atMost, score, taken_score: taken } = answer;
  const rows: [Key, string][] = [];
  if (step) rows.push(['whyStep', t('step', { n: step })]);
  if (hours) rows.push([cause === 'does_not_fit' ? 'whyMissing' : 'whyHours', atMost ? t('hoursAtMost', { n: tenthsUp(hours) }) : t('hours', { n: tenths(hours) })]);
  if (score && taken) rows.push(['whyWorth', percent(score / taken)]);
  if (rows.length === 0) return null;
  return (
    <dl class="figures">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{t(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Answer({ visit }: { visit: Visit }): JSX.Element | null {
  const { value: request } = visit.whyNot;
  if (request?.error) {
    return (
      <p class="wrong">
        <Refusal error={request.error} special={{ 404: 'courseGone' }} />
      </p>
    );
  }
  if (visit.isBusy('why-not')) return <p class="quiet">{t('asking')}</p>;
  if (!request?.answer) return null;
  return (
    <>
      <Localized as="h3" text={request.course.title} />
      <Localized as="p" text={request.answer.reason} />
      <Figures answer={request.answer} />
    </>
  );
}

/** The section that explains why a course is not in the path. */
export function WhyNot({ visit, path, framework }: { visit: Visit; path: LearningPath; framework: Framework }): JSX.Element {
  return (
    <Section name="why-not" title="whyNot" why="whyNotWhy" target>
      <CoursePicker
        name="why-not"
        framework={framework}
        path={path}
        label="whyNotAsk"
        main
        busy={visit.isBusy('why-not')}
        onPick={(course) => void visit.askWhyNot(course)}
      />
      <div class="answer" role="status" id="why-not-answer">
        <Answer visit={visit} />
      </div>
    </Section>
  );
}
