/** Whose plans supervisors may read: the tenant's policy in words, what it would open in an agency, and setting it. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { listAgencies } from '../agency/requests';
import { type ApiError, readSupervision } from '../api';
import { asApiError, Trouble } from '../errors';
import { t } from '../i18n';
import { session } from '../shell';
import { Button, Message, Section } from '../ui';
import { type Counts, countPlans, type Policy, putSupervision } from './requests';

const POLICIES = ['shared', 'all'] as const satisfies readonly Policy[];

function Choice({ chosen, onChoose }: { chosen: Policy; onChoose: (policy: Policy) => unknown }): JSX.Element {
  return (
    <fieldset>
      <legend>{t('supervision.question')}</legend>
      {POLICIES.map((policy) => (
        <label class="option" key={policy}>
          <input
            type="radio"
            name="supervision"
            value={policy}
            data-keep={`supervision-${policy}`}
            checked={policy === chosen}
            onChange={() => onChoose(policy)}
          />
          <span>
            <strong>{t(`supervisionPolicy.${policy}`)}</strong>
            <br />
            {t(`supervisionMeans.${policy}`)}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** What a policy would let a supervisor of one agency read, counted from the plans that are there now. */
function Preview({ policy }: { policy: Policy }): JSX.Element {
  const agencies = useSignal<string[] | undefined>(undefined);
  const agency = useSignal('');
  const counts = useSignal<Counts | undefined>(undefined);
  const trouble = useSignal<ApiError | undefined>(undefined);
  const turn = useRef(0);
  const count = async (id: string) => {
    const mine = ++turn.current;
    agency.value = id;
    counts.value = undefined;
    trouble.value = undefined;
    try {
      const found = await countPlans(id);
      if (mine === turn.current) counts.value = found;
    } catch (error) {
      if (mine === turn.current) trouble.value = asApiError(error);
    }
  };
  const load = async () => {
    trouble.value = undefined;
    try {
      agencies.value = await listAgencies();
      const [first] = agencies.value;
      if (first !== undefined) await count(first);
    } catch (error) {
      trouble.value = asApiError(error);
    }
  };
  useEffect(() => {
    void load();
    return () => {
      turn.current += 1; // what is still asked is of no use
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- read when the page is opened
  }, []);
  const { value } = counts;
  const known = agencies.value ?? [];
  return (
    <Section name="preview" title="supervision.preview" why="supervision.previewWhy">
      {known.length > 0 && (
        <>
          <label for="supervision-agency">{t('supervision.agency')}</label>
          <select
            id="supervision-agency"
            data-keep="supervision-agency"
            lang="en"
            value={agency.value}
            onChange={(event) => count(event.currentTarget.value)}
          >
            {known.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </>
      )}
      {trouble.value && <Trouble error={trouble.value} again={() => (agency.value ? count(agency.value) : load())} />}
      <p class="sentence" role="status" data-policy={value && policy}>
        {agencies.value?.length === 0 && t('supervision.noAgency')}
        {value &&
          t('supervision.opens', { n: policy === 'all' ? value.plans : value.shown, all: value.plans, more: String(value.more) })}
        {!value && !trouble.value && agencies.value?.length !== 0 && t('loading')}
      </p>
    </Section>
  );
}

/** The lists of what a supervisor reads of such a plan, and what stays closed whatever the policy is. */
function Permits(): JSX.Element {
  return (
    <Section name="permits" title="supervision.permits">
      <ul>
        <li>{t('supervision.readsPlan')}</li>
        <li>{t('supervision.readsSkills')}</li>
      </ul>
      <h3>{t('supervision.closed')}</h3>
      <ul>
        <li>{t('supervision.closedFeedback')}</li>
        <li>{t('supervision.closedPast')}</li>
        <li>{t('supervision.closedOthers')}</li>
      </ul>
      <p class="quiet">{t('supervision.anyway')}</p>
    </Section>
  );
}

export default function SupervisionPage(): JSX.Element {
  const present = useSignal<Policy | undefined>(undefined);
  const chosen = useSignal<Policy>('shared');
  const trouble = useSignal<ApiError | undefined>(undefined);
  const busy = useSignal(false);
  const saved = useSignal(false);
  const load = async () => {
    trouble.value = undefined;
    try {
      present.value = chosen.value = (await readSupervision()).paths;
    } catch (error) {
      trouble.value = asApiError(error);
    }
  };
  useEffect(() => {
    void load();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- read when the page is opened
  }, []);
  const save = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    trouble.value = undefined;
    saved.value = false;
    try {
      present.value = (await putSupervision(chosen.value)).paths;
      saved.value = true;
    } catch (error) {
      trouble.value = asApiError(error);
    } finally {
      busy.value = false;
    }
  };
  const { value } = present;
  if (value === undefined) {
    return trouble.value ? (
      <Message title="supervision.title">
        <Trouble error={trouble.value} again={load} />
      </Message>
    ) : (
      <Message title="loading" />
    );
  }
  const choose = (policy: Policy) => {
    chosen.value = policy;
    saved.value = false;
  };
  return (
    <div class="supervision">
      <h1 id="page-title">{t('supervision.title')}</h1>
      <p class="sentence" data-present={value}>
        {t(`supervisionNow.${value}`)}
      </p>
      <p class="quiet lead">{t('supervision.who', { tenant: session.value?.tenant ?? '' })}</p>
      <form class="rating" noValidate onSubmit={save}>
        <Choice chosen={chosen.value} onChoose={choose} />
        <Preview policy={chosen.value} />
        {trouble.value && <Trouble error={trouble.value} />}
        <Button name="supervision-save" class="main" submit busy={busy.value}>
          {t('supervision.save')}
        </Button>
        <p class="quiet" role="status" id="supervision-saved">
          {saved.value && t('supervision.saved')}
        </p>
      </form>
      <Permits />
    </div>
  );
}
