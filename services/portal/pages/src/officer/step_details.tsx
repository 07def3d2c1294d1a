/** The details of a step: what it teaches, requires and unlocks, and its alternatives. */

import { useSignal } from '@preact/signals';
import type { ComponentChild, ComponentChildren, JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import type { CourseCard, Framework, LearningPath, Prerequisite, Similar, Step } from '../api';
import * as api from '../api';
import { asApiError, Refusal } from '../errors';
import { apart, decimal, percent, tenths } from '../formats';
import { type Key, Localized, rich, t, type Text } from '../i18n';
import { focusOn, goTo } from '../shell';
import { About, Button, Disclosure, Wrong } from '../ui';
import type { Visit } from './visit';

/** Titles of courses and skills; ids if the titles are not known. */
class Names {
  private readonly courses: Map<string, Text>;
  private readonly skills: Map<string, Text>;

  constructor(path: LearningPath, framework: Framework | undefined) {
    const seen = [...path.steps.flatMap((step) => step.alternatives ?? []), ...path.steps];
    this.courses = new Map(seen.map(({ course }) => [course.id, course.title]));
    const skills = [...(framework?.skills ?? []), ...path.gaps.map((gap) => ({ id: gap.skill, title: gap.title }))];
    this.skills = new Map(skills.map((skill) => [skill.id, skill.title]));
  }

  course(id: string): JSX.Element {
    return this.name(this.courses.get(id), id);
  }

  skill(id: string): JSX.Element {
    return this.name(this.skills.get(id), id);
  }

  private name(title: Text | undefined, id: string): JSX.Element {
    return title ? <Localized text={title} /> : <span lang="en">{id}</span>;
  }
}

function Condition({ rule, names }: { rule: Prerequisite; names: Names }): JSX.Element {
  if (rule.course !== undefined) return <span>{rich('courseDone', { title: names.course(rule.course) })}</span>;
  if (rule.skill !== undefined) {
    return <span>{rich('levelReached', { skill: names.skill(rule.skill), level: decimal(rule.level ?? 0) })}</span>;
  }
  const branches = rule.any ?? rule.all ?? [];
  const [only] = branches;
  if (branches.length === 1 && only) return <Condition rule={only} names={names} />;
  return (
    <span>
      {t(rule.any ? 'anyOf' : 'allOf')}
      <ul>
        {branches.map((branch, i) => (
          <li key={i}>
            <Condition rule={branch} names={names} />
          </li>
        ))}
      </ul>
    </span>
  );
}

function Part({ title, children }: { title: Key; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <h4>{t(title)}</h4>
      {children}
    </>
  );
}

const List = ({ items }: { items: ComponentChild[] }): JSX.Element => (
  <ul>
    {items.map((item, i) => (
      <li key={i}>{item}</li>
    ))}
  </ul>
);

interface AlternativeProps {
  course: CourseCard;
  step: Step;
  path: LearningPath;
  /** Undefined for a reader who may not ask anything. */
  visit: Visit | undefined;
}

function Alternative({ course, step, path, visit }: AlternativeProps): JSX.Element {
  const ask = () => {
    void visit?.askWhyNot(course);
    goTo('why-not-title');
  };
  return (
    <>
      <Localized text={course.title} /> <span class="quiet">({t('hours', { n: tenths(course.hours) })})</span>{' '}
      {visit && !path.steps.some((one) => one.course.id === course.id) && (
        <Button name={`why-${step.course.id}-${course.id}`} class="small" busy={visit.isBusy('why-not')} onClick={ask}>
          {t('whyNotThis')}
          <About title={course.title} />
        </Button>
      )}
    </>
  );
}

function SimilarTo({ step, path, visit }: { step: Step; path: LearningPath; visit: Visit }): JSX.Element {
  const found = useSignal<Similar[] | api.ApiError | 'asking' | undefined>(undefined);
  const ask = async () => {
    found.value = 'asking';
    try {
      found.value = (await api.similarCourses(visit.officer, step.course.id)).similar;
    } catch (thrown) {
      found.value = asApiError(thrown);
    }
  };
  const { value } = found;
  const id = `similar-${step.course.id}`;
  const isFound = Array.isArray(value);
  useLayoutEffect(() => {
    if (isFound) focusOn(id); // the button is gone
  }, [isFound, id]);
  if (!isFound) {
    return (
      <>
        <Button name={id} class="small" busy={value === 'asking'} onClick={ask}>
          {t(value === 'asking' ? 'findingSimilar' : 'askSimilar')}
          <About title={step.course.title} />
        </Button>
        <Wrong id={`${id}-wrong`}>{value instanceof api.ApiError && <Refusal error={value} special={{ 404: 'courseGone' }} />}</Wrong>
      </>
    );
  }
  return (
    <div id={id} tabIndex={-1}>
      <Part title="similar">
        {value.length === 0 ? (
          <p class="quiet">{t('noneSimilar')}</p>
        ) : (
          <List items={value.map((one) => <Alternative key={one.course.id} course={one.course} step={step} path={path} visit={visit} />)} />
        )}
      </Part>
    </div>
  );
}

type DetailsProps = Omit<AlternativeProps, 'course'> & {
  /** Fetched when it is opened, because it holds only names. */
  framework: () => Framework | undefined;
};

/** Return where a row comes from that the course's provider did not state, or not in this framework. */
function originText({ confidence, mapped_from: source }: Step['closes'][number]): string {
  if (source == null) return t('unconfirmed', { share: percent(Math.floor((confidence ?? 0) * 100 + 1e-4) / 100) });
  return t(confidence == null ? 'mapped' : 'mappedUnconfirmed', { framework: source.split('/', 1)[0] ?? source });
}

/** The details of a step; the alternatives of a path that came while the page is open are read when somebody looks. */
export function StepDetails({ step, path, framework, visit }: DetailsProps): JSX.Element {
  const unread = path.steps.every((one) => !one.alternatives);
  return (
    <Disclosure
      name={`more-${step.course.id}`}
      summary={
        <>
          {t('more')}
          <About title={step.course.title} />
        </>
      }
      onOpen={() => {
        if (unread) void visit?.askAlternatives();
      }}
    >
      {() => <Details step={step} path={path} framework={framework} visit={visit} />}
    </Disclosure>
  );
}

function Details({ step, path, framework, visit }: DetailsProps): JSX.Element {
  const names = new Names(path, framework());
  const { course, requires, closes } = step;
  const unlocks = step.unlocks ?? [];
  const alternatives = step.alternatives?.map((one) => one.course) ?? visit?.alternatives.value.get(course.id) ?? [];
  return (
    <>
      {closes.length > 0 && (
        <Part title="closes">
          <ul class="closes">
            {closes.map((close) => {
              const [from = '', to = '', required = ''] = apart(close.from, close.to, close.required);
              return (
                <li key={close.skill}>
                  <Localized as="strong" text={close.title} /> <span>{t('fromTo', { from, to, required })}</span>
                  {(close.confidence != null || close.mapped_from != null) && <span class="quiet"> {originText(close)}</span>}
                </li>
              );
            })}
          </ul>
        </Part>
      )}
      {requires.length > 0 && (
        <Part title="requires">
          <List items={requires.map((rule, i) => <Condition key={i} rule={rule} names={names} />)} />
        </Part>
      )}
      {unlocks.length > 0 && (
        <Part title="unlocks">
          <List items={unlocks.map((id) => names.course(id))} />
        </Part>
      )}
      {alternatives.length > 0 && (
        <Part title="alternatives">
          <List items={alternatives.map((one) => <Alternative key={one.id} course={one} step={step} path={path} visit={visit} />)} />
        </Part>
      )}
      {visit && <SimilarTo key={path.versions.profile} step={step} path={path} visit={visit} />}
      {closes.length > 0 && (
        <p class="quiet">
          {t('match')} {percent(Math.min(1, Math.max(0, step.similarity)))}
        </p>
      )}
    </>
  );
}
