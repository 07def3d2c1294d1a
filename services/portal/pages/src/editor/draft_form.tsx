/** Changing what a framework requires of each job group, and proposing the change. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Trouble } from '../errors';
import { decimal } from '../formats';
import { localize, Localized, t } from '../i18n';
import { Button, field, Wrong } from '../ui';
import { changesBetween, requiredLevel, withRequirement } from './drafting';
import type { Drafts } from './drafts';
import { FileField } from './file_field';
import { Choice } from './parts';
import type { Framework } from './requests';

interface Place {
  group: string;
  stage: string | null;
}

function Levels({ drafts, working, place, published }: { drafts: Drafts; working: Framework; place: Place; published: Framework }): JSX.Element {
  const { group, stage } = place;
  return (
    <>
      {working.areas.map((area) => (
        <fieldset key={area.id}>
          <legend>
            <Localized text={area.title} />
          </legend>
          <div class="fields">
            {working.skills
              .filter((skill) => skill.area === area.id)
              .map((skill) => {
                const level = requiredLevel(working, group, stage, skill.id);
                const before = requiredLevel(published, group, stage, skill.id);
                const levels = [...new Set([...working.scale.map((step) => step.level), ...(level === undefined ? [] : [level])])].sort((a, b) => a - b);
                return (
                  <div key={skill.id}>
                    <label for={`level-${skill.id}`}>
                      <Localized text={skill.title} />
                      {level !== before && <span class="mark">{t('differs')}</span>}
                    </label>
                    <select
                      id={`level-${skill.id}`}
                      value={level === undefined ? '' : String(level)}
                      onChange={({ currentTarget: { value } }) =>
                        drafts.begin(withRequirement(working, group, stage, skill.id, value === '' ? undefined : Number(value)))
                      }
                    >
                      <option value="" selected={level === undefined}>
                        {t('notRequired')}
                      </option>
                      {levels.map((one) => (
                        <option key={one} value={one} selected={one === level}>
                          {[decimal(one), localize(working.scale.find((step) => step.level === one)?.title).words].filter(Boolean).join(' ')}
                        </option>
                      ))}
                    </select>
                  </div>
                );
              })}
          </div>
        </fieldset>
      ))}
    </>
  );
}

/** Take a whole framework from a file of JSON, as it is exported. */
function FromFile({ drafts }: { drafts: Drafts }): JSX.Element {
  const wrong = useSignal('');
  const take = async () => {
    const file = field('draft-file').files?.[0];
    if (!file) return;
    try {
      const found = JSON.parse(await file.text()) as Framework;
      wrong.value = found.id === drafts.id && Array.isArray(found.skills) ? '' : t('draftFileOther', { id: drafts.id });
      if (!wrong.value) drafts.begin(found);
    } catch {
      wrong.value = t('draftFileWrong');
    }
  };
  return (
    <details>
      <summary>{t('draftFromFile')}</summary>
      <FileField id="draft-file" label={t('draftFile')} accept=".json" wrong={wrong.value} onChoose={take} />
    </details>
  );
}

export function DraftForm({ drafts, working, published }: { drafts: Drafts; working: Framework; published: Framework }): JSX.Element {
  const place = useSignal<Place>({ group: working.job_groups[0]?.id ?? '', stage: null });
  const wrong = useSignal('');
  const changes = changesBetween(published, working);
  const propose = async (event: Event) => {
    event.preventDefault();
    wrong.value = drafts.by.value.trim() ? '' : t('nameNeeded');
    if (wrong.value) field('proposer').focus();
    else await drafts.propose();
  };
  const stages = working.stages ?? [];
  return (
    <form class="draft" noValidate onSubmit={propose}>
      <h2 id="draft-form-title" tabIndex={-1}>
        {t('draftForm')}
      </h2>
      <p class="quiet">{t('draftFormWhy')}</p>
      <div class="fields">
        <Choice
          id="draft-group"
          label={t('jobGroup')}
          value={place.value.group}
          onChoose={(group) => {
            place.value = { ...place.value, group };
          }}
        >
          {working.job_groups.map(({ id, title }) => (
            <option key={id} value={id}>
              {localize(title).words}
            </option>
          ))}
        </Choice>
        {stages.length > 0 && (
          <Choice
            id="draft-stage"
            label={t('stage')}
            value={place.value.stage ?? ''}
            onChoose={(stage) => {
              place.value = { ...place.value, stage: stage || null };
            }}
          >
            <option value="">{t('everyStage')}</option>
            {stages.map(({ id, title }) => (
              <option key={id} value={id}>
                {localize(title).words}
              </option>
            ))}
          </Choice>
        )}
      </div>
      <Levels key={`${place.value.group} ${place.value.stage ?? ''}`} drafts={drafts} working={working} place={place.value} published={published} />
      <FromFile drafts={drafts} />
      <p role="status" id="draft-changes">
        {t('changesCount', { n: changes })}
      </p>
      <div class="fields">
        <div>
          <label for="proposer">{t('yourName')}</label>
          <input
            id="proposer"
            autocomplete="name"
            maxLength={200}
            value={drafts.by.value}
            aria-describedby="proposer-wrong"
            aria-invalid={wrong.value ? 'true' : undefined}
            onInput={({ currentTarget: { value } }) => {
              drafts.by.value = value;
            }}
          />
        </div>
        <div>
          <label for="proposer-comment">{t('comment')}</label>
          <input
            id="proposer-comment"
            autocomplete="off"
            maxLength={2000}
            value={drafts.comment.value}
            onInput={({ currentTarget: { value } }) => {
              drafts.comment.value = value;
            }}
          />
        </div>
      </div>
      <Wrong id="proposer-wrong">{wrong.value}</Wrong>
      {drafts.error.value && <Trouble error={drafts.error.value} />}
      <div class="actions">
        <Button name="propose" class="main" submit busy={drafts.busy.value}>
          {t('propose')}
        </Button>
        <Button
          name="leave-draft"
          onClick={() => {
            drafts.working.value = undefined;
          }}
        >
          {t('cancel')}
        </Button>
      </div>
    </form>
  );
}
