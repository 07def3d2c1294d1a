/** The choice of a file: the browser's own field is labelled in the language of the browser, and not in that of the page. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { t } from '../i18n';
import { Wrong } from '../ui';

interface FileFieldProps {
  id: string;
  label: string;
  hint?: string;
  accept: string;
  wrong: ComponentChildren;
  onChoose?: () => unknown;
}

/** A file field whose button and chosen name are in the language of the page. The transparent field covers both, so that a file can be dropped there. */
export function FileField({ id, label, hint, accept, wrong, onChoose }: FileFieldProps): JSX.Element {
  const name = useSignal('');
  const described = [hint && `${id}-hint`, `${id}-name`, `${id}-wrong`].filter(Boolean).join(' ');
  return (
    <>
      <label for={id}>{label}</label>
      {hint && (
        <p class="quiet" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      <div class="file">
        <span class="button" aria-hidden="true">
          {t('fileChoose')}
        </span>
        <span id={`${id}-name`}>{name.value || t('fileNone')}</span>
        <input
          id={id}
          type="file"
          accept={accept}
          data-keep={id}
          aria-describedby={described}
          aria-invalid={wrong ? 'true' : undefined}
          onChange={({ currentTarget: { files } }) => {
            name.value = files?.[0]?.name ?? '';
            onChoose?.();
          }}
        />
      </div>
      <Wrong id={`${id}-wrong`}>{wrong}</Wrong>
    </>
  );
}
