/** The sections of an agency's report: job groups, skills, courses, and what training cannot close in time. */

import { useSignal } from '@preact/signals';
import type { JSX, TargetedSubmitEvent } from 'preact';
import { Bars, FigureTable, Legend } from '../charts';
import { day, decimal, percent } from '../formats';
import { type Key, language, localize, Localized, t, type Text } from '../i18n';
import { readWholeTime, TimeFields, type WrongTime } from '../time_fields';
import { Button, Disclosure, field, Section, Wrong } from '../ui';
import { furthestBehind, reachedOf, topOf } from './report';
import type { AgencyView, GroupGaps, GroupSkill, PastFigures, SkillGaps } from './requests';

/** Return a count of some officers, which is rounded down; null: some, but fewer than the smallest group. */
const counted = (count: number | null, view: AgencyView): string =>
  count === null ? t('agency.fewer', { n: view.min_group }) : decimal(count);

const SHOWN = 50; // job groups; the others are in a part that opens, and on paper

/** Job groups, with the share of their requirement that they hold. The service lists those of IT first. */
export function Groups({ view }: { view: AgencyView }): JSX.Element {
  const behind = furthestBehind(view.groups);
  const rows = view.groups.map((group) => ({
    id: group.job_group,
    title: group.title,
    now: group.before,
    after: group.after,
    mark: group.job_group === behind ? t('agency.furthest') : undefined,
    words: t('agency.groupWords', { n: group.officers, now: percent(group.before), after: percent(group.after) }),
  }));
  return (
    <Section name="groups" title="agency.groups" why="agency.groupsWhy">
      <Legend entries={[['now', 'agency.nowShare'], ['after', 'agency.afterShare']]} />
      <Bars rows={rows.slice(0, SHOWN)} top={1} />
      {rows.length > SHOWN && (
        <Disclosure name="more-groups" printed summary={t('agency.moreGroups', { n: rows.length - SHOWN })}>
          {() => <Bars rows={rows.slice(SHOWN)} top={1} />}
        </Disclosure>
      )}
      <FigureTable
        name="groups"
        label={t('agency.groups')}
        heads={(['jobGroup', 'agency.officers', 'agency.nowShare', 'agency.afterShare', 'agency.gapEach', 'agency.hoursEach', 'agency.asOf'] as const).map((key) => t(key))}
        rows={() => view.groups.map((group) => ({
          id: group.job_group,
          title: group.title,
          cells: [
            ...[decimal(group.officers), percent(group.before), percent(group.after)],
            ...[decimal(group.gap), decimal(group.hours), day(group.as_of)],
          ],
        }))}
      />
    </Section>
  );
}

function sizeHead({ above, up_to }: SkillGaps['sizes'][number]): string {
  if (above === null) return t('agency.lackNothing');
  return up_to === null ? t('agency.lackMore', { above }) : t('agency.lackUpTo', { above, upTo: up_to });
}

const LEVELS = [['now', 'legendNow'], ['after', 'agency.legendReached'], ['required', 'legendRequired']] as const;

const SKILL_HEADS = ['skill', 'agency.officers', 'legendNow', 'legendRequired', 'agency.gapMean', 'agency.gapAfter'] as const;

const levels = (one: GroupSkill): string[] => [one.officers, one.level, one.required, one.gap, one.after].map(decimal);

const SkillBars = ({ skills, top }: { skills: GroupSkill[]; top: number }): JSX.Element => (
  <Bars
    top={top}
    rows={skills.map((one) => ({
      id: one.skill,
      title: one.title,
      now: one.level,
      after: reachedOf(one),
      required: one.required,
      words: t('agency.skillWords', {
        ...{ n: one.officers, now: decimal(one.level), after: decimal(reachedOf(one)), required: decimal(one.required) },
      }),
    }))}
  />
);

/** The skills that the work requires: where the officers stand, and where their courses lead. */
export function Skills({ view }: { view: AgencyView }): JSX.Element {
  const sizes = view.skills[0]?.sizes ?? [];
  return (
    <Section name="agency-skills" title="agency.skills" why="agency.skillsWhy">
      <Legend entries={LEVELS} />
      <SkillBars skills={view.skills} top={topOf(view.skills.flatMap((one) => [one.level, one.required]))} />
      <FigureTable
        name="agency-skills"
        label={t('agency.skills')}
        heads={[
          ...SKILL_HEADS.map((key) => t(key)),
          ...sizes.map(sizeHead),
          t('agency.stayOpen'),
        ]}
        rows={() => view.skills.map((skill) => ({
          id: skill.skill,
          title: skill.title,
          cells: [
            ...levels(skill),
            ...skill.sizes.map((size) => counted(size.officers, view)),
            <Causes key="open" counts={skill.open} view={view} />,
          ],
        }))}
      />
    </Section>
  );
}

/** The skills of each job group beside what its own work requires; that of the first group is open. */
export function GroupSkills({ view }: { view: AgencyView }): JSX.Element {
  const top = topOf(view.groups.flatMap((group) => group.skills.flatMap((one) => [one.level, one.required])));
  return (
    <Section name="group-skills" title="agency.groupSkills" why="agency.groupSkillsWhy">
      <Legend entries={LEVELS} />
      {view.groups.slice(0, SHOWN).map((group, i) => (
        <OneGroup key={group.job_group} view={view} group={group} open={i === 0} top={top} />
      ))}
      {view.groups.length > SHOWN && (
        <Disclosure name="more-group-skills" printed summary={t('agency.moreGroups', { n: view.groups.length - SHOWN })}>
          {() => view.groups.slice(SHOWN).map((group) => <OneGroup key={group.job_group} view={view} group={group} top={top} />)}
        </Disclosure>
      )}
    </Section>
  );
}

interface OneGroupProps {
  view: AgencyView;
  group: GroupGaps;
  open?: boolean;
  top: number;
}

/** The skills of one job group, and how its share changed. */
function OneGroup({ view, group, open = false, top }: OneGroupProps): JSX.Element {
  const past = view.history.flatMap((one) => {
    const then = one.groups.find((other) => other.job_group === group.job_group);
    return then ? [{ ...then, day: one.day }] : [];
  });
  return (
    <Disclosure
      open={open}
      printed
      name={`group-${group.job_group}`}
      summary={
        <span>
          <Localized text={group.title} /> ({t('agency.people', { n: group.officers })})
        </span>
      }
    >
      {() => (
        <>
          {group.skills.length === 0 && <p>{t('agency.noGroupSkills')}</p>}
          <SkillBars skills={group.skills} top={top} />
          <FigureTable
            name={`group-${group.job_group}`}
            label={`${t('agency.groupSkills')} ${localize(group.title).words}`}
            heads={SKILL_HEADS.map((key) => t(key))}
            rows={() => group.skills.map((one) => ({ id: one.skill, title: one.title, cells: levels(one) }))}
          />
          {past.length > 1 && (
            <div class="group-past">
              <h3>{t('agency.overTime')}</h3>
              <Past name={`past-${group.job_group}`} label={`${t('agency.overTime')} ${localize(group.title).words}`} days={past} />
            </div>
          )}
        </>
      )}
    </Disclosure>
  );
}

interface PastProps {
  name: string;
  label: string;
  days: Pick<PastFigures, 'day' | 'officers' | 'before' | 'after' | 'gap'>[];
}

/** The share of the requirement that is held, day by day, with its table. */
function Past({ name, label, days }: PastProps): JSX.Element {
  const named = (iso: string): Text => ({ [language()]: day(iso) });
  return (
    <>
      <Bars
        top={1}
        rows={days.map((one) => ({
          id: one.day,
          title: named(one.day),
          now: one.before,
          after: one.after,
          words: t('agency.groupWords', { n: one.officers, now: percent(one.before), after: percent(one.after) }),
        }))}
      />
      <FigureTable
        name={name}
        label={label}
        heads={(['agency.asOf', 'agency.officers', 'agency.nowShare', 'agency.afterShare', 'agency.gapEach'] as const).map((key) => t(key))}
        rows={() => days.map((one) => ({
          id: one.day,
          title: named(one.day),
          cells: [decimal(one.officers), percent(one.before), percent(one.after), decimal(one.gap)],
        }))}
      />
    </>
  );
}

/** The share of the requirement that is held, as it was published day by day; nothing until there are two days. */
export function OverTime({ view: { history } }: { view: AgencyView }): JSX.Element | null {
  if (history.length < 2) return null;
  return (
    <Section name="over-time" title="agency.overTime" why="agency.overTimeWhy">
      <Legend entries={[['now', 'agency.nowShare'], ['after', 'agency.afterShare']]} />
      <Past name="over-time" label={t('agency.overTime')} days={history} />
    </Section>
  );
}

/** Counts of officers by cause, each in a line. */
function Causes({ counts, view }: { counts: Record<string, number | null>; view: AgencyView }): JSX.Element {
  const entries = Object.entries(counts).filter(([, count]) => count !== 0);
  if (entries.length === 0) return <>–</>;
  return (
    <ul class="plain causes">
      {entries.map(([cause, count]) => (
        <li key={cause}>
          {t(`agencyCause.${cause}` as Key) || cause}: {counted(count, view)}
        </li>
      ))}
    </ul>
  );
}

/** The courses that are in the paths of most officers. */
export function Courses({ view }: { view: AgencyView }): JSX.Element {
  const most = topOf(view.courses.map((one) => one.officers));
  return (
    <Section name="agency-courses" title="agency.courses" why="agency.coursesWhy">
      {view.courses.length === 0 ? (
        <p>{t('agency.noCourses')}</p>
      ) : (
        <>
          <Bars
            top={most}
            rows={view.courses.map(({ course, officers }) => ({
              id: course.id,
              title: course.title,
              now: officers,
              words: t('agency.courseWords', { n: officers, hours: decimal(course.hours) }),
            }))}
          />
          <FigureTable
            name="agency-courses"
            label={t('agency.courses')}
            heads={(['pickCourse', 'agency.provider', 'agency.hours', 'agency.atLeast'] as const).map((key) => t(key))}
            rows={() => view.courses.map(({ course, officers }) => ({
              id: course.id,
              title: course.title,
              cells: [<Localized key="provider" text={course.provider} />, decimal(course.hours), decimal(officers)],
            }))}
          />
        </>
      )}
      <h3>{t('agency.without')}</h3>
      <Causes counts={view.without_path} view={view} />
    </Section>
  );
}

interface InTimeProps {
  view: AgencyView;
  busy: boolean;
  /** Whether a deadline was requested; if there is no answer then, the sample was too small. */
  answered: boolean;
  onAsk: (deadline: string, weekly: number) => unknown;
}

/** What training cannot close before a deadline, and what to do about it. */
export function InTime({ view, busy, answered, onAsk }: InTimeProps): JSX.Element {
  const complaint = useSignal<WrongTime | undefined>(undefined);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const entered = readWholeTime('agency');
    complaint.value = 'wrong' in entered ? entered : undefined;
    if ('wrong' in entered) field(`agency-${entered.blamed}`).focus();
    else if (!busy) onAsk(entered.deadline, entered.weekly);
  };
  return (
    <Section name="in-time" title="agency.inTime" why="agency.inTimeWhy" target>
      <form noValidate onSubmit={submit}>
        <TimeFields form="agency" stored={{ weekly_hours: 2, ...view.in_time }} blamed={complaint.value?.blamed} />
        <Wrong id="agency-wrong">{complaint.value && t(complaint.value.wrong)}</Wrong>
        <Button name="ask-in-time" class="main" submit busy={busy}>
          {t('agency.ask')}
        </Button>
      </form>
      <div role="status">{view.in_time ? <Answer view={view} report={view.in_time} /> : answered && <p class="answer">{t('agency.sampleFew', { n: view.min_group })}</p>}</div>
    </Section>
  );
}

function Answer({ view, report }: { view: AgencyView; report: NonNullable<AgencyView['in_time']> }): JSX.Element {
  const sampled = t('agency.sampled', {
    ...{ n: report.sampled, from: day(report.as_of), day: day(report.deadline) },
    ...{ weekly: decimal(report.weekly_hours), hours: decimal(report.budget_hours) },
  });
  if (report.skills.length === 0) {
    return (
      <div class="answer">
        <p>{sampled}</p>
        <p>{t('agency.allInTime', { n: view.min_group })}</p>
      </div>
    );
  }
  return (
    <div class="answer">
      <p>{sampled}</p>
      {(['hire', 'more_time'] as const).map((what) => {
        const skills = report.skills.filter((one) => one.recommendation === what);
        return (
          skills.length > 0 && (
            <div key={what}>
              <h3>{t(`recommend.${what}`)}</h3>
              <Bars
                top={topOf(skills.map((one) => one.officers))}
                rows={skills.map((one) => ({
                  id: one.skill,
                  title: one.title,
                  now: one.short,
                  words: t('agency.shortWords', { n: one.short, of: one.officers }),
                }))}
              />
            </div>
          )
        );
      })}
      <FigureTable
        name="in-time"
        label={t('agency.inTime')}
        heads={(['skill', 'agency.required', 'agency.short', 'agency.unreachable', 'agency.late', 'agency.advice'] as const).map((key) => t(key))}
        rows={() => report.skills.map((one) => ({
          id: one.skill,
          title: one.title,
          cells: [
            ...[decimal(one.officers), decimal(one.short), counted(one.unreachable, view), counted(one.insufficient_time, view)],
            t(`advice.${one.recommendation}`),
          ],
        }))}
      />
    </div>
  );
}

/** Return the name of the file of a report. */
export const fileNameOf = (view: AgencyView): string => `${view.agency}-${view.framework}.csv`;

/** Return the title of a framework; its id until the title is known. */
export const frameworkName = (id: string, title: Parameters<typeof localize>[0]): string => (title ? localize(title).words : id);
