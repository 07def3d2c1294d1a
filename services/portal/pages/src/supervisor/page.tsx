/** A supervisor's pages: the officers of the agency whose plans may be read, one plan, and the rating of one officer. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { goToAddress, linkTo, params } from '../address';
import { type ApiError, type Framework, type Profile, readFramework, readOfficer, readPath, type StoredPath } from '../api';
import { useQuery } from '../query';
import { asApiError, Trouble } from '../errors';
import { day, percent, tenths } from '../formats';
import { type Key, Localized, t } from '../i18n';
import { isId } from '../ids';
import { Plan } from '../officer/plan';
import { titleOf } from '../officer/summary';
import { usePlaced } from '../place';
import { focusOn, session, show, title, useTop } from '../shell';
import { Button, EntryForm, Message } from '../ui';
import { Rating } from './rating';
import { listOfficerPaths, type OfficerPath, type OfficerPaths } from './requests';

interface Address {
  view: 'list' | 'plan' | 'rate';
  officer: string;
}

/** Return what the address asks for: `#plan=ID`, `#rate=ID`, or the list. */
function addressOf(params: URLSearchParams): Address {
  for (const view of ['plan', 'rate'] as const) {
    const officer = params.get(view);
    if (isId(officer)) return { view, officer };
  }
  return { view: 'list', officer: '' };
}

const Back = (): JSX.Element => (
  <p class="actions">
    <a href="#list" data-keep="to-list">
      {t('supervisor.back')}
    </a>
  </p>
);

function Row({ one }: { one: OfficerPath }): JSX.Element {
  return (
    <li data-officer={one.officer}>
      <span>
        <strong lang="en">{one.officer}</strong>{' '}
        <span class="quiet">
          {t('supervisor.now', { now: percent(one.before), after: percent(one.after) })} · {t('hours', { n: tenths(one.hours) })}
          {one.shared_until && ` · ${t('supervisor.sharedUntil', { day: day(one.shared_until) })}`}
        </span>
      </span>
      <span class="actions">
        <a href={linkTo({ plan: one.officer })} data-keep={`plan-${one.officer}`}>
          {t('supervisor.path')}
          <span class="unseen" lang="en">: {one.officer}</span>
        </a>
        <a href={linkTo({ rate: one.officer })} data-keep={`rate-${one.officer}`}>
          {t('supervisor.rate')}
          <span class="unseen" lang="en">: {one.officer}</span>
        </a>
      </span>
    </li>
  );
}

const BY_ID = {
  plan: { name: 'find', title: 'supervisor.find', why: 'supervisor.findWhy', button: 'supervisor.path' },
  rate: { name: 'officer', title: 'supervisor.byId', why: 'supervisor.byIdWhy', button: 'supervisor.rate' },
} as const;

/** A form that opens the plan of an officer in a long list, or rates an officer whose plan is hidden: by the id. */
function ById({ view }: { view: keyof typeof BY_ID }): JSX.Element {
  const complaint = useSignal<Key | undefined>(undefined);
  const choose = (officer: string) => {
    if (isId(officer)) goToAddress({ [view]: officer });
    else {
      complaint.value = 'officerNeeded';
      focusOn(BY_ID[view].name);
    }
  };
  return (
    <EntryForm
      {...BY_ID[view]}
      level={2}
      label="officerId"
      hint="officerHint"
      complaint={complaint.value}
      input={{ type: 'text', lang: 'en' }}
      onEntry={choose}
    />
  );
}

function List({ agency }: { agency: string }): JSX.Element {
  const found = useSignal<OfficerPaths | undefined>(undefined);
  const none = useSignal<'supervisor.none' | 'supervisor.nobody' | undefined>(undefined);
  const trouble = useSignal<ApiError | undefined>(undefined);
  const busy = useSignal(false);
  const pages = usePlaced('officer-pages', 1); // how many were asked for
  const load = async (more = false) => {
    if (busy.value) return;
    busy.value = true;
    trouble.value = undefined;
    try {
      const before = more ? found.value : undefined;
      let all = before;
      for (let read = more ? pages.value : 0; read < pages.value + Number(more) && all?.next !== null; read += 1) {
        const page: OfficerPaths = await listOfficerPaths(agency, all?.next);
        all = { ...page, officers: [...(all?.officers ?? []), ...page.officers] };
      }
      found.value = all;
      if (more) pages.value += 1;
      none.value = all?.officers.length === 0 && all.next === null ? 'supervisor.none' : undefined;
    } catch (error) {
      const refusal = asApiError(error);
      if (refusal.status === 404) none.value = 'supervisor.nobody';
      else trouble.value = refusal;
    } finally {
      busy.value = false;
    }
  };
  useEffect(() => {
    void load();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- read when the page is opened
  }, []);
  const { value } = found;
  return (
    <>
      <h1 id="page-title">{t('supervisor.title')}</h1>
      {value && <p class="quiet lead">{t(value.paths === 'all' ? 'supervisor.whyAll' : 'supervisor.whyShared', { agency })}</p>}
      {trouble.value && <Trouble error={trouble.value} again={() => load()} />}
      {none.value && <p class="notice">{t(none.value, { agency })}</p>}
      {value && (value.next !== null || pages.value > 1) && <ById view="plan" />}
      {!value && !none.value && !trouble.value && <p class="quiet">{t('loading')}</p>}
      {value && value.officers.length > 0 && (
        <ul class="statements plain" aria-labelledby="page-title">
          {value.officers.map((one) => (
            <Row key={one.officer} one={one} />
          ))}
        </ul>
      )}
      {value?.next && (
        <Button name="more-officers" busy={busy.value} onClick={() => load(true)}>
          {t('supervisor.more')}
        </Button>
      )}
      <ById view="rate" />
    </>
  );
}

/** The data of one officer; names come from the framework, the hours a week from the profile. */
interface Read {
  stored: StoredPath;
  framework: Framework | undefined;
  profile: Profile | undefined;
}

async function readPlan(officer: string): Promise<Read> {
  const stored = await readPath(officer);
  const [framework, profile] = await Promise.all([
    readFramework(stored.path.framework).catch(() => undefined), // ids do instead
    readOfficer(officer).catch(() => undefined), // without it the path is not shown by week
  ]);
  return { stored, framework, profile };
}

function OfficerPlan({ officer }: { officer: string }): JSX.Element {
  const plan = useQuery(() => readPlan(officer));
  if (plan.error) {
    return (
      <Message title="supervisor.pathTitle">
        <Trouble error={plan.error} special={{ 404: 'supervisor.notShared' }} again={plan.again} />
        <Back />
      </Message>
    );
  }
  if (!plan.value) return <Message title="loading" />;
  const { stored, framework, profile } = plan.value;
  return (
    <>
      <Back />
      <Plan
        recommended={stored}
        title={t('pathOf', { id: officer })}
        framework={framework}
        weekly={profile?.weekly_hours ?? undefined}
      >
        <p class="notice">{t('supervisor.readOnly')}</p>
        <p class="actions">
          <a href={linkTo({ rate: officer })} data-keep="plan-rate">
            {t('supervisor.rate')}
          </a>{' '}
          {profile && <span class="quiet">(<Localized text={titleOf(framework?.job_groups, profile.job_group)} />)</span>}
        </p>
      </Plan>
    </>
  );
}

/** The page that the address asks for. */
export default function SupervisorPage(): JSX.Element {
  const { view, officer } = addressOf(params.value);
  useTop(`${view} ${officer}`);
  useEffect(() => {
    show('page');
    title.value = 'supervisor.title';
    return () => {
      title.value = 'title';
    };
  }, []);
  if (view === 'plan') return <OfficerPlan key={officer} officer={officer} />;
  if (view === 'rate') return <Rating key={officer} officer={officer} back={<Back />} />;
  return <List agency={session.value?.agency ?? ''} />;
}
