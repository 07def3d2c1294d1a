/** The tenant's policy on whose plans supervisors may read: in words, its effect in an agency, and a form to set it. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { listAgencies } from '../agency/requests';
import { type ApiError, readSupervision } from '../api';
import { useQuery } from '../query';
import { asApiError, Trouble } from '../errors';
import { t } from '../i18n';
import { session } from '../shell';
import { Button, Message, Section } from '../ui';
import { countPlans, type Policy, putSupervision } from './requests';

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
  const agencies = useQuery(listAgencies);
  const chosen = useSignal<string | undefined>(undefined);
  const known = agencies.value ?? [];
  const agency = chosen.value ?? known[0];
  const counted = useQuery(async () => agency && { agency, counts: await countPlans(agency) }, [agency]);
  const failed = agencies.error ? agencies : counted.error && !counted.busy ? counted : undefined;
  const value = !failed && counted.value && counted.value.agency === agency ? counted.value.counts : undefined;
  return (
    <Section name="preview" title="supervision.preview" why="supervision.previewWhy">
      {known.length > 0 && (
        <>
          <label for="supervision-agency">{t('supervision.agency')}</label>
          <select
            id="supervision-agency"
            data-keep="supervision-agency"
            lang="en"
            value={agency}
            onChange={(event) => {
              chosen.value = event.currentTarget.value;
            }}
          >
            {known.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </>
      )}
      {failed?.error && <Trouble error={failed.error} again={failed.again} />}
      <p class="sentence" role="status" data-policy={value && policy}>
        {agencies.value?.length === 0 && t('supervision.noAgency')}
        {value &&
          t('supervision.opens', { n: policy === 'all' ? value.plans : value.shown, all: value.plans, more: String(value.more) })}
        {!value && !failed && agencies.value?.length !== 0 && t('loading')}
      </p>
    </Section>
  );
}

/** The parts of such a plan that a supervisor can read, and those that no policy opens. */
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
  const query = useQuery(readSupervision);
  const stored = useSignal<Policy | undefined>(undefined);
  const chosen = useSignal<Policy | undefined>(undefined);
  const trouble = useSignal<ApiError | undefined>(undefined);
  const busy = useSignal(false);
  const saved = useSignal(false);
  const value = stored.value ?? query.value?.paths;
  if (value === undefined) {
    return query.error ? (
      <Message title="supervision.title">
        <Trouble error={query.error} again={query.again} />
      </Message>
    ) : (
      <Message title="loading" />
    );
  }
  const policy = chosen.value ?? value;
  const save = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    trouble.value = undefined;
    saved.value = false;
    try {
      stored.value = (await putSupervision(policy)).paths;
      saved.value = true;
    } catch (error) {
      trouble.value = asApiError(error);
    } finally {
      busy.value = false;
    }
  };
  const choose = (next: Policy) => {
    chosen.value = next;
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
        <Choice chosen={policy} onChoose={choose} />
        <Preview policy={policy} />
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
